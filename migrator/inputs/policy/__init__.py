"""Policy file."""
