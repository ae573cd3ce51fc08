"""Handover of units to the systems that hold ICCIDs: rows, formats, templates."""
