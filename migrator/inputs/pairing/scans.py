"""Rows of a technicians' file, and those among them that count.

The rows are in a private temporary file. A unit, an old SIM or a new SIM may be scanned several times. The later scan
counts where all scans have a time. Without times, two rows that contradict each other are a problem of both.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from migrator.core.fleet.unit_facts import UnitFacts
from migrator.errors import Problem

__all__ = ["Scan", "Scans", "Superseded"]

_COLUMNS = (
    "line, source_key, source, target_key, target, eid, unit, imei, site, ticket, scanned_at, scanned_by, state, cells"
)
_SCHEMA = f"""
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    PRAGMA cache_size = -16000;
    CREATE TABLE scans ({_COLUMNS.replace("line,", "line INTEGER PRIMARY KEY,", 1)});
"""
_LIVE, _PROBLEM, _REPEATED, _SUPERSEDED, _OLDER = "live", "problem", "repeated", "superseded", "older"


class Scan(NamedTuple):
    """Row of the file, as far as it could be read."""

    line: int
    source_key: str | None
    source: str | None
    target_key: str | None
    target: str | None
    eid: str | None = None
    unit: str | None = None
    imei: str | None = None
    site: str | None = None
    ticket: str | None = None
    scanned_at: float | None = None
    scanned_by: str | None = None
    state: str = _LIVE
    cells: str = "[]"

    @property
    def is_live(self) -> bool:
        """True if nothing speaks against the row so far."""
        return self.state == _LIVE


@dataclass(frozen=True, slots=True)
class Superseded:
    """Row that a later scan replaced: `what` was scanned again."""

    scan: Scan
    by: Scan
    what: str


Note = Callable[[int, Problem], None]


class Scans:
    """Scans of one file, by line.

    SQLite deletes the file when the object goes.

    Args:
        file: its name, for origins and messages.
        note: called with the line and each problem.
    """

    def __init__(self, file: str, note: Note) -> None:
        self._file = file
        self._note = note
        self._db = sqlite3.connect("", isolation_level=None)  # the empty name: a temporary file without one
        self._db.executescript(_SCHEMA)
        self.superseded: list[Superseded] = []
        self.repeated = 0

    def put(self, rows: Iterable[Scan]) -> None:
        """Store rows."""
        marks = ", ".join("?" * len(Scan._fields))
        self._db.execute("BEGIN")
        self._db.executemany(f"INSERT INTO scans VALUES ({marks})", rows)  # noqa: S608 - question marks
        self._db.execute("COMMIT")

    def settle(self) -> None:
        """Find the rows that count, of those about one thing."""
        for column in ("source_key", "unit", "target_key", "eid"):
            self._db.execute(f"CREATE INDEX by_{column} ON scans ({column}) WHERE {column} IS NOT NULL")
        self._each("source_key", self._of_source)
        self._each("unit", self._of_unit)
        self._each("target_key", self._of_target)
        self._each("eid", self._of_chip)

    def live(self) -> Iterator[Scan]:
        """Yield the rows that count, in the file's order."""
        return self._select("state = 'live' ORDER BY line")

    def facts(self) -> Iterator[UnitFacts]:
        """Yield what the rows that count tell of their units."""
        for row in self.live():
            told = (row.unit, row.imei, row.site, row.ticket, row.scanned_at, row.scanned_by)
            if row.source_key is not None and any(fact is not None for fact in told):
                yield UnitFacts(row.source_key, *told, origin=f"{self._file}:{row.line}")

    def cells(self, line: int) -> list[str]:
        """Return the cells of a row, as read."""
        (text,) = self._db.execute("SELECT cells FROM scans WHERE line = ?", (line,)).fetchone()
        cells: list[str] = json.loads(text)
        return cells

    def mark(self, lines: Iterable[int], *, is_problem: bool) -> None:
        """Take rows out.

        The rows have a problem, or the store knows a later scan.
        """
        state = _PROBLEM if is_problem else _OLDER
        self._move((line, state) for line in lines)

    def _each(self, column: str, settle: Callable[[list[Scan]], Iterable[tuple[int, str]]]) -> None:
        """Settle each group of rows with the same value."""
        states = "state = 'live'" if column != "target_key" else "state IN ('live', 'problem')"
        doubled = (
            f"SELECT {column} FROM scans WHERE {states} AND {column} IS NOT NULL GROUP BY {column} HAVING COUNT(*) > 1"  # noqa: S608 - constants
        )
        rows = self._select(f"{states} AND {column} IN ({doubled}) ORDER BY {column}, line")
        at = Scan._fields.index(column)
        moves = [move for _, group in groupby(rows, key=lambda row: row[at]) for move in settle(list(group))]
        self._move(moves)

    def _of_source(self, rows: list[Scan]) -> Iterable[tuple[int, str]]:
        if len({row.target_key for row in rows}) > 1:
            last = _latest(rows, lambda row: row.target_key)
            if last is None:
                given = _told(rows, lambda row: f"target {row.target}")
                words = f"source {rows[0].source} has {given}"
                return self._refuse(rows, "source_twice", words, "keep the right one of the lines, or give both a time")
            return self._replace(rows, last, f"old SIM {last.source}", lambda row: row.target_key)
        return self._repeat(rows)

    def _of_unit(self, rows: list[Scan]) -> Iterable[tuple[int, str]]:
        if len({row.source_key for row in rows}) == 1:
            return ()
        last = _latest(rows, lambda row: row.source_key)
        if last is None:  # a unit may have two SIMs
            return ()
        return self._replace(rows, last, f"unit {last.unit}", lambda row: row.source_key)

    def _of_target(self, rows: list[Scan]) -> Iterable[tuple[int, str]]:
        if len({(row.source_key, row.is_live) for row in rows}) == 1 and rows[0].is_live:
            return ()
        last = _latest(rows, lambda row: row.source_key) if all(row.is_live for row in rows) else None
        if last is None:
            words = f"target {rows[0].target} is given to {_told(rows, lambda row: row.source or 'an unclear old SIM')}"
            hint = "a card is in one unit: keep the right one of the lines, or give both a time"
            return self._refuse([row for row in rows if row.is_live], "target_twice", words, hint)
        return self._replace(rows, last, f"new SIM {last.target}", lambda row: row.source_key)

    def _of_chip(self, rows: list[Scan]) -> Iterable[tuple[int, str]]:
        if len({row.target_key for row in rows}) == 1:
            return ()
        words = f"EID {rows[0].eid} is that of {_told(rows, lambda row: f'target {row.target}')}"
        return self._refuse(rows, "eid_twice", words, "a chip takes the place of one SIM: correct one of the lines")

    def _repeat(self, rows: Sequence[Scan]) -> Iterable[tuple[int, str]]:
        chips = {row.eid for row in rows if row.eid is not None}
        if len(chips) > 1:
            words = f"target {rows[0].target} has {_told(rows, lambda row: f'EID {row.eid}')}"
            return self._refuse(rows, "eid_twice", words, "keep the right one of the lines")
        kept = max(rows, key=lambda row: (row.eid is not None, row.scanned_at or 0.0, row.line))
        self.repeated += len(rows) - 1
        return [(row.line, _REPEATED) for row in rows if row is not kept]

    def _replace(
        self, rows: Sequence[Scan], last: Scan, what: str, by: Callable[[Scan], str | None]
    ) -> Iterable[tuple[int, str]]:
        replaced = [row for row in rows if by(row) != by(last)]
        self.superseded += [Superseded(row, last, what) for row in replaced]
        same = [row for row in rows if by(row) == by(last) and row.source_key == last.source_key]
        more = self._repeat(same) if len(same) > 1 and len({row.target_key for row in same}) == 1 else ()
        return [*((row.line, _SUPERSEDED) for row in replaced), *more]

    def _refuse(self, rows: Sequence[Scan], code: str, words: str, hint: str) -> Iterable[tuple[int, str]]:
        for row in rows:
            self._note(row.line, Problem(code, f"{self._file}:{row.line}: {words}", hint))
        return [(row.line, _PROBLEM) for row in rows]

    def _move(self, moves: Iterable[tuple[int, str]]) -> None:
        self._db.execute("BEGIN")
        self._db.executemany("UPDATE scans SET state = ?2 WHERE line = ?1", moves)
        self._db.execute("COMMIT")

    def _select(self, where: str) -> Iterator[Scan]:
        for row in self._db.execute(f"SELECT {_COLUMNS} FROM scans WHERE {where}"):  # noqa: S608 - constants
            yield Scan(*row)


def _latest(rows: Sequence[Scan], by: Callable[[Scan], str | None]) -> Scan | None:
    """Return the last scan; None where the times do not tell."""
    times = [row.scanned_at for row in rows if row.scanned_at is not None]
    if len(times) < len(rows):
        return None
    last = [row for row in rows if row.scanned_at == max(times)]
    return last[-1] if len({by(row) for row in last}) == 1 else None


_SHOWN = 3


def _told(rows: Sequence[Scan], say: Callable[[Scan], str]) -> str:
    words = " and ".join(f"{say(row)} on line {row.line}" for row in rows[:_SHOWN])
    return words + (f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else "")
