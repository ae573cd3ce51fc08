"""Pages to watch a migration by: read-only, over the store."""
