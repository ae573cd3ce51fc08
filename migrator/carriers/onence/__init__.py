"""1NCE, the source: its API, and a simulator of the API."""
