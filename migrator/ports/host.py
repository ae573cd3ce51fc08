"""Host of a run: its clock, and who watches its progress."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

__all__ = [
    "WAITS",
    "Clock",
    "Progress",
]

WAITS = "migrator.waits"
"""Name of the log of long waits.

Each record has `held`, the values of the event "held": who asks to wait, until when, and when the next request leaves.
"""


class Clock(Protocol):
    """Dates for people and for comparison across processes. Waiting goes through anyio."""

    def now(self) -> datetime:
        """Return the time in UTC."""
        ...


Progress = Callable[[str, Mapping[str, Any]], None]
"""Function that is called with an event's name and its values.

The calls are for progress bars, `--events` and logs.
"""
