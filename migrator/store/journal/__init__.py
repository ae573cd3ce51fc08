"""The journal: steps, requests, reads and verdicts."""
