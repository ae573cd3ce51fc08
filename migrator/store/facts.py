"""Single facts of a store, each by its name."""

from typing import Any

from sqlalchemy import Connection, Select, delete, select

from migrator.store.database.sql import insert
from migrator.store.tables.fleet import meta

__all__ = ["fact", "fact_named", "keep_fact"]


def fact_named(name: str) -> Select[Any]:
    """Select the value of a fact; no row without one."""
    return select(meta.c.value).where(meta.c.name == name)


def fact(connection: Connection, name: str) -> str | None:
    """Return the value of a fact, or None."""
    value: str | None = connection.scalar(fact_named(name))
    return value


def keep_fact(connection: Connection, name: str, value: str | None) -> None:
    """Keep a fact in place of the former one.

    The value None forgets the fact.
    """
    if value is None:
        connection.execute(delete(meta).where(meta.c.name == name))
        return
    put = insert(meta).values(name=name, value=value)
    connection.execute(put.on_conflict_do_update(index_elements=[meta.c.name], set_={"value": put.excluded.value}))
