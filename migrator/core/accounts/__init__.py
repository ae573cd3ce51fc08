"""Accounts of one store, and whose turn it is."""
