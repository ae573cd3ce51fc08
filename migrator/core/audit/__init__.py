"""Audit chain, and the facts in its events."""
