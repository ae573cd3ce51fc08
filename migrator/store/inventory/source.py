"""Carrier whose SIMs the inventory lists.

A store has the SIMs of one carrier. The name stands among the facts of the store; a store without it is 1NCE's.
"""

from sqlalchemy import Connection, delete, select

from migrator.core.fleet.sims import ONENCE
from migrator.store.database.sql import insert
from migrator.store.tables.fleet import meta

__all__ = ["keep_source", "source_kept"]

_NAME = "source"


def source_kept(connection: Connection) -> str | None:
    """Return the carrier's name; None for 1NCE."""
    return connection.scalar(select(meta.c.value).where(meta.c.name == _NAME))


def keep_source(connection: Connection, source: str) -> None:
    """Keep the carrier's name, within the caller's transaction."""
    if source == ONENCE:
        connection.execute(delete(meta).where(meta.c.name == _NAME))
        return
    put = insert(meta).values(name=_NAME, value=source)
    connection.execute(put.on_conflict_do_update(index_elements=[meta.c.name], set_={"value": put.excluded.value}))
