"""Stages of a migration that takes months, over all plans."""
