"""Prices, caps, and what a plan costs in money and requests."""
