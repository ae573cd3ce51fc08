"""Everything that is told over all plans of the store."""
