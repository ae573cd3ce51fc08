"""`apply`, and the commands that steer or follow a run."""
