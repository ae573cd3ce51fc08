"""Transfer of an account from one database to another, table by table."""

from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, Table, delete, insert, select

from migrator.chunks import PAGE
from migrator.errors import InputError
from migrator.store.database.database import Database
from migrator.store.database.schema import prepare
from migrator.store.database.sql import DriverSql
from migrator.store.database.sqlite import SqliteDatabase, create_file
from migrator.store.tables import METADATA
from migrator.store.tables.fleet import meta
from migrator.store.tables.plans import lease

__all__ = ["into_file", "transfer"]

_ROWS = 5 * PAGE
_OWN = frozenset({"writes"})
"""Facts that a database keeps for itself."""


def transfer(source: Database, target: Database) -> None:
    """Copy every row of an account, as it is at one moment.

    Nobody holds the copy. The target has the tables already, and what is in them is lost.
    """
    with source.read() as reading, target.write(is_fenced=False) as writing:
        for table in reversed(METADATA.sorted_tables):
            gone = delete(table)
            writing.execute(gone.where(meta.c.name.not_in(_OWN)) if table is meta else gone)
        for table in METADATA.sorted_tables:
            if table is not lease:
                _copy(table, reading, target, writing)
        target.count_on(writing)


def into_file(source: Database, target: Path) -> None:
    """Copy an account into a new private SQLite file.

    Raises: StoreError, InputError.
    """
    if not create_file(target):
        raise InputError(f"{target} exists already", code="file_exists", hint="name another file, or remove it")
    try:
        with closing(SqliteDatabase(target, durable=False)) as copy:
            prepare(copy, now=0.0)
            transfer(source, copy)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _copy(table: Table, reading: Connection, target: Database, writing: Connection) -> None:
    names = [column.name for column in table.c]
    put = DriverSql(insert(table).values(dict.fromkeys(names)), names)
    wanted = select(table).order_by(*table.primary_key)
    if table is meta:
        wanted = wanted.where(meta.c.name.not_in(_OWN))
    with reading.execute(wanted.execution_options(yield_per=_ROWS)) as rows:
        for part in rows.partitions():
            target.put(writing, put, [tuple(row) for row in part])
