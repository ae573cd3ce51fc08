"""The operator's policy, and which SIMs its parts select."""
