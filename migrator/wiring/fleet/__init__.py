"""Accounts of a team: their settings and secrets here."""
