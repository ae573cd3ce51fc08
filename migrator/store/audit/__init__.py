"""Check of the audit log against itself and the tables."""
