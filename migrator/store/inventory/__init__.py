"""Source fleet, and what was seen of both fleets."""
