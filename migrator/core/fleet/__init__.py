"""SIMs, identifiers, volumes and pairs."""
