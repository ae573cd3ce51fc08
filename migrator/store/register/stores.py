"""Stores of accounts, read in the register's session."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from migrator.store.database.database import Database

__all__ = ["reading_store"]


@contextmanager
def reading_store(database: Database, schema: str) -> Iterator[Connection]:
    """Read the store of one account, by its schema."""
    with database.read() as connection:
        connection.execute(text(f'SET LOCAL search_path TO "{schema}"'))
        yield connection
