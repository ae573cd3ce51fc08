"""Which target SIMs a read is still after: in a temporary table, so that a fleet of any size takes no memory."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count

from sqlalchemy import Column, Integer, MetaData, Table, Text, bindparam, delete, func, insert, select
from sqlalchemy.schema import CreateTable

from migrator.core.identifiers import Iccid
from migrator.store.engine import Database, Query, driver_sql
from migrator.store.rows import PAGE, among, by_page, chunks, json_list

__all__ = ["SqlSearch"]

_sought = Table(
    "sought",
    MetaData(),
    Column("search", Integer, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("iccid", Text, nullable=False),
    prefixes=["TEMPORARY"],
    sqlite_with_rowid=False,
)
_numbers = count(1)  # searches may overlap
_NAMES = tuple(column.name for column in _sought.c)
_INSERT = driver_sql(insert(_sought).prefix_with("OR IGNORE").values(dict.fromkeys(_NAMES)), _NAMES)
_mine = _sought.c.search == bindparam("search")
_DROP = driver_sql(delete(_sought).where(_mine, _sought.c.key == bindparam("key")))
_AMONG = Query(select(_sought.c.key, _sought.c.iccid).where(_mine, among(_sought.c.key, bindparam("keys"))))
_NEXT = Query(
    select(_sought.c.key, _sought.c.iccid)
    .where(_mine, _sought.c.key > bindparam("after"))
    .order_by(_sought.c.key)
    .limit(PAGE)
)


class SqlSearch:
    """Fulfils `ports.Search`. Its rows are this connection's own, and no other process waits for them."""

    def __init__(self, database: Database, iccids: Iterable[Iccid]) -> None:
        self._db = database
        self._number = next(_numbers)
        with database.read() as connection:
            connection.execute(CreateTable(_sought, if_not_exists=True))
        for chunk in chunks(iccids):
            with database.read() as connection:
                rows = [(self._number, iccid.key, iccid.digits) for iccid in chunk]
                connection.exec_driver_sql(_INSERT, rows)
        with database.read() as connection:
            mine = select(func.count()).select_from(_sought).where(_sought.c.search == self._number)
            self._left = int(connection.execute(mine).scalar_one())

    def __len__(self) -> int:
        return self._left

    def among(self, keys: Sequence[str]) -> dict[str, Iccid]:
        """Those of these keys that are wanted and were not seen yet."""
        rows = self._db.tuples(_AMONG, search=self._number, keys=json_list(keys))
        return {key: Iccid(digits, key) for key, digits in rows}

    def missing(self) -> Iterator[Iccid]:
        """What was not seen yet, by key. What is dropped meanwhile may come all the same."""
        for key, digits in by_page(lambda after: self._db.tuples(_NEXT, search=self._number, after=after)):
            yield Iccid(digits, key)

    def drop(self, keys: Sequence[str]) -> None:
        """Note that some were seen, which were wanted and not seen before."""
        if keys:
            with self._db.read() as connection:
                connection.exec_driver_sql(_DROP, [(self._number, key) for key in keys])
            self._left -= len(keys)

    def close(self) -> None:
        """Forget it all."""
        with self._db.read() as connection:
            connection.execute(delete(_sought).where(_sought.c.search == self._number))
