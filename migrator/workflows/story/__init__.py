"""Story of one unit, and why it is silent."""
