"""Port of the store for the inventory of the source fleet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import AccountLimits, SourceAccount
from migrator.core.run.results import Dropped
from migrator.ports.source import Reading, SourcePage, SourceRow

__all__ = [
    "ComparedPage",
    "Edition",
    "InventoryStore",
    "ListPass",
    "Snapshot",
]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Reading of the source fleet.

    A snapshot becomes the inventory only when it is complete.

    `passes` counts finished passes over the list; `sims` is the number of distinct SIMs kept so far.
    """

    snapshot_id: int
    passes: int
    sims: int
    resumed: bool


@dataclass(frozen=True, slots=True)
class ListPass:
    """Result of one pass over the list.

    `sims` counts distinct SIMs. `first_total` and `last_total` are the totals in the first and the last reply of the
    pass.
    """

    sims: int
    unreadable: int
    first_total: int | None
    last_total: int | None
    only_in_this_pass: int
    missing_from_this_pass: int


@dataclass(frozen=True, slots=True)
class Edition:
    """Inventory in force as of one pull.

    A pull may replace the inventory, or renew it: then its snapshot stays, and is of another time (UTC seconds).
    """

    snapshot_id: int
    completed_at: float


@dataclass(frozen=True, slots=True)
class ComparedPage:
    """Page of the list, held against the inventory in force.

    Args:
        number: of the page.
        rows: how many it has.
        same: keys of the SIMs that the inventory has as they are listed, as a JSON list: a third of the memory.
        changed: all other rows.
        total_sims, total_pages: None where the reply did not report them.
    """

    number: int
    rows: int
    same: str
    changed: Sequence[SourceRow] = ()
    total_sims: int | None = None
    total_pages: int | None = None


class InventoryStore(Protocol):
    """Store of snapshots of the source fleet.

    Each call is one committed transaction.
    """

    def open_snapshot(self, api_version: str, now: float, *, reader: SourceAccount | None = None) -> Snapshot:
        """Continue the snapshot that was not completed, or begin a new one.

        The inventory in force is left alone. What was read from another account than `reader` is not continued.
        """
        ...

    def pages_done(self, snapshot_id: int, pass_number: int) -> Mapping[int, int | None]:
        """Return the pages of this pass that are on disk.

        Each page is mapped to the number of pages in all that its reply reported.
        """
        ...

    def save_pages(self, snapshot_id: int, pass_number: int, pages: Sequence[SourcePage], now: float) -> None:
        """Keep some pages, in the order given.

        A SIM that is there already, by its canonical ICCID, is overwritten.
        """
        ...

    def comparable(self, api_version: str) -> Edition | None:
        """Return the inventory that a pull may renew.

        None for one that another API version or a file told, and while there is none.
        """
        ...

    def compare(self, base: Edition, pages: Sequence[SourcePage]) -> Sequence[ComparedPage] | None:
        """Hold pages against the inventory in force.

        None, if any row cannot be read.
        """
        ...

    def save_compared(self, snapshot_id: int, base: Edition, pages: Sequence[ComparedPage], now: float) -> None:
        """Keep compared pages as the first of the first pass."""
        ...

    def renew(self, snapshot_id: int, base: Edition, changed: Sequence[SourceRow], sims: int, now: float) -> bool:
        """Take changed rows into the inventory in force.

        The snapshot, which has no rows, is discarded.

        Returns: False, if the inventory would then have other than `sims` SIMs; then nothing is changed.
        """
        ...

    def end_pass(self, snapshot_id: int, pass_number: int) -> ListPass:
        """Note the end of a pass, and compare its SIMs.

        They are compared with the totals of the pass and with the pass before.
        """
        ...

    def without_reading(self, snapshot_id: int, limit: int) -> Sequence[Iccid]:
        """Return up to `limit` SIMs whose remaining volumes were not requested yet."""
        ...

    def count_without_reading(self, snapshot_id: int) -> int:
        """Count the SIMs that `without_reading` would return in all."""
        ...

    def save_readings(self, snapshot_id: int, readings: Sequence[Reading]) -> None:
        """Keep remaining volumes and hardware."""
        ...

    def spoiled_labels(self, snapshot_id: int) -> tuple[int, Sequence[str]]:
        """Count the SIMs whose label was not read whole.

        Returns: the number of SIMs, and the first of their ICCIDs.
        """
        ...

    def save_account_limits(self, limits: AccountLimits) -> None:
        """Keep the account's monthly caps."""
        ...

    def dropped(self, snapshot_id: int, last_pass: int = 1) -> Dropped:
        """Return SIMs of the inventory that the snapshot's last pass lacks.

        The inventory is the one in force.
        """
        ...

    def last_read_at(self, snapshot_id: int) -> float | None:
        """Return the time of a snapshot's last page (UTC seconds), or None.

        None while there is no page.
        """
        ...

    def complete_snapshot(self, snapshot_id: int, last_pass: int, now: float) -> Dropped:
        """Make this snapshot the inventory in force.

        SIMs that the last pass did not list are dropped. Both happen at once.

        Returns: the SIMs that the inventory before had, and this inventory has not.
        """
        ...
