"""Tests: core rules, contracts of adapters and store, simulations, the command line, golden files, the schema."""
