"""The source fleet and its pairs."""
