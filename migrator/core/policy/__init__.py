"""Operator's policy, and the SIMs that its parts select."""
