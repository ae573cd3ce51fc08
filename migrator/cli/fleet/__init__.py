"""`fleet`: the accounts of a team."""
