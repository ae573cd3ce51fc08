"""Pairing files and pools of new SIMs."""
