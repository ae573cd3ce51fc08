"""Rules of a run: states, steps, packing, gates, verification."""
