"""Pacers: one per carrier, shared by everything that talks to the carrier."""

import math
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import anyio

from migrator.carriers.hidden_limit import HiddenLimit

__all__ = ["LONGEST_HOLD_S", "AdaptivePacer", "Gate", "Pacer"]

Gate = Callable[[], Awaitable[bool]]
"""Function that waits while nobody may send; True if it waited.

The function raises if the request should be given up.
"""

GATE_SLICE_S = 1.0
"""Seconds between checks of a request that waits for its turn.

The check asks if the request is still wanted.
"""

RESTART_SHARE = 0.9
"""Share of a remembered request rate at which the next process begins."""

LIMIT_SHARE = 0.96
"""Share of the believed limit at which requests go out."""

SOON = 3
"""Answers between two refusals that tell of a far too fast pace."""

CLIMB, CLIMB_MORE = 0.05, 0.004
"""Growth of the pace per second of use, after a refusal.

Each second without a further refusal adds the second number to the first.
"""

SPREAD = 0.25
"""Most that a pause is lengthened, as a share of its length."""

LONGEST_HOLD_S = 900.0
"""Longest stop that a carrier can ask for, in seconds.

After that time we try again, and the carrier can ask again.
"""

LONG_HOLD_S = 30.0
"""Stop in seconds that people are told of.

A stop that was told of is told of again once it lasts so much longer.
"""


def _no_doubt() -> None:
    """Let a request wait for its turn, however long."""


async def _open() -> bool:
    """Let every request through: the gate of an unsteered pacer."""
    return False


@dataclass
class Pacer:
    """Pacer that lets requests start at an even rate of `per_second`.

    A refusal stops everybody for a while.

    Args:
        per_second: requests that may start each second. May be changed at any time.
        gate: asked before each request leaves, and every second while a request waits for its turn.
        leaving: asked as a write leaves: what the gate knew may be old by then.
        ceiling_now: reads the most requests per second that are allowed now; None where nobody steers.
        chance: makes pauses that the carrier did not ask for a bit longer; None for exact pauses.
    """

    per_second: float
    gate: Gate = field(default=_open, kw_only=True, repr=False)
    leaving: Callable[[], None] = field(default=_no_doubt, kw_only=True, repr=False)
    ceiling_now: Callable[[], float] | None = field(default=None, kw_only=True, repr=False)
    chance: random.Random | None = field(default=None, kw_only=True, repr=False)
    refusals: int = field(default=0, init=False)
    served: int = field(default=0, init=False)
    _last_at: float | None = field(default=None, init=False, repr=False)
    _held_until: float = field(default=0.0, init=False, repr=False)
    _streak: int = field(default=0, init=False, repr=False)
    _told_until: float = field(default=0.0, init=False, repr=False)
    _queue: anyio.Lock = field(default_factory=anyio.Lock, init=False, repr=False)

    async def turn(self, vouch: Callable[[], None] = _no_doubt) -> None:
        """Wait until the next request may start; first come, first served.

        Args:
            vouch: asked every second of waiting; a request that nobody vouches for any more gives up its turn.

        Raises: what `gate` raises; what `vouch` raises.
        """
        async with self._queue:
            start = anyio.current_time()
            if not 0 < self._earliest - start <= GATE_SLICE_S:  # after a short wait, the look at its end is enough
                start = await self._steered(start)
            while start < self._earliest:  # looked at again after each sleep: a stop may have begun meanwhile
                start = min(self._earliest, start + GATE_SLICE_S)
                await anyio.sleep_until(start)
                start = await self._steered(start)
                vouch()
            self._last_at = start

    async def sleep(self, seconds: float) -> None:
        """Wait before a request is tried again.

        Raises: what `gate` raises, which is asked every second.
        """
        until = anyio.current_time() + seconds
        while (left_s := until - anyio.current_time()) > 0:
            await anyio.sleep(min(left_s, GATE_SLICE_S))
            await self.gate()

    async def _steered(self, start: float) -> float:
        """Obey the orders that came meanwhile.

        Returns: `start`, or now if nobody was let through at that time.
        """
        if await self.gate():
            start = anyio.current_time()
        if self.ceiling_now is not None:
            self._keep_below(self.ceiling_now())
        return start

    def _keep_below(self, ceiling: float) -> None:
        self.per_second = ceiling

    @property
    def _earliest(self) -> float:
        if self._last_at is None:
            return self._held_until
        return max(self._held_until, self._last_at + 1 / self.per_second)

    def accepted(self) -> None:
        """Note an answer that was not a refusal.

        An answer that was under way when a stop began does not end the row of refusals.
        """
        self.served += 1
        if not self.is_held:
            self._streak = 0

    def refused(self, retry_after_s: float | None) -> None:
        """Note a 429, and stop everyone for a while.

        The stop lasts for what the carrier asked, else for the next of `pauses_s`. Refusals that arrive during a stop
        belong to the stop: they can make it longer, but do not begin a further stop.
        """
        self.refusals += 1
        if not self.is_held:
            pause_s = retry_after_s or self.spread(self.pauses_s[min(self._streak, len(self.pauses_s) - 1)])
            self._streak += 1
        else:
            pause_s = retry_after_s or 0.0
        self.hold(pause_s)

    def hold(self, seconds: float) -> None:
        """Stop everyone for a while that is no matter of the rate."""
        self._held_until = max(self._held_until, anyio.current_time() + min(seconds, LONGEST_HOLD_S))

    def untold_hold_s(self) -> float | None:
        """Return how long a long stop lasts; None if it was told.

        None also where there is no long stop.
        """
        left_s = self._held_until - anyio.current_time()
        if left_s < LONG_HOLD_S or self._held_until < self._told_until + LONG_HOLD_S:
            return None
        self._told_until = self._held_until
        return left_s

    def spread(self, pause_s: float) -> float:
        """Return a pause of at least `pause_s`, up to a quarter longer.

        The limit is shared with the customer's own systems: requests that were refused together should not come back
        together.
        """
        return pause_s if self.chance is None else pause_s * (1 + SPREAD * self.chance.random())

    @property
    def is_held(self) -> bool:
        """True while a refusal still stops everybody."""
        return anyio.current_time() < self._held_until

    @property
    def pauses_s(self) -> tuple[float, ...]:
        """Seconds for which each refusal in a row stops everyone.

        The first value is for the first refusal, the last value for every later refusal. The values count if the
        carrier names no time.
        """
        return (1.0, 2.0, 4.0, 8.0)


