"""Cutovers and rollbacks: made, and their progress."""
