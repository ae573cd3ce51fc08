"""Accounts of a team on this machine: settings and secrets."""
