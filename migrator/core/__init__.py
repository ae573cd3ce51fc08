"""Pure rules: standard library only, no clock, network, files or logging."""
