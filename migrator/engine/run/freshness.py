"""How old may be what an order rests on that cannot be taken back; and what to do when it grew too old."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from migrator.engine.run.context import SteadyClock
from migrator.errors import Outdated

__all__ = ["Knowledge", "Portions"]

OLDEST_GUARD_S = 30.0
"""How old the guard of an order may be at the moment at which it leaves."""

MOST_IN_VAIN = 6
"""Times in a row that nothing could leave in time, after which the run stops and can be resumed."""

SLOW_HINT = "the carrier, or a rate that was set, is too slow for a look and its order; run the same command later"


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What was read to decide about an order, as of when the first of it was asked for.

    Args:
        clock: tells its age, by whichever clock of the machine says more.
        asked_at: UTC seconds, by that clock.
        most_s: how old it may be when the order leaves.
    """

    clock: SteadyClock
    asked_at: float
    most_s: float = OLDEST_GUARD_S

    @classmethod
    def from_now(cls, clock: SteadyClock) -> "Knowledge":
        """What is about to be asked."""
        return cls(clock, clock.now().timestamp())

    @property
    def is_old(self) -> bool:
        """Whether no order may rest on it any more."""
        return self.clock.age_s(self.asked_at) > self.most_s

    def vouch(self) -> None:
        """Raises: Outdated, if it is old."""
        if self.is_old:
            age_s = self.clock.age_s(self.asked_at)
            raise Outdated(
                f"not sent: what it rests on is {age_s:.0f} s old, and may be {self.most_s:.0f} s", hint=SLOW_HINT
            )


@dataclass(slots=True)
class Portions:
    """Has SIMs read and ordered in portions: smaller ones, once an order grew too old before it left.

    How many requests fit into the age that knowledge may have, nobody knows beforehand: it is the carriers' pace.

    Args:
        most: SIMs in a portion at first, and the most.
    """

    most: int
    _size: int = field(init=False)
    _in_vain: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._size = self.most

    async def each(self, keys: Sequence[str], act: Callable[[Sequence[str]], Awaitable[Sequence[str]]]) -> None:
        """Act on all of `keys`, and once more on those whose order grew old.

        Args:
            keys: SIMs.
            act: reads a portion and orders it; returns those whose order did not leave in time, as they were before.

        Raises: Outdated, once portion after portion grew old as a whole.
        """
        rest = list(keys)
        while rest:
            some, rest = rest[: self._size], rest[self._size :]
            old = await act(some)
            self._fit(len(some), len(old))
            rest = [*old, *rest]

    def _fit(self, asked: int, old: int) -> None:
        """Fit the size: half of it after each portion that grew old in part, one more after each that did not."""
        if not old:
            self._size = min(self.most, self._size + 1)
            self._in_vain = 0
            return
        self._size = max(1, min(self._size, asked) // 2)
        self._in_vain = self._in_vain + 1 if old == asked else 0
        if self._in_vain >= MOST_IN_VAIN:
            raise Outdated(f"{self._in_vain} times in a row no order could leave in time", hint=SLOW_HINT)
