"""Input of a user: files and settings, checked as a whole.

Each input is read once. Every problem is reported at once.
"""
