"""Pages over all accounts of a database."""
