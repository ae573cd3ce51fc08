"""Rows of a pairing file so far, in a private temporary file.

A million rows then take no memory.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Literal

from migrator.core.fleet.identifiers import Eid, Iccid
from migrator.core.fleet.sims import Pair, PairValues

__all__ = ["Seen"]

By = Literal["source_key", "target_key", "eid"]

_SCHEMA = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    PRAGMA cache_size = -16000;
    CREATE TABLE seen (
        line INTEGER PRIMARY KEY, source_key TEXT, source TEXT, target_key TEXT, target TEXT, eid TEXT, is_new INTEGER
    );
    CREATE INDEX by_source ON seen (source_key);
    CREATE INDEX by_target ON seen (target_key);
    CREATE INDEX by_eid ON seen (eid) WHERE eid IS NOT NULL;
"""
_COLUMNS = "line, source_key, source, target_key, target, eid"


class Seen:
    """Pairs by line, found again by source, target or EID.

    SQLite deletes the file when the object goes.

    Args:
        file: the pairing file's name, for the pairs' origin.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._db = sqlite3.connect("", isolation_level=None)  # the empty name: a temporary file without one
        self._db.executescript(_SCHEMA)

    def put(self, rows: Iterable[tuple[int, Pair, bool]]) -> None:
        """Store pairs with their lines.

        Each row also says whether the pair is to be written.
        """
        self._db.execute("BEGIN")
        self._db.executemany("INSERT INTO seen VALUES (?, ?, ?, ?, ?, ?, ?)", (_values(*row) for row in rows))
        self._db.execute("COMMIT")

    def by(self, column: By, values: Sequence[str]) -> dict[str, Pair]:
        """Return the first pair for each value.

        At most some hundred values can be asked for at a time. Values without a pair are left out.
        """
        marks = ",".join("?" * len(values))
        # the text holds a name from `By` and question marks
        wanted = f"SELECT {column}, {_COLUMNS} FROM seen WHERE {column} IN ({marks}) ORDER BY {column}, line"  # noqa: S608
        found = self._db.execute(wanted, values).fetchall()
        return {key: self._pair(*next(rows)[1:]) for key, rows in groupby(found, key=lambda row: row[0])}

    def new(self) -> Iterator[Pair]:
        """Read the pairs to be written, in the file's order.

        The pairs may be read again.
        """
        for row in self._db.execute(f"SELECT {_COLUMNS} FROM seen WHERE is_new ORDER BY line"):  # noqa: S608 - constant
            yield self._pair(*row)

    def new_values(self) -> Iterator[PairValues]:
        """Read the pairs to be written as plain values.

        Source key and ICCID, target key and ICCID, origin, EID.
        """
        wanted = (
            "SELECT source_key, source, target_key, target, ? || ':' || line, eid FROM seen WHERE is_new ORDER BY line"
        )
        return self._db.execute(wanted, (self._file,))

    def leave_out(self, lines: Iterable[int]) -> None:
        """Take rows out of those to be written."""
        self._db.execute("BEGIN")
        self._db.executemany("UPDATE seen SET is_new = 0 WHERE line = ?", ((line,) for line in lines))
        self._db.execute("COMMIT")

    def _pair(self, line: int, source_key: str, source: str, target_key: str, target: str, eid: str | None) -> Pair:  # noqa: PLR0917 - a row
        chip = None if eid is None else Eid(eid)
        return Pair(Iccid(source, source_key), Iccid(target, target_key), f"{self._file}:{line}", chip)


def _values(line: int, pair: Pair, is_new: bool) -> tuple[int, str, str, str, str, str | None, bool]:  # noqa: FBT001 - a row
    eid = None if pair.eid is None else pair.eid.digits
    return line, pair.source.key, pair.source.digits, pair.target.key, pair.target.digits, eid, is_new
