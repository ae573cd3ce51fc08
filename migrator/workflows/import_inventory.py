"""Work of `inventory import`: a file becomes the inventory, or nothing.

The file's rows go into a snapshot first.
"""

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from migrator.chunks import chunks
from migrator.core.cutover.plan import Direction
from migrator.core.fleet.iccid_text import SPREADSHEET_REMEDY, ZERO_REMEDY, lost_digits
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import ONENCE, SourceSim
from migrator.core.run.results import Dropped
from migrator.core.run.states import PlanState
from migrator.errors import InputError, OtherSource, Problem
from migrator.ports import Clock, Progress, SourcePage, SourceRow

if TYPE_CHECKING:
    from migrator.inputs.inventory.file import ImportedRow, InventoryFile
    from migrator.store import Store

__all__ = ["API_VERSION", "Imported", "import_inventory", "listed_cutover"]

API_VERSION = "import"
"""API version of an import; a pull has "v1" or "v2"."""

MOST_SUSPECTS = 10_000
"""Most ICCIDs that end in zeros and are checked one by one.

Only in a fleet of millions would chance give more.
"""


@dataclass(slots=True)
class Imported:
    """Result of the import of a file.

    Args:
        sims: how many there are now.
        repeated: rows that said again what an earlier one had said.
        without_status: SIMs whose status is unknown; plans will not act on them.
        without_quota: SIMs without a booked data volume.
        rounded: places of ICCIDs that end in zeros as a spreadsheet leaves them; too few to be sure.
        dropped: SIMs that the inventory had before, and the file has not.
    """

    sims: int = 0
    repeated: int = 0
    without_status: int = 0
    without_quota: int = 0
    rounded: list[str] = field(default_factory=list)
    dropped: Dropped = field(default_factory=Dropped)


def import_inventory(
    store: "Store",
    file: "InventoryFile",
    *,
    clock: Clock,
    note: Callable[[Problem], None],
    progress: Progress,
    replace: bool = False,
) -> Imported:
    """Read a file into the store.

    The file becomes the inventory in force when every row is sound.

    Args:
        store: where; the caller holds its lease.
        file: open.
        clock: the time.
        note: called with every problem, in the file's order.
        progress: called after every thousand rows.
        replace: whether the file may leave out SIMs of the inventory in force.

    Raises: InputError, if there was a problem or no SIM, or if the SIMs are another carrier's than those of the store:
        then the inventory is what it was before.
    """
    source = file.dialect.name or ONENCE
    _refuse_other_source(store, source, replace=replace)
    now = clock.now().timestamp()
    snapshot = store.inventory.open_snapshot(API_VERSION, now, fresh=True, origin=file.name)
    try:
        importing = _Importing(store, snapshot.snapshot_id, file.name, note)
        for number, rows in enumerate(chunks(file.rows), start=1):
            importing.take(number, rows, now)
            progress("page", {"sims": len(rows), "page": number, "listed": None})
        importing.finish()
        dropped = store.inventory.dropped(snapshot.snapshot_id)
        if not replace:
            _refuse_gaps(file.name, importing.result.sims, dropped)
    except BaseException:
        store.inventory.discard_snapshot(snapshot.snapshot_id)
        raise
    store.inventory.complete_snapshot(snapshot.snapshot_id, 1, clock.now().timestamp(), source)
    importing.result.dropped = dropped
    return importing.result


def _refuse_other_source(store: "Store", source: str, *, replace: bool) -> None:
    """Refuse SIMs of another carrier than those of the store.

    Orders and words go by the carrier. A name that was written wrong can be mended until the first plan.

    Raises: InputError.
    """
    known = store.inventory.source_name()
    if source == known or not store.inventory.fingerprint():
        return
    has_plans = store.plans.newest() is not None
    if replace and not has_plans:
        return
    words = f"the SIMs of this store are {known}'s, and these are said to be {source}'s; nothing was changed"
    same = "leave --source-name out" if known == ONENCE else f'if they are the same carrier\'s: --source-name "{known}"'
    other = (
        "another carrier's SIMs belong into a store of their own: --state"
        if has_plans
        else "--state gives another carrier's SIMs a store of their own, and --replace renames this one"
    )
    raise OtherSource(words, hint=f"if they are {known}'s: {same}; else: {other}")


def listed_cutover(store: "Store", file: "InventoryFile") -> str | None:
    """Return the cutover whose SIMs a person switches off by a list.

    None where the file's carrier has an API here, or no such cutover was begun.
    """
    known = store.cutovers.known(Direction.CUTOVER) if file.dialect.is_other else {}
    return next((cutover_id for cutover_id, state in known.items() if state == PlanState.STARTED), None)


