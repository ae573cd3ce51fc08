"""1NCE, the carrier that SIMs leave: its API, and a simulator of it."""
