"""Plans: their content, and checks that they still hold."""
