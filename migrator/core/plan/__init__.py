"""Plans: made, compared, explained and written."""
