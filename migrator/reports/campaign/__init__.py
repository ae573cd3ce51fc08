"""Reports over all plans of a store."""
