"""Plans: what was decided, and whether it still holds."""
