"""`plan` and its commands."""
