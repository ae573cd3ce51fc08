"""Rare garbage collection while a whole fleet passes through memory.

Python's search for cycles runs less often then.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["collecting_rarely"]

BETWEEN = 50_000
"""Records made and not yet dropped between two searches for cycles.

Python's own value of 700 takes a fifth of a plan's time.
"""


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Search for cycles less often.

    Records of a fleet hold no cycles: each record goes when the last name for it does. Connections and tasks do hold
    cycles, a few hundred records each: they wait for the next search, and no more than `BETWEEN` records ever wait.
    """
    before = gc.get_threshold()
    gc.set_threshold(BETWEEN, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
