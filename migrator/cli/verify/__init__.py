"""`verify` and `verify --watch`."""
