"""One pacer per carrier, shared by everything that talks to it."""

from dataclasses import dataclass, field

import anyio

__all__ = ["AdaptivePacer", "Pacer"]


@dataclass(slots=True)
class Pacer:
    """Lets requests start at an even pace of `per_second`; a refusal stops everybody for a while.

    Args:
        per_second: requests that may start each second.
    """

    per_second: float
    refusals: int = 0
    _next_at: float = field(default=0.0, init=False)
    _held_until: float = field(default=0.0, init=False)
    _streak: int = field(default=0, init=False)

    async def turn(self) -> None:
        """Wait until the next request may start."""
        while True:
            start = max(anyio.current_time(), self._next_at, self._held_until)
            self._next_at = start + 1 / self.per_second
            await anyio.sleep_until(start)
            if self._held_until <= start:
                return

    def accepted(self) -> None:
        """Note an answer that was not a refusal."""
        self._streak = 0

    def refused(self, retry_after_s: float | None) -> None:
        """Note a 429: hold everyone for what the carrier asked, else for 1, 2, 4, then 8 seconds."""
        self.refusals += 1
        self._hold(retry_after_s if retry_after_s is not None else self.pauses_s[min(self._streak, 3)])

    @property
    def pauses_s(self) -> tuple[float, float, float, float]:
        """How long the first, second, third and every later refusal in a row holds everyone."""
        return (1.0, 2.0, 4.0, 8.0)

    def _hold(self, seconds: float) -> None:
        now = anyio.current_time()
        if now >= self._held_until:  # one stop counts once, however many requests were in flight
            self._streak += 1
            self._held_until = now + seconds
            self._next_at = max(self._next_at, self._held_until)


@dataclass(slots=True)
class AdaptivePacer(Pacer):
    """Finds a limit that nobody published: slow start, then additive increase and multiplicative decrease.

    Starts at `per_second`, doubles every `doubling_s` until the first refusal, then creeps. Never above `ceiling`.

    Source: Hologram publishes no number (reference, section 3.5); its prose asks to stop 5 to 10 s after a 429.
    """

    ceiling: float = 10.0
    floor: float = 0.2
    doubling_s: float = 3.0
    _slow_start: bool = field(default=True, init=False)
    _doubled_at: float | None = field(default=None, init=False)

    @property
    def pauses_s(self) -> tuple[float, float, float, float]:
        """How long the first, second, third and every later refusal in a row holds everyone."""
        return (1.0, 2.0, 5.0, 10.0)

    def accepted(self) -> None:
        """Go a little faster."""
        super(AdaptivePacer, self).accepted()  # a slotted dataclass is made anew, so a bare super() is of the old class
        if self._slow_start:
            self._double_in_time()
        else:
            self.per_second = min(self.ceiling, self.per_second * 1.001)

    def refused(self, retry_after_s: float | None) -> None:
        """Slow down once for each stop."""
        held = anyio.current_time() < self._held_until
        super(AdaptivePacer, self).refused(retry_after_s)
        if not held:
            self.per_second = max(self.floor, self.per_second * (0.5 if self._slow_start else 0.85))
            self._slow_start = False

    def _double_in_time(self) -> None:
        now = anyio.current_time()
        if self._doubled_at is None:
            self._doubled_at = now
        elif now - self._doubled_at >= self.doubling_s:
            self._doubled_at = now
            self.per_second = min(self.ceiling, self.per_second * 2)
