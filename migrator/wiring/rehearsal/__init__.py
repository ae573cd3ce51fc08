"""Rehearsals: simulated carriers on loopback, their units, scans and days."""
