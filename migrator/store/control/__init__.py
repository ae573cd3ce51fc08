"""The lease, and orders from other terminals."""
