"""Which wave a SIM goes with: the first that selects it and has room."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from migrator.core.fleet.sims import SourceSim
from migrator.core.policy.policy import Selection, Wave
from migrator.core.policy.selection import Selector, selector

__all__ = ["Rooms"]


@dataclass(slots=True)
class _Room:
    """One wave while SIMs are being seated. `places` left is infinite for a wave that takes all."""

    name: str
    selects: Selector
    places: float


class Rooms:
    """How full each wave is; the only thing that planning carries from one SIM to the next.

    Args:
        waves: in their order.
        acting: how many SIMs will take a place, over the whole plan: what a share is a share of.
    """

    def __init__(self, waves: Sequence[Wave], acting: int) -> None:
        self._rooms = [
            _Room(wave.name, selector(Selection(label=wave.label, iccids=wave.iccids)), _places(wave, acting))
            for wave in waves
        ]

    def seat(self, sim: SourceSim) -> str | None:
        """The wave in which a SIM takes a place; None if no wave with room selects it."""
        for room in self._rooms:
            if room.places > 0 and room.selects(sim):
                room.places -= 1
                return room.name
        return None

    def along(self, sim: SourceSim) -> str | None:
        """The wave that a SIM with nothing to do goes along with; it takes nobody's place.

        The last one that selects it: among the few of a first wave, SIMs that are fine already would open the gate
        for the others. None if no wave selects it.
        """
        return next((room.name for room in reversed(self._rooms) if room.selects(sim)), None)


def _places(wave: Wave, acting: int) -> float:
    """The room of a wave; a share is rounded up, so that it never comes to nothing."""
    if wave.count is not None:
        return wave.count
    if wave.share is None:
        return math.inf
    numerator, denominator = wave.share.as_integer_ratio()
    return -(-numerator * acting // denominator)
