"""Fleet of the simulated Onomondo, in the order of its list."""

from collections.abc import Iterable, Iterator, Sequence

from migrator.carriers.onomondo.simulator.model import SimulatedOnomondoSim, made_sim

__all__ = ["OnomondoFleet"]


class OnomondoFleet:
    """SIMs in the order in which the API lists them.

    Args:
        sims: the SIMs at the start.
        seed: names those that come later.
    """

    def __init__(self, sims: Iterable[SimulatedOnomondoSim], *, seed: int) -> None:
        self._seed = seed
        self._rows: list[SimulatedOnomondoSim] = []
        self._by_name: dict[str, SimulatedOnomondoSim] = {}
        self._places: dict[str, int] = {}  # by SIM id, made when it is asked for
        self._newcomers = 0
        for sim in sims:
            self._add(len(self._rows), sim)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[SimulatedOnomondoSim]:
        return iter(list(self._rows))

    def __getitem__(self, index: int) -> SimulatedOnomondoSim:
        return self._rows[index]

    def find(self, name: str) -> SimulatedOnomondoSim | None:
        """Return the SIM with this SIM id or ICCID, or None."""
        return self._by_name.get(name)

    def after(self, sim_id: str | None, count: int) -> Sequence[SimulatedOnomondoSim]:
        """Return up to `count` SIMs behind a SIM, or from the head.

        The place of a SIM that is gone is the head of the list.
        """
        here = self.find(sim_id) if sim_id is not None else None
        start = 0 if here is None else self._place(here) + 1
        return self._rows[start : start + count]

    def _place(self, sim: SimulatedOnomondoSim) -> int:
        if not self._places:
            self._places = {row.sim_id: place for place, row in enumerate(self._rows)}
        return self._places[sim.sim_id]

    def remove(self, sim: SimulatedOnomondoSim) -> None:
        """Take a SIM out of the list."""
        self._rows.remove(sim)
        self._places = {}
        for name in (sim.iccid, sim.sim_id):
            del self._by_name[name]

    def insert_newcomer(self) -> None:
        """Put a new SIM at the head of the list."""
        self._newcomers += 1
        self._add(0, made_sim(self._seed, 5_000_000 + self._newcomers))

    def _add(self, index: int, sim: SimulatedOnomondoSim) -> None:
        """Add a SIM.

        Raises: ValueError, if its ICCID or SIM id is there already.
        """
        if {sim.iccid, sim.sim_id} & self._by_name.keys():
            raise ValueError(f"{sim.iccid} is in the fleet already")
        self._rows.insert(index, sim)
        self._places = {}
        self._by_name |= {sim.iccid: sim, sim.sim_id: sim}
