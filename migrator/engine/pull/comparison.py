"""Comparison of a list with the inventory in force.

Most pulls find little that is new. While that is so, nothing is written: at the end, the inventory takes in the rows
that changed, and all others stay as they are.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from migrator.chunks import chunks
from migrator.ports import ComparedPage, Edition, InventoryStore, ListPass, SourcePage

__all__ = ["Comparison"]

MOST_CHANGED = 2_000
"""Rows that may have changed.

With more of them, the list becomes an inventory of its own. They are in memory until the end.
"""

PAGES_AT_ONCE = 50
"""Pages that are written down in one transaction."""


@dataclass(slots=True)
class Comparison:
    """Comparison of the first pass, page by page.

    Args:
        store: where the inventory is.
        snapshot_id: of the snapshot that the pull has opened.
        base: the inventory in force.
    """

    store: InventoryStore
    snapshot_id: int
    base: Edition
    _pages: list[ComparedPage] = field(default_factory=list, init=False)
    _changed: int = field(default=0, init=False)

    def take(self, pages: Sequence[SourcePage]) -> bool:
        """Compare some pages, in the order of arrival.

        Returns: False, if the comparison cannot go on, and none of the pages was taken: a row cannot be read, or too
            many have changed.
        """
        compared = self.store.compare(self.base, pages)
        if compared is None:
            return False
        self._changed += sum(len(page.changed) for page in compared)
        if self._changed > MOST_CHANGED:
            return False
        self._pages += compared
        return True

    def passed(self) -> ListPass:
        """Return what the pass found: every SIM for the first time."""
        totals = [page.total_sims for page in self._pages if page.total_sims is not None]
        keys = {hash(key) for page in self._pages for key in json.loads(page.same)}
        keys |= {hash(row.sim.iccid.key) for page in self._pages for row in page.changed if row.sim is not None}
        return ListPass(
            sims=len(keys),
            unreadable=0,
            first_total=totals[0] if totals else None,
            last_total=totals[-1] if totals else None,
            only_in_this_pass=len(keys),
            missing_from_this_pass=0,
        )

    def renew(self, sims: int, now: float) -> bool:
        """Take what changed into the inventory in force.

        Args:
            sims: how many SIMs the list has.
            now: UTC seconds.

        Returns: False, if SIMs are gone, or some changed and are listed more than once; then nothing is changed.
        """
        changed = [row for page in self._pages for row in page.changed]
        if changed and sims != sum(page.rows for page in self._pages):
            return False
        return self.store.renew(self.snapshot_id, self.base, changed, sims, now)

    def write_down(self, now: float) -> None:
        """Write all pages into the snapshot, as if nothing were known.

        Some are one transaction: nobody else waits for long, and what is written stays.
        """
        for some in chunks(self._pages, PAGES_AT_ONCE):
            self.store.save_compared(self.snapshot_id, self.base, some, now)
