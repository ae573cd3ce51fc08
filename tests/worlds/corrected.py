"""A migrated fleet in which cards are in other units than was planned, and pairs are corrected."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from migrator.core.cutover.discovery import CardFinding
from migrator.core.fleet.corrections import Corrected, Correction
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import Pair
from migrator.core.plan.plan import PlanHeader
from migrator.engine.run.context import Stopper, quiet
from migrator.workflows.field.correct import keep_corrections
from migrator.workflows.field.discover import Discovered, ask_old_sims, judged, read_devices
from tests.worlds.cutover_world import CutoverWorld

__all__ = ["CorrectedWorld"]

SPARE = "8944500999999{:06d}"
MEGABYTE = 1_048_576


class CorrectedWorld(CutoverWorld):
    """A world with corrections in it."""

    def corrected(self, new_of: Mapping[str, str], *, reason: str = "", evidence: str = "IMEI seen") -> Corrected:
        """`pair correct`: the new SIM of each old one. Raises: InputError."""
        wanted = [
            Correction(Iccid.parse(old), Iccid.parse(new), f"found.csv:{line}", evidence, "ann@desk", reason)
            for line, (old, new) in enumerate(new_of.items(), 2)
        ]
        with self.store() as store:
            kept = keep_corrections(store, wanted, now=self.now().timestamp())
        self._known.clear()
        self._guards = None
        return kept

    def seen_in(self, new: str, old: str) -> None:
        """The new SIM passes data in the unit of an old one, from now on."""
        at = self.target.now
        self.target.add_session(new, at, MEGABYTE, self.unit_of(old))
        self.goes_silent(old, at.date() - timedelta(days=1))
        self.connected.add(new)
        self.wait(120)

    def spare(self, number: int = 1) -> str:
        """A card that lies in our inventory at Hologram, in no pair."""
        iccid = SPARE.format(number)
        self.target.stock([iccid])
        return iccid

    def paired_with(self, old: str, new: str) -> None:
        """`pair import` of one line."""
        with self.store() as store:
            pair = Pair(Iccid.parse(old), Iccid.parse(new), "more.csv:2")
            store.pairs.add([pair], replace=False, now=self.now().timestamp())
        self._known.clear()

    def actions(self, header: PlanHeader) -> dict[str, str]:
        """What a plan does, by old ICCID."""
        with self.store() as store:
            return {change.source_iccid.digits: change.action.value for change in store.plans.changes(header.plan_id)}

    def name_of(self, new: str) -> str | None:
        """The name that the carrier has for a card."""
        return self.target.sims[new].name

    def planned_name(self, header: PlanHeader, old: str) -> str | None:
        """The name that a plan gives the new SIM of an old one."""
        with self.store() as store:
            change = store.plans.change(header.plan_id, Iccid.parse(old))
        return None if change is None else change.name

    def on(self) -> list[str]:
        """Old SIMs that are on and have a label, in order."""
        return sorted(sim.iccid for sim in self.source.fleet if sim.status == "Enabled" and sim.label)

    def discovered(
        self,
        *,
        live: bool = True,
        accept: bool = False,
        out: Path | None = None,
        exceptions: Path | None = None,
        units: Sequence[tuple[str, str]] = (),
    ) -> tuple[Discovered, dict[str, CardFinding]]:
        """`pair discover`. Returns: the counts, and what was found of each new SIM."""
        result, each = Discovered(), dict[str, CardFinding]()

        async def body() -> None:
            stopper = Stopper()
            async with self.http() as http, self._watched(self.source, self.source_url) as onence:
                target = self.hologram(http)
                if live:
                    result.devices = await read_devices(store, target, clock=self, stopper=stopper, progress=quiet)
                with closing(store.discovery(self.target.org_id, units)) as seen:
                    if live:
                        result.asked = await ask_old_sims(
                            seen,
                            self.onence(onence),
                            source="1NCE",
                            rps=8.0,
                            clock=self,
                            stopper=stopper,
                            progress=quiet,
                        )
                    each.update({one.sight.target.digits: one for one in seen.found()})
                    accepts, now = store if accept else None, self.now().timestamp()
                    judged(seen, result, out=out, exceptions=exceptions, accept=accepts, now=now)

        with self.store() as store:
            self._process(body)
        self._known.clear()
        self._guards = None
        return result, each
