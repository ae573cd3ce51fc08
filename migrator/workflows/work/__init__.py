"""Work on accounts in turn."""
