"""Notices on their way to their receivers."""
