"""Places of SIMs in waves.

A SIM goes with the first wave that selects it and has room.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from migrator.core.fleet.sims import SourceSim
from migrator.core.policy.policy import Wave, When
from migrator.core.policy.selection import Selector, selector

__all__ = ["Rooms"]


@dataclass(slots=True)
class _Room:
    """Wave while SIMs are being seated.

    `places` is the number of places left, infinite for a wave that takes all SIMs.
    """

    name: str
    selects: Selector
    places: float


class Rooms:
    """Room that is left in each wave.

    Nothing else is carried from one SIM to the next in planning.

    Args:
        waves: in their order.
        acting: how many SIMs will take a place, over the whole plan; a share is a share of this number.
    """

    def __init__(self, waves: Sequence[Wave], acting: int) -> None:
        self._rooms = [
            _Room(wave.name, selector(When(label=wave.label, iccids=wave.iccids)), _places(wave, acting))
            for wave in waves
        ]

    def seat(self, sim: SourceSim) -> str | None:
        """Give a SIM a place, and return the name of its wave.

        None if no wave with room selects the SIM.
        """
        for room in self._rooms:
            if room.places > 0 and room.selects(sim):
                room.places -= 1
                return room.name
        return None

    def along(self, sim: SourceSim) -> str | None:
        """Return the wave that a SIM with nothing to do joins.

        The SIM takes nobody's place. Its wave is the last wave that selects it. Among the few SIMs of a first wave,
        SIMs that are fine already would open the gate for the others. None if no wave selects the SIM.
        """
        return next((room.name for room in reversed(self._rooms) if room.selects(sim)), None)


def _places(wave: Wave, acting: int) -> float:
    """Return the room of a wave.

    A share is rounded up, so that it is never zero SIMs.
    """
    if wave.count is not None:
        return wave.count
    if wave.share is None:
        return math.inf
    numerator, denominator = wave.share.as_integer_ratio()
    return -(-numerator * acting // denominator)
