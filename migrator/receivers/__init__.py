"""Receivers of notices, one file for each way.

None of them knows the store: each takes a message and says whether it was taken.
"""
