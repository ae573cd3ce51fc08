"""Guess at an unpublished rate limit, from answers and refusals alone.

Some refusals have nothing to do with our rate: other systems of the customer use up a shared limit, or the carrier is
busy. To go slower helps against a limit only. So limits of many sizes are supposed, and each is replayed beside the
true answers as the bucket of tokens that it would be: it says beforehand which request finds the bucket empty. A
supposition that foretells the refusals gains weight, and one that foretells refusals that do not come loses it. "No
limit" is one of them, too; for it every refusal is chance, and the more of them there are, the less each one weighs.

Of all suppositions that are not yet improbable, the fastest is believed. What speaks against it fades, so that a limit
that rose is found again.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["HiddenLimit"]

STEP = 1.04
"""Ratio of two neighbouring limits."""

WHEN_EMPTY = 0.5
"""Chance of a refusal where a supposed bucket is empty.

The true bucket may have more in it.
"""

BY_CHANCE = (0.2, 20.0)
"""Refusals, and answers, that each supposition begins with.

They are those by chance, where its bucket is not empty.
"""

CHANCE_FADES = 1 / 400
"""Part that each answer takes from the count of refusals by chance."""

FADES_IN_S = 50.0
FADES_IN_ANSWERS = 200.0
"""Time and answers until a third of a weight is left.

The longer of the two counts.
"""

FAITH = 3.0
"""Distance from the best weight at which a supposition is still followed.

Such a supposition is 20 times less probable.
"""

AS_GOOD = 0.5
"""Distance at which a supposition is no worse than the best."""

FORGOTTEN = -8.0
"""Lowest weight: a supposition that was refuted can come back."""


@dataclass(slots=True)
class _Supposed:
    """Supposed limit with its bucket of tokens.

    Args:
        per_second: tokens that come each second.
        burst: tokens that the bucket holds.
        tokens: those that it holds now.
        weight: logarithm of its probability; the best one has 0.
        refused: refusals while the bucket was not empty, fading.
        answered: answers while the bucket was not empty, fading.
    """

    per_second: float
    burst: float
    tokens: float
    weight: float = 0.0
    refused: float = BY_CHANCE[0]
    answered: float = BY_CHANCE[1]

    def chance_of_refusal(self, passed_s: float) -> float:
        """Foretell the answer to the next request."""
        if passed_s > 0:  # no time brings nothing, also without a limit
            self.tokens = min(self.burst, self.tokens + passed_s * self.per_second)
        return WHEN_EMPTY if self._is_empty else self.refused / self.answered

    def learn(self, *, is_refused: bool) -> None:
        """Note the answer that came."""
        if not self._is_empty:
            self.refused += is_refused - (self.refused - BY_CHANCE[0]) * CHANCE_FADES
            self.answered += 1 - (self.answered - BY_CHANCE[1]) * CHANCE_FADES
        if not is_refused:
            self.tokens = max(0.0, self.tokens - 1)

    @property
    def _is_empty(self) -> bool:
        return self.tokens < 1 - 1 / 50  # clocks differ a bit


class HiddenLimit:
    """Belief about the limit of one carrier.

    Args:
        slowest: the lowest limit that is supposed, in requests per second.
        fastest: the highest.
    """

    def __init__(self, slowest: float, fastest: float) -> None:
        self._supposed = [_Supposed(rate, burst, burst) for rate, burst in _limits(slowest, fastest)]
        self._told_at: float | None = None

    def told(self, now: float, *, is_refused: bool) -> None:
        """Weigh all suppositions by one more answer.

        `now` is in seconds.
        """
        passed_s = 0.0 if self._told_at is None else now - self._told_at
        self._told_at = now
        fading = math.exp(-min(passed_s / FADES_IN_S, 1 / FADES_IN_ANSWERS))
        for supposed in self._supposed:
            chance = supposed.chance_of_refusal(passed_s)
            supposed.weight = supposed.weight * fading + math.log(chance if is_refused else 1 - chance)
            supposed.learn(is_refused=is_refused)
        best = max(supposed.weight for supposed in self._supposed)
        for supposed in self._supposed:
            supposed.weight = max(FORGOTTEN, supposed.weight - best)

    @property
    def fastest(self) -> float:
        """Fastest limit that the answers do not speak against.

        Infinite where there seems to be none.
        """
        return max(supposed.per_second for supposed in self._supposed if supposed.weight >= -FAITH)

    @property
    def likeliest(self) -> float:
        """Middle of the limits that foretell the answers best.

        Infinite where there may be none.

        A bucket of one token tells little: after a pause, any limit below our rate foretells the same refusals.
        """
        if self.fastest == math.inf:
            return math.inf
        rates = [supposed.per_second for supposed in self._supposed if supposed.weight >= -AS_GOOD]
        return math.sqrt(min(rates) * max(rates))


def _limits(slowest: float, fastest: float) -> Iterator[tuple[float, float]]:
    """Yield the limits to suppose, as requests per second and burst.

    The burst is one request, or those of a second.
    """
    rate = slowest
    while rate < fastest * STEP:
        yield rate, 1.0
        yield rate, max(1.0, rate)
        rate *= STEP
    yield math.inf, math.inf
