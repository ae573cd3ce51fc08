"""Notices, and what a campaign leaves in the store."""
