"""A reconciliation at one moment, kept on disk.

The rows are walked once, counted, and kept for as many formats as are wanted.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from migrator.chunks import chunks
from migrator.reports.model import Reconciliation
from migrator.reports.tally import Tally

__all__ = ["Book", "bound"]

ROWS_AT_ONCE = 500
"""Rows on a line of the file.

The rows are few enough to hold in memory, and many enough that reading them is cheap.
"""
_encode = json.JSONEncoder(separators=(",", ":")).encode
_decode = json.JSONDecoder().decode


@dataclass(frozen=True, slots=True)
class Book:
    """Source from which every format is written.

    So all formats say the same, also while a run goes on.
    """

    report: Reconciliation
    tally: Tally
    _pages: TextIO

    def rows(self) -> Iterator[list[Any]]:
        """Return the rows as JSON values in the order of `COLUMNS`."""
        return chain.from_iterable(self.chunks())

    def chunks(self) -> Iterator[list[list[Any]]]:
        """Return the rows, some hundred at a time.

        Walk the rows one time after the other, never two times at once.
        """
        self._pages.seek(0)
        return map(_decode, iter(self._pages.readline, ""))

    @property
    def adds_up(self) -> bool:
        """True if the buckets sum to the inventory.

        The rows are the plan's SIMs, and the SIMs of the inventory that the plan does not hold. So the buckets sum to
        the inventory exactly when the inventory still holds every SIM of the plan.
        """
        return self.tally.total == self.report.inventory_total

    def shortfall(self) -> str:
        """Describe how buckets and inventory differ; empty if they do not."""
        if self.adds_up:
            return ""
        total, listed = self.tally.total, self.report.inventory_total
        return (
            f"the buckets hold {total:,} SIMs and the inventory {listed:,}: "
            f"{abs(total - listed):,} SIMs of the plan are not in the inventory any more"
        )


@contextmanager
def bound(report: Reconciliation, folder: Path) -> Iterator[Book]:
    """Walk the rows once, and keep them on disk.

    The rows are kept in a nameless file of `folder`, which is gone at the end.
    """
    tally = Tally()
    with tempfile.TemporaryFile("w+", dir=folder, encoding="ascii", newline="\n") as pages:
        rows = (row.values() for row in tally.counting(report.rows()))
        for chunk in chunks(rows, ROWS_AT_ONCE):
            pages.write(_encode(chunk) + "\n")
        pages.flush()
        yield Book(report, tally, pages)
