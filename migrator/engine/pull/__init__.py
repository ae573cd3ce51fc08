"""Pull of the source fleet."""
