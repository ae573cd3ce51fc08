"""Transfer of an account from one database to another, table by table."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, Table, delete, insert, select

from migrator.chunks import PAGE
from migrator.errors import InputError
from migrator.store.database.database import Database
from migrator.store.database.schema import prepare
from migrator.store.database.sql import DriverSql
from migrator.store.database.sqlite import SqliteDatabase, create_file
from migrator.store.moved import MARK_NAME
from migrator.store.tables import METADATA
from migrator.store.tables.fleet import meta
from migrator.store.tables.plans import lease

__all__ = ["Ending", "copied_tables", "fill", "into_file", "rows_of", "transfer"]

_ROWS = 5 * PAGE
_OWN = frozenset({"writes", MARK_NAME})
"""Facts that a database keeps for itself."""

Ending = Callable[[Connection, Connection], None]
"""Last act within the transactions that read and write."""


def transfer(source: Database, target: Database, ending: Ending | None = None) -> None:
    """Copy every row of an account, as it is at one moment.

    Nobody holds the copy. The target has the tables already, and what is in them is lost.
    """
    with source.read() as reading, target.write(is_fenced=False) as writing:
        for table in reversed(METADATA.sorted_tables):
            gone = delete(table)
            writing.execute(gone.where(meta.c.name.not_in(_OWN)) if table is meta else gone)
        fill(reading, target, writing)
        if ending is not None:
            ending(reading, writing)


def fill(reading: Connection, target: Database, writing: Connection) -> None:
    """Copy every row into empty tables, within two open transactions."""
    for table in copied_tables():
        _copy(table, reading, target, writing)
    target.count_on(writing)


def copied_tables() -> Iterator[Table]:
    """Yield the tables that are copied: all but the lease."""
    yield from (table for table in METADATA.sorted_tables if table is not lease)


def rows_of(table: Table) -> Select[Any]:
    """Select the rows that are copied, in the same order everywhere."""
    wanted = select(table).order_by(*table.primary_key)
    if table is meta:
        wanted = wanted.where(meta.c.name.not_in(_OWN))
    return wanted.execution_options(yield_per=_ROWS)


def into_file(source: Database, target: Path, ending: Ending | None = None) -> None:
    """Copy an account into a new private SQLite file.

    Raises: StoreError, InputError.
    """
    if not create_file(target):
        raise InputError(f"{target} exists already", code="file_exists", hint="name another file, or remove it")
    try:
        with closing(SqliteDatabase(target, durable=False)) as copy:
            prepare(copy, now=0.0)
            transfer(source, copy, ending)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _copy(table: Table, reading: Connection, target: Database, writing: Connection) -> None:
    names = [column.name for column in table.c]
    put = DriverSql(insert(table).values(dict.fromkeys(names)), names)
    with reading.execute(rows_of(table)) as rows:
        for part in rows.partitions():
            target.put(writing, put, [tuple(row) for row in part])
