"""Door of the pages: who may come in, and for how long."""
