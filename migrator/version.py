"""Version of the tool."""

__all__ = ["VERSION"]

VERSION = "0.1.0"
