"""`--where`: a small language that picks source SIMs."""
