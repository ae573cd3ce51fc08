"""Commands by which accounts work by themselves."""
