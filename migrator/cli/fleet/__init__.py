"""`fleet`: the accounts of a team."""

__all__ = ["CODES"]

CODES = "Exit codes: 0 done, 1 another schema, 2 input, or no `fleet init`, 7 the database is out of reach."
