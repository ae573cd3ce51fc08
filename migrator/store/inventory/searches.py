"""Searches: target SIMs that a read has still to find.

The SIMs are in a temporary table, so that a fleet of any size takes no memory.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count

from sqlalchemy import Column, bindparam, delete, func, literal, select, update
from sqlalchemy.schema import CreateTable

from migrator.chunks import PAGE, chunks
from migrator.core.fleet.identifiers import Iccid
from migrator.store.database.database import Database
from migrator.store.database.rows import among, by_page, is_later, json_list, temporary_table
from migrator.store.database.sql import DriverSql, Insert, Query, insert
from migrator.store.inventory.snapshots import in_force
from migrator.store.tables.fleet import pairs, source_sims, target_links
from migrator.store.tables.types import Integer, Text

__all__ = ["SqlSearch"]

_sought = temporary_table(
    "sought",
    Column("search", Integer, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("iccid", Text, nullable=False),
)
_numbers = count(1)  # searches may overlap
_NAMES = tuple(column.name for column in _sought.c)
_INSERT = DriverSql(insert(_sought).values(dict.fromkeys(_NAMES)).on_conflict_do_nothing(), _NAMES)
_paired = select(bindparam("search"), pairs.c.target_key, pairs.c.target_iccid).where(
    pairs.c.source_key.in_(select(source_sims.c.key).where(source_sims.c.snapshot_id == in_force))
)
_INSERT_PAIRED = insert(_sought).from_select(list(_NAMES), _paired)
_mine = _sought.c.search == bindparam("search")
_DROP = DriverSql(delete(_sought).where(_mine, _sought.c.key == bindparam("key")))
_AMONG = Query(select(_sought.c.key, _sought.c.iccid).where(_mine, among(_sought.c.key, bindparam("keys"))))
_NEXT = Query(
    select(_sought.c.key, _sought.c.iccid).where(_mine, is_later(_sought.c.key)).order_by(_sought.c.key).limit(PAGE)
)
_NEXT_KNOWN = Query(
    select(_sought.c.key, _sought.c.iccid)
    .join_from(_sought, target_links, target_links.c.key == _sought.c.key)
    .where(_mine, is_later(_sought.c.key), is_later(target_links.c.key), target_links.c.device_id.is_not(None))
    .order_by(_sought.c.key)
    .limit(PAGE)
)
_wanted = select(_sought.c.key).where(_mine)
_later = (target_links.c.read_at > bindparam("now"), target_links.c.key.in_(_wanted))
_SEEN_LATER = select(target_links.c.key).where(*_later).limit(1)
_FORGET_LATER = update(target_links).where(*_later).values(read_at=0.0)
_ABSENT_A_COMMIT = 10 * PAGE
_some = (
    select(_sought.c.key)
    .where(_mine, is_later(_sought.c.key))
    .order_by(_sought.c.key)
    .limit(_ABSENT_A_COMMIT)
    .subquery()
)
_LAST_OF_SOME = select(func.max(_some.c.key))


def _note_absent() -> Insert:
    """Return an upsert of links that were not found.

    The upsert covers the keys from one key to another that were searched for and not seen. A link that was seen later
    than the search stays as it is.
    """
    unseen = select(_sought.c.key, _sought.c.iccid, literal(0), bindparam("now")).where(
        _mine, is_later(_sought.c.key), _sought.c.key <= bindparam("upto")
    )
    statement = insert(target_links).from_select(["key", "iccid", "present", "read_at"], unseen)
    values = {column.name: statement.excluded[column.name] for column in target_links.c if not column.primary_key}
    is_newer = statement.excluded.read_at >= target_links.c.read_at
    return statement.on_conflict_do_update(index_elements=["key"], set_=values, where=is_newer)


_NOTE_ABSENT = _note_absent()


class SqlSearch:
    """Search for target SIMs; fulfils `ports.Search`.

    The rows of the search belong to this connection, and no other process waits for these rows.
    """

    def __init__(self, database: Database, iccids: Iterable[Iccid] | None) -> None:
        """Note the wanted SIMs.

        If `iccids` is None, these are the targets of every pair whose source is in the inventory in force.
        """
        self._db = database
        self._number = next(_numbers)
        with database.read() as connection:
            connection.execute(CreateTable(_sought, if_not_exists=True))
            if iccids is None:
                connection.execute(_INSERT_PAIRED, {"search": self._number})
        self._left: int | None = None  # not counted yet
        self.add(iccids or ())

    def add(self, iccids: Iterable[Iccid]) -> None:
        """Search for these SIMs, too.

        Call this before any SIM was seen.
        """
        self._left = None
        for chunk in chunks(iccids):
            with self._db.read() as connection:
                rows = [(self._number, iccid.key, iccid.digits) for iccid in chunk]
                _INSERT.run(connection, rows)

    def __len__(self) -> int:
        if self._left is None:
            mine = select(func.count()).select_from(_sought).where(_sought.c.search == self._number)
            with self._db.read() as connection:
                self._left = int(connection.execute(mine).scalar_one())
            self._db.learn(self._left, _sought)  # it is counted once all are there
        return self._left

    def forget_later_looks(self, now: float) -> None:
        """Treat reads of these SIMs with a future time as old.

        Such a read was noted for a later time than `now` (UTC seconds): the clock was set since, or another process
        goes by another clock. Such reads would stand in the way of every fresh read, and would pass for fresh reads
        themselves.
        """
        values = {"search": self._number, "now": now}
        with self._db.read() as connection:
            if connection.execute(_SEEN_LATER, values).first() is None:
                return
        with self._db.write() as connection:
            connection.execute(_FORGET_LATER, values)

    def among(self, keys: Sequence[str]) -> dict[str, Iccid]:
        """Return the SIMs of `keys` that are wanted and not seen yet."""
        rows = self._db.tuples(_AMONG, search=self._number, keys=json_list(keys))
        return {key: Iccid(digits, key) for key, digits in rows}

    def missing(self) -> Iterator[Iccid]:
        """Yield the SIMs that were not seen yet, by key.

        A SIM that is dropped meanwhile may come all the same.
        """
        for key, digits in by_page(lambda after: self._db.tuples(_NEXT, search=self._number, after=after)):
            yield Iccid(digits, key)

    def missing_devices(self) -> Iterator[Iccid]:
        """Return missing SIMs that were a device at the last read."""
        for key, digits in by_page(lambda after: self._db.tuples(_NEXT_KNOWN, search=self._number, after=after)):
            yield Iccid(digits, key)

    def drop(self, keys: Sequence[str]) -> None:
        """Note that these SIMs, wanted and not seen before, were seen."""
        if keys:
            left = len(self) - len(keys)
            with self._db.read() as connection:
                _DROP.run(connection, [(self._number, key) for key in keys])
            self._left = left

    def note_absent(self, *, now: float) -> None:
        """Note in the journal that all remaining SIMs were not seen.

        The SIMs were searched for, and not seen as of `now` (UTC seconds).
        """
        after = ""
        while True:
            with self._db.write(durable=False) as connection:  # it can be read again
                upto = connection.scalar(_LAST_OF_SOME, {"search": self._number, "after": after})
                if upto is None:
                    return
                values = {"search": self._number, "after": after, "upto": upto, "now": now}
                connection.execute(_NOTE_ABSENT, values)
            after = upto

    def close(self) -> None:
        """Forget this search."""
        with self._db.read() as connection:
            connection.execute(delete(_sought).where(_sought.c.search == self._number))
