"""Python's search for cycles, made rare while a whole fleet passes through memory."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["collecting_rarely"]

BETWEEN = 50_000
"""Records made and not yet dropped before one look for cycles: Python's own 700 takes a fifth of a plan's time."""


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Look for cycles less often. Records of a fleet hold none: each goes when the last name for it does.

    Not for work that talks to a carrier: connections and tasks do hold cycles, and their memory would grow.
    """
    before = gc.get_threshold()
    gc.set_threshold(BETWEEN, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
