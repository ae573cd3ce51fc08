"""Journal of a plan: state, requests, SIMs to retry or to skip."""
