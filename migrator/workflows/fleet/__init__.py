"""Accounts of a team: added, looked at, reported."""
