"""The evidence file, and its check."""