def _refuse_gaps(name: str, sims: int, dropped: Dropped) -> None:
    """Refuse a file that leaves out SIMs of the inventory.

    A part of the fleet, or the file of another customer, must not be taken for the whole fleet.

    Raises: InputError, if the inventory in force has SIMs that the file leaves out.
    """
    if dropped.sims:
        words = f"{name} has {sims} SIMs and leaves out, of the inventory in force, {dropped}; nothing was changed"
        hint = "a file stands for the whole fleet: put its parts into one. If these SIMs are gone for good: --replace"
        raise InputError(words, code="inventory_shrinks", hint=hint)


@dataclass(slots=True)
class _Importing:
    """State of an import.

    A row that is on disk is not kept in memory, except its line number if the row looks rounded.
    """

    store: "Store"
    snapshot_id: int
    name: str
    note: Callable[[Problem], None]
    result: Imported = field(default_factory=Imported)
    problems: int = 0
    rounded: "array[int]" = field(default_factory=lambda: array("Q"))
    suspects: list[tuple[Iccid, int]] = field(default_factory=list)  # the first of those lines, with their ICCIDs
    has_rounded_twice: bool = False

    def take(self, number: int, rows: list["ImportedRow"], now: float) -> None:
        """Import some rows."""
        known = self.store.inventory.listed(
            self.snapshot_id, [row.sim.iccid.key for row in rows if row.sim is not None]
        )
        places = {key: (sim, int(raw["line"])) for key, (sim, raw) in known.items()}
        new = []
        for row in rows:
            for problem in row.problems:
                self._problem(problem)
            if row.sim is not None and self._is_new(row, row.sim, places):
                new.append(SourceRow(row.raw, row.sim))
        self.store.inventory.save_pages(self.snapshot_id, 1, [SourcePage(number, new)], now)

    def _is_new(self, row: "ImportedRow", sim: SourceSim, places: dict[str, tuple[SourceSim, int]]) -> bool:
        """True if no earlier row has this SIM.

        A row with other values than the earlier row of the same SIM is a problem.
        """
        line, is_rounded = row.line, row.may_be_rounded
        if is_rounded:
            self.rounded.append(line)
            if len(self.suspects) <= MOST_SUSPECTS:
                self.suspects.append((sim.iccid, line))
        earlier, earlier_line = places.setdefault(sim.iccid.key, (sim, line))
        if earlier_line == line:
            self.result.sims += 1
            self.result.without_status += sim.status == "unknown"
            self.result.without_quota += sim.data_quota_mb is None
            return True
        if earlier == sim:
            self.result.repeated += 1
            return False
        words = f"{self.name}:{line}: SIM {sim.iccid} stands on line {earlier_line} already, with other values"
        if is_rounded:
            self.has_rounded_twice = True
            self._problem(Problem("rounded_by_spreadsheet", f"{words}, and ends in zeros", SPREADSHEET_REMEDY))
        else:
            self._problem(Problem("iccid_twice", words, "keep the line that is right"))
        return False

    def finish(self) -> None:
        """Judge the file as a whole.

        Raises: InputError, if there was any problem.
        """
        self._judge_zeros()
        if self.problems:
            problems = "1 problem" if self.problems == 1 else f"{self.problems:,} problems"
            words = f"{self.name}: {problems}; the inventory is what it was before"
            raise InputError(words, code="inventory_import")
        if not self.result.sims:
            raise InputError(
                f"{self.name} lists no SIM", code="empty_file", hint="is this the right file? Nothing was changed"
            )

    def _judge_zeros(self) -> None:
        """Judge the ICCIDs that end in zeros.

        A few such ICCIDs are by chance. Many are what a spreadsheet made of other ICCIDs.
        """
        lost: Iterable[int] = self.rounded
        if not self.has_rounded_twice and len(self.rounded) <= MOST_SUSPECTS:
            lost = self._lost()
        for line in lost:
            words = f"{self.name}:{line}: the ICCID ends in zeros from its 16th digit on, as a spreadsheet rounds it"
            self._problem(Problem("rounded_by_spreadsheet", words, ZERO_REMEDY))
        self.result.rounded = [f"{self.name}:{line}" for line in self.rounded[:MOST_SUSPECTS]]

    def _lost(self) -> list[int]:
        """Return the lines of ICCIDs whose zeros nothing confirms.

        Neither the inventory in force nor the rest of the file confirms them.
        """
        inventory, rows = self.store.inventory, self.result.sims + self.result.repeated
        known = inventory.iccids([iccid.key for iccid, _ in self.suspects])
        new = [(iccid, line) for iccid, line in self.suspects if iccid.key not in known]
        return lost_digits(new, total=rows, among=lambda keys: inventory.listed(self.snapshot_id, keys))

    def _problem(self, problem: Problem) -> None:
        self.problems += 1
        self.note(problem)
