"""Commands beside the migration: demo, doctor, report, audit, state."""
