"""The reconciliation, written in several formats from one model."""
