"""Pairs, their use by plans, and discovery."""
