"""Onomondo, a source: its API, and a simulator of the API."""
