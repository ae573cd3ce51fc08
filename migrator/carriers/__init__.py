"""Carriers, one folder each.

A folder holds the wire format, the HTTP client, the adapter to the port and the simulator of its carrier.
"""
