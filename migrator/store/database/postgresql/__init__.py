"""PostgreSQL: each account in a schema of its own.

Nothing of it is imported before an address asks for it.
"""
