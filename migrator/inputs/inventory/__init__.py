"""Exported inventories."""
