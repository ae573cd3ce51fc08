"""Campaigns: many small plans, made as one within a standing approval."""
