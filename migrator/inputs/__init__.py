"""What a user hands in as a file or a setting: read once, checked whole, every problem told at once."""
