"""`apply`, and what steers or follows a run."""
