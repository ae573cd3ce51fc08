"""Stages that begin in the field: what was seen there, and what that says of pairs."""
