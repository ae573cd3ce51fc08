"""Rules of a migration that takes months, over all plans."""
