"""The report over all accounts."""
