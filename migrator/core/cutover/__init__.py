"""Rules of cutovers and rollbacks."""
