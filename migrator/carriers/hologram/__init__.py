"""Hologram, the target: wire format, HTTP client, adapter and simulator."""
