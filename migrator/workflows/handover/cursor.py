"""Cursor of a handover on disk, and what changed since."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from migrator.core.cutover.handover_cursor import (
    BadCursor,
    CursorEntry,
    CursorHead,
    cursor_end,
    entries_from,
    entry_line,
    head_from,
    head_line,
)
from migrator.core.fleet.identifiers import Iccid
from migrator.errors import InputError, StalePlan
from migrator.inputs.files.csv_rows import text_lines
from migrator.inputs.files.text import opened_text
from migrator.reports.handover.row import HandoverRow, removed_row

__all__ = ["Cursor", "changed_since", "opened_cursor"]

ANEW = "leave --since out once: that export tells every unit, and writes a new cursor"


@contextmanager
def opened_cursor(path: Path, lineage: str) -> Iterator[Iterator[CursorEntry]]:
    """Open a cursor to read once.

    Raises: InputError, where it cannot be read, also during the reading; StalePlan, if it is of another store.
    """
    with opened_text(path) as stream:
        lines = text_lines(stream, str(path))
        try:
            head = head_from(next(lines, ""))
            if head.lineage != lineage:
                words = f"{path} is the cursor of another store (lineage {head.lineage}, this one is {lineage})"
                raise StalePlan(words, code="other_lineage", hint=f"use the store that it was made from, or {ANEW}")
            yield entries_from(lines)
        except BadCursor as error:
            raise InputError(f"{path}:{error.line}: {error}", code="bad_cursor", hint=ANEW) from None


def changed_since(
    rows: Iterable[HandoverRow], before: Iterator[CursorEntry], keep: Callable[[CursorEntry], None]
) -> Iterator[HandoverRow]:
    """Yield the rows that differ from what was told before.

    Pairs that are no more come as `removed`.

    Args:
        rows: sorted by key.
        before: sorted by key; empty for an export of all rows.
        keep: called with what the next cursor holds, row by row.
    """
    entry = next(before, None)
    for row in rows:
        while entry is not None and entry.key < row.key:
            yield _removed(entry)
            entry = next(before, None)
        was = None
        if entry is not None and entry.key == row.key:
            was, entry = entry, next(before, None)
        _keep_first_sight(row, was)
        now = CursorEntry(row.key, _digits(row), row.target, row.digest(), row.in_unit_at)
        keep(now)
        if was is None or was.digest != now.digest:
            yield row
    while entry is not None:
        yield _removed(entry)
        entry = next(before, None)


def _keep_first_sight(row: HandoverRow, was: CursorEntry | None) -> None:
    """Keep the first sight in the unit that was told before.

    The store has the last sight of each plan alone. A sight of another card does not count.
    """
    if was is None or was.in_unit_at is None or row.in_unit_at is None or was.target != row.target:
        return
    row.in_unit_at = min(was.in_unit_at, row.in_unit_at)


def _digits(row: HandoverRow) -> str:
    return str(row.old["iccid"])


def _removed(entry: CursorEntry) -> HandoverRow:
    source, target = Iccid.parse(entry.source), Iccid.parse(entry.target)
    old = {"iccid": source.body, "iccid_with_luhn": source.with_check_digit}
    new = {"iccid": target.body, "iccid_with_luhn": target.with_check_digit}
    return removed_row(entry.key, old, new, entry.target)


class Cursor:
    """Cursor while it is written."""

    def __init__(self, write: Callable[[str], object], lineage: str) -> None:
        self._write = write
        self._entries = 0
        write(head_line(CursorHead(lineage)))

    def keep(self, entry: CursorEntry) -> None:
        """Write one row."""
        self._write(entry_line(entry))
        self._entries += 1

    def end(self) -> None:
        """Write the last line."""
        self._write(cursor_end(self._entries))
