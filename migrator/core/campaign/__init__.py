"""Months of work: what is told of them."""
