"""Hologram, the carrier the fleet moves to: its wire format, its HTTP client, its adapter, its simulator."""
