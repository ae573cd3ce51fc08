"""Cutover and rollback plans, and their journal."""
