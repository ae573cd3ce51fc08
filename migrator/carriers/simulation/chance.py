"""Chance that depends on names, not on the order of calls.

So SIM 70,000 can be made without the 69,999 before it.
"""

from hashlib import blake2b
from math import gcd

__all__ = ["ArbitraryOrder", "Draws"]


class Draws:
    """Repeatable draws for one thing, named by `key`.

    The draws are good for bounds whose product stays below 2**500.
    """

    __slots__ = ("_pool",)

    def __init__(self, *key: int | str) -> None:
        self._pool = int.from_bytes(blake2b(repr(key).encode(), digest_size=64).digest())

    def below(self, bound: int) -> int:
        """Draw a number from 0 to `bound` - 1."""
        self._pool, drawn = divmod(self._pool, bound)
        return drawn


class ArbitraryOrder:
    """Arbitrary order of `count` things, without a list of them.

    From five things on, the order is neither ascending nor descending.
    """

    __slots__ = ("_count", "_start", "_stride")

    def __init__(self, count: int, *key: int | str) -> None:
        draws = Draws("order", *key)
        self._count = max(1, count)
        self._start = draws.below(self._count)
        self._stride = 2 + draws.below(max(1, self._count - 3))
        while gcd(self._stride, self._count) != 1:
            self._stride += 1

    def at(self, index: int) -> int:
        """Return the thing at `index`: one thing for each index."""
        return (index * self._stride + self._start) % self._count
