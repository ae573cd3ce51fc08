"""A carrier that refuses: under a hidden limit that may move, by chance, or both; and how a pacer fares with it."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from migrator.carriers.pacing import Pacer
from migrator.carriers.simulation import RateLimit, TokenBucket
from tests.support import run_virtual

__all__ = ["Fared", "Refusing", "fare", "fare_knowing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusing:
    """What a carrier refuses.

    Args:
        limits: seconds from which each limit holds, and its requests per second; empty for no limit.
        burst: requests at once; None for those of a second.
        share: part of the requests that is refused whatever our pace, as others share the limit.
        retry_after_s: what a refusal asks for; None: nothing.
        seed: of the chance.
        latency_s: until an answer is there.
        workers: requests in flight, at most.
    """

    limits: tuple[tuple[float, float], ...] = ()
    burst: float | None = None
    share: float = 0.0
    retry_after_s: int | None = 1
    seed: int = 1
    latency_s: float = 0.15
    workers: int = 6

    def limit(self, at_s: float) -> float:
        """Requests per second that are allowed then."""
        return next((rate for since_s, rate in reversed(self.limits) if at_s >= since_s), math.inf)

    def allowed(self, until_s: float) -> float:
        """Requests per second that the limits allowed on average, up to then."""
        ends = [since_s for since_s, _ in self.limits[1:]] + [until_s]
        spans = (
            (rate, min(end_s, until_s) - since_s) for (since_s, rate), end_s in zip(self.limits, ends, strict=True)
        )
        return sum(rate * max(0.0, span_s) for rate, span_s in spans) / until_s


@dataclass(slots=True)
class _Carrier:
    how: Refusing
    pacer: Pacer
    sent: int = 0
    refused: int = 0
    _began: float = field(init=False)
    _bucket: TokenBucket = field(init=False)
    _chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._began = anyio.current_time()
        self._bucket = TokenBucket(self._limit)
        self._chance = random.Random(self.how.seed)

    @property
    def at_s(self) -> float:
        return anyio.current_time() - self._began

    @property
    def _limit(self) -> RateLimit:
        rate = min(1e9, self.how.limit(self.at_s))
        return RateLimit(rate, self.how.burst or rate)

    async def serves(self) -> bool:
        """Send one request. True if it was served."""
        await self.pacer.turn()
        self.sent += 1
        await anyio.sleep(self.how.latency_s / 2)
        self._bucket.limit = self._limit
        served = self._chance.random() >= self.how.share and self._bucket.admits()
        await anyio.sleep(self.how.latency_s / 2)
        if served:
            self.pacer.accepted()
        else:
            self.refused += 1
            self.pacer.refused(self.how.retry_after_s)
        return served


@dataclass(frozen=True, slots=True)
class Fared:
    """How it went: served per second, the part that was refused, and the seconds it took."""

    per_second: float
    refused: float
    took_s: float


def fare(make: Callable[[], Pacer], how: Refusing, requests: int) -> Fared:
    """Have so many requests served, at the pace of such a pacer."""
    return _fare(lambda _carrier: make(), how, requests)


def fare_knowing(fastest: float, how: Refusing, requests: int) -> Fared:
    """Have them served by a pacer that knows the limit at all times: nobody can do better."""
    return _fare(lambda at_s: Pacer(fastest, ceiling_now=lambda: min(fastest, how.limit(at_s()))), how, requests)


def _fare(make: Callable[[Callable[[], float]], Pacer], how: Refusing, requests: int) -> Fared:
    async def main() -> Fared:
        began, left = anyio.current_time(), requests
        carrier = _Carrier(how, make(lambda: anyio.current_time() - began))

        async def worker() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                while not await carrier.serves():
                    pass

        async with anyio.create_task_group() as tasks:
            for _ in range(how.workers):
                tasks.start_soon(worker)
        return Fared(requests / carrier.at_s, carrier.refused / carrier.sent, carrier.at_s)

    return run_virtual(main)
