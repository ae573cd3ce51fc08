"""How a run moves: states, steps, packing, gates, verification."""
