"""Fleet as a sequence of SIMs that are made on first read.

Of a million SIMs, only those that somebody read exist.
"""

from collections.abc import Iterator, MutableSequence, Sequence
from typing import Any, overload

from migrator.carriers.onence.simulator.generator import FleetGenerator
from migrator.carriers.onence.simulator.model import SimulatedSourceSim
from migrator.carriers.simulation.chance import ArbitraryOrder

__all__ = ["SimulatedFleet"]


class SimulatedFleet(MutableSequence[SimulatedSourceSim]):
    """List of SIMs, in the order in which the API lists them.

    The order is arbitrary but fixed: neither by ICCID nor by address (reference, section 4.3). A generated SIM is made
    when it is first read, and is the same object from then on. `revision` counts SIMs that came or went.

    Args:
        generator: makes SIMs that are not given.
        generated: how many of them are in the list.
    """

    def __init__(self, generator: FleetGenerator, *, generated: int = 0) -> None:
        self.revision = 0
        self._generator = generator
        self._made: dict[int, SimulatedSourceSim] = {}
        self._gone: set[int] = set()
        self._serials = generated
        order = ArbitraryOrder(generated, generator.seed)
        self._rows: list[SimulatedSourceSim | int] = [order.at(index) for index in range(generated)]
        self._given: dict[str, SimulatedSourceSim] = {}

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> SimulatedSourceSim: ...
    @overload
    def __getitem__(self, index: slice) -> list[SimulatedSourceSim]: ...
    def __getitem__(self, index: int | slice) -> SimulatedSourceSim | list[SimulatedSourceSim]:
        if isinstance(index, slice):
            return [self._sim(row) for row in self._rows[index]]
        return self._sim(self._rows[index])

    def __iter__(self) -> Iterator[SimulatedSourceSim]:
        return map(self._sim, list(self._rows))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as a list: equal today, different tomorrow

    def __setitem__(self, index: Any, value: Any) -> None:
        """Put another SIM in the place of a SIM.

        Whole slices are not replaced.
        """
        place = range(len(self))[index]
        del self[place]
        self.insert(place, value)

    def __delitem__(self, index: int | slice) -> None:
        leaving = self[index] if isinstance(index, slice) else [self[index]]
        for sim in leaving:
            if self._given.pop(sim.iccid, None) is None:
                self._gone.add(self._generator.serial(sim.iccid) or 0)
        del self._rows[index]
        self.revision += 1

    def insert(self, index: int, value: SimulatedSourceSim) -> None:
        """Add a SIM.

        Raises: ValueError, if its ICCID is there already.
        """
        if self.find(value.iccid) is not None:
            raise ValueError(f"{value.iccid} is in the fleet already")
        self._given[value.iccid] = value
        self._rows.insert(index, value)
        self.revision += 1

    def insert_newcomer(self) -> SimulatedSourceSim:
        """Put a new SIM at the head of the list."""
        while self._generator.iccid(self._serials) in self._given:
            self._gone.add(self._serials)
            self._serials += 1
        self._rows.insert(0, self._serials)
        self._serials += 1
        self.revision += 1
        return self[0]

    def find(self, iccid: str) -> SimulatedSourceSim | None:
        """Return the SIM with exactly this ICCID, or None.

        None means that the SIM is not, or no longer, in the fleet.
        """
        if iccid in self._given:
            return self._given[iccid]
        serial = self._generator.serial(iccid)
        if serial is None or serial >= self._serials or serial in self._gone:
            return None
        return self._sim(serial)

    def _sim(self, row: SimulatedSourceSim | int) -> SimulatedSourceSim:
        if isinstance(row, SimulatedSourceSim):
            return row
        sim = self._made.get(row)
        if sim is None:
            sim = self._made[row] = self._generator.sim(row)
        return sim
