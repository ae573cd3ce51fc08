"""`SourceControl` of a source without an API.

A person carries the orders out. What is known of a SIM is what the last file said. An order becomes a line of a list.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from migrator.core.cutover.rules import Sight, Sighting
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import SourceSim
from migrator.ports import Answer, Request, SetSourceState, SourceSimState, Vouch

__all__ = ["ByHandControl"]


@dataclass(slots=True)
class ByHandControl:
    """Source whose orders are lines of a list.

    Args:
        name: the carrier's.
        find: returns a SIM as the inventory in force has it.
        ordered: gets every order, in turn.
    """

    name: str
    find: Callable[[Iccid], SourceSim | None]
    ordered: list[SourceSimState] = field(default_factory=list)

    @property
    def most(self) -> int:
        """Most SIMs in one order: those of one portion."""
        return 50

    @property
    def writes_back(self) -> bool:
        """False: a line of the list says the status alone."""
        return False

    async def open(self) -> str:
        """Return the carrier's name in place of a version."""
        return self.name

    async def look(self, iccid: Iccid) -> Sight:
        """Return a SIM as the inventory in force has it."""
        sim = self.find(iccid)
        if sim is None:
            return Sight(Sighting.GONE)
        return Sight(Sighting.SEEN, sim)

    async def used_days(
        self, iccid: Iccid, first: date, last: date, *, insists: bool = False
    ) -> Mapping[date, bool] | None:
        """Return None: nobody can be asked what an old SIM used."""
        del iccid, first, last, insists
        return None

    def request(self, order: SetSourceState) -> Request:
        """Return the lines of the list, for the journal."""
        word = "enable" if order.sims[0].enabled else "disable"
        return Request("LIST", f"{self.name}: {word}", {"sims": [sim.iccid.digits for sim in order.sims]})

    async def send(self, order: SetSourceState, *, vouch: Vouch | None = None) -> Answer:
        """Add the SIMs to the list.

        Raises: what `vouch` raises.
        """
        if vouch is not None:
            vouch()
        self.ordered += order.sims
        return Answer()
