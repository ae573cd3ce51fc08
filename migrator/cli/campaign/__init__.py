"""Commands over all plans."""
