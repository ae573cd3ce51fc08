"""Lookups: the plans that a command is about."""
