"""`cutover` and `rollback`."""