@dataclass
class AdaptivePacer(Pacer):
    """Pacer that finds an unpublished limit and follows its moves.

    The pacer starts at `per_second` and doubles the request rate every `doubling_s` until the first refusal (slow
    start). From then on it goes no faster than the limit that explains the refusals best (`HiddenLimit`), and climbs
    towards that ever faster while nothing is refused. Refusals that no limit explains stop everybody, as any do, but
    do not slow the pace: to go slower would not help against them. The rate never grows while something else slows the
    requests, as a rate that was not tried proves nothing.

    Args:
        ceiling: never faster than this. May be lowered at any time, and raised again, which is how an operator steers.
        floor: never slower than this.
        doubling_s: seconds of use between two doublings.

    Source: Hologram publishes no number (reference, section 3.5); its prose asks to stop 5 to 10 s after a 429.
    """

    ceiling: float = 10.0
    floor: float = 0.2
    doubling_s: float = 0.5
    _limit: HiddenLimit = field(init=False, repr=False)
    _was_refused: bool = field(default=False, init=False, repr=False)  # False in slow start
    _used_s: float = field(default=0.0, init=False, repr=False)  # seconds of use since the pace last grew
    _calm_s: float = field(default=0.0, init=False, repr=False)  # seconds of use since the last refusal
    _served_then: int = field(default=0, init=False, repr=False)  # answers at the last refusal
    _seen_at: float | None = field(default=None, init=False, repr=False)
    _is_busy: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        self._limit = HiddenLimit(self.floor / 2, self.ceiling)

    @property
    def pauses_s(self) -> tuple[float, ...]:
        """Seconds for which each refusal in a row stops everyone.

        The first value is for the first refusal, the last value for every later refusal. The values count if the
        carrier names no time.
        """
        return (1.0, 2.0, 5.0, 10.0)

    def snapshot(self) -> dict[str, Any]:
        """Return what was learned, as JSON values for `restore`."""
        return {"per_second": self.per_second, "was_refused": self._was_refused}

    def restore(self, learned: Mapping[str, Any]) -> None:
        """Begin a bit below the request rate that another process learned.

        Nonsense is ignored.
        """
        pace = learned.get("per_second")
        if _is_rate(pace):
            self._move_to(pace * RESTART_SHARE)
            self._was_refused = learned.get("was_refused") is not False  # an earlier version said it in another way

    def _keep_below(self, ceiling: float) -> None:
        self.ceiling = ceiling
        self._move_to(self.per_second)

    async def turn(self, vouch: Callable[[], None] = _no_doubt) -> None:
        """Wait until the next request may start."""
        self._move_to(self.per_second)  # the ceiling may have been lowered
        self._is_busy = self._earliest > anyio.current_time()
        await super().turn(vouch)

    def accepted(self) -> None:
        """Go faster as time goes by."""
        if self._was_refused:  # before, there is nothing to explain
            self._limit.told(anyio.current_time(), is_refused=False)
        super().accepted()
        if not self.is_held:
            self._use()
            self._grow()

    def refused(self, retry_after_s: float | None) -> None:
        """Slow down, if that helps."""
        is_again = not self.is_held and self.served - self._served_then < SOON
        self._served_then = self.served
        self._was_refused, self._calm_s = True, 0.0
        self._limit.told(anyio.current_time(), is_refused=True)
        believed = self._limit.likeliest if is_again else self._limit.fastest
        self._move_to(min(self.per_second, believed * LIMIT_SHARE))
        super().refused(retry_after_s)

    def _use(self) -> None:
        now = anyio.current_time()
        if self._is_busy and self._seen_at is not None:
            self._used_s += min(now - self._seen_at, 1.0)
        self._seen_at = now

    def _grow(self) -> None:
        if self.per_second >= self.ceiling:  # a pace that the ceiling holds back was not tried
            self._used_s = self._calm_s = 0.0
        if self._was_refused:
            growth = math.exp((CLIMB + CLIMB_MORE * self._calm_s) * self._used_s)
            self._calm_s += self._used_s
            self._used_s = 0.0
            self._move_to(min(self._limit.fastest * LIMIT_SHARE, self.per_second * growth))
        elif self._used_s >= self.doubling_s:
            self._used_s = 0.0
            self._move_to(self.per_second * 2)

    def _move_to(self, per_second: float) -> None:
        self.per_second = min(self.ceiling, max(self.floor, per_second))


def _is_rate(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
