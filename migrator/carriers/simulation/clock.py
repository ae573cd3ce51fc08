"""Time of the simulators, as dates from an epoch.

The time is in seconds of the event loop's clock since the first reading.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import anyio

__all__ = ["SimulatedClock"]


@dataclass(slots=True)
class SimulatedClock:
    """Clock that never runs backwards.

    This holds also when one simulator serves several event loops one after the other. A virtual clock starts at zero in
    each loop; time then goes on from the last moment known. Outside a loop, where tests read the truth, the clock
    stands still at that moment. `loops` counts the loops.
    """

    epoch: datetime
    loops: int = 0
    _now_s: float = 0.0
    _loop_s: float | None = None
    _offset_s: float = 0.0
    _turned_to_s: float | None = None

    @contextmanager
    def turned_to(self, at_s: float) -> Iterator[None]:
        """Turn the clock to `at_s` for a moment.

        In this moment the simulator does what was due then, and what nobody asked about until now.
        """
        before, self._turned_to_s = self._turned_to_s, at_s
        try:
            yield
        finally:
            self._turned_to_s = before

    def now_s(self) -> float:
        """Return the seconds since the first reading."""
        if self._turned_to_s is not None:
            return self._turned_to_s
        try:
            loop_s = anyio.current_time()
        except RuntimeError:  # no event loop runs here
            return self._now_s
        if self._loop_s is None or loop_s < self._loop_s:
            self._offset_s = self._now_s - loop_s
            self.loops += 1
        self._loop_s = loop_s
        self._now_s = loop_s + self._offset_s
        return self._now_s

    def date(self, at_s: float) -> datetime:
        """Return the date `at_s` seconds after the first reading."""
        return self.epoch + timedelta(seconds=at_s)

    def now(self) -> datetime:
        """Return the date now."""
        return self.date(self.now_s())
