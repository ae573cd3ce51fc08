"""Source fleet and its pairs."""
