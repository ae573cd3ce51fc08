"""The audit log, held against itself and the tables."""
