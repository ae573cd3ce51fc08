"""Queue of jobs in PostgreSQL, for workers on several machines."""
