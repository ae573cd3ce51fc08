"""One folder per carrier: its wire format, its HTTP client, its adapter to the port, its simulator."""
