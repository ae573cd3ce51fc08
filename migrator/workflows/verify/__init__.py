"""Fresh reads of a plan's SIMs, and what else `verify` checks."""
