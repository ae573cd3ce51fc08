"""Age of the knowledge behind orders that cannot be undone.

The module also says what to do when that knowledge is too old.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from migrator.engine.run.context import SteadyClock
from migrator.errors import Outdated

__all__ = ["OLDEST_GUARD_S", "Knowledge", "Portions"]

OLDEST_GUARD_S = 30.0
"""Greatest age of the guard of an order when the order leaves."""

MOST_IN_VAIN = 6
"""Most times in a row that nothing could leave in time.

Then the run stops and can be resumed.
"""

SLOW_HINT = "the carrier, or a rate that was set, is too slow for a look and its order; run the same command later"


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Knowledge that an order rests on, with its age.

    The age counts from the time when the first of the reads was asked for.

    Args:
        clock: gives the age: the greater one by the machine's two clocks.
        asked_at: UTC seconds, by that clock.
        most_s: how old it may be when the order leaves.
    """

    clock: SteadyClock
    asked_at: float
    most_s: float = OLDEST_GUARD_S

    @classmethod
    def from_now(cls, clock: SteadyClock) -> "Knowledge":
        """Return the knowledge that begins with the next read."""
        return cls(clock, clock.now().timestamp())

    @property
    def is_old(self) -> bool:
        """True if no order may rest on this knowledge any more."""
        return self.clock.age_s(self.asked_at) > self.most_s

    def vouch(self) -> None:
        """Refuse knowledge that is too old.

        Raises: Outdated.
        """
        if self.is_old:
            age_s = self.clock.age_s(self.asked_at)
            raise Outdated(
                f"not sent: what it rests on is {age_s:.0f} s old, and may be {self.most_s:.0f} s", hint=SLOW_HINT
            )


@dataclass(slots=True)
class Portions:
    """Read and order SIMs in portions.

    The portions get smaller once an order grew too old before it left. Nobody knows beforehand how many requests fit
    into the greatest age of knowledge: that depends on the carriers' request rates.

    Args:
        most: SIMs in a portion at first, and the most.
    """

    most: int
    _size: int = field(init=False)
    _in_vain: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._size = self.most

    async def each(self, keys: Sequence[str], act: Callable[[Sequence[str]], Awaitable[Sequence[str]]]) -> None:
        """Act on all `keys`, and again on SIMs whose order grew old.

        Args:
            keys: SIMs.
            act: reads a portion and orders it; returns the SIMs whose order did not leave in time, as they were before.

        Raises: Outdated, once portion after portion grew old as a whole.
        """
        rest = list(keys)
        while rest:
            some, rest = rest[: self._size], rest[self._size :]
            old = await act(some)
            self._fit(len(some), len(old))
            rest = [*old, *rest]

    def _fit(self, asked: int, old: int) -> None:
        """Fit the size of the next portion.

        The size is halved after each portion that grew old in part, and grows by one after each other portion.
        """
        if not old:
            self._size = min(self.most, self._size + 1)
            self._in_vain = 0
            return
        self._size = max(1, min(self._size, asked) // 2)
        self._in_vain = self._in_vain + 1 if old == asked else 0
        if self._in_vain >= MOST_IN_VAIN:
            raise Outdated(f"{self._in_vain} times in a row no order could leave in time", hint=SLOW_HINT)
