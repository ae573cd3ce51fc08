"""Rules of campaigns: days, budgets and bounds; pure."""
