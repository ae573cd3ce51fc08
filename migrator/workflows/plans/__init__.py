"""Plans: made, checked and refused."""
