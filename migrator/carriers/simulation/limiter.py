"""Rate limits as carriers enforce them.

The limits run on the clock of the event loop (virtual in tests).
"""

from dataclasses import dataclass, field

import anyio

from migrator.carriers.simulation.clock import SimulatedClock

__all__ = ["FreshBucket", "RateLimit", "TokenBucket"]


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Rate limit: `per_second` requests on average, `burst` at once.

    `retry_after_s` None leaves the header out.
    """

    per_second: float
    burst: float
    retry_after_s: int | None = 1


@dataclass(slots=True)
class TokenBucket:
    """Bucket that lets a request pass when a token is left.

    Refused requests take no token.
    """

    limit: RateLimit
    _tokens: float = field(init=False)
    _at: float | None = None

    def __post_init__(self) -> None:
        self._tokens = self.limit.burst

    def admits(self) -> bool:
        """Take a token for one more request; True if it passes now."""
        now = anyio.current_time()
        elapsed = 0.0 if self._at is None else max(0.0, now - self._at)  # each event loop counts from its own zero
        self._at = now
        self._tokens = min(self.limit.burst, self._tokens + elapsed * self.limit.per_second)
        if self._tokens < 1 - 1e-9:
            return False
        self._tokens -= 1
        return True


@dataclass(slots=True)
class FreshBucket:
    """Bucket that begins full in every event loop.

    The clock of a new event loop begins anew. The bucket is full again for a new limit, too.
    """

    _bucket: TokenBucket | None = None
    _loops: int = 0

    def admits(self, limit: RateLimit, clock: SimulatedClock) -> bool:
        """Take a token for one more request; True if it passes now."""
        clock.now_s()
        if self._bucket is None or self._bucket.limit != limit or clock.loops != self._loops:
            self._bucket, self._loops = TokenBucket(limit), clock.loops
        return self._bucket.admits()
