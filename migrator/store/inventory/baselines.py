"""Each old SIM as it was first seen, frozen.

A later pull adds SIMs that are new, and changes nothing of the others.
"""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, bindparam, func, literal_column, select

from migrator.chunks import chunks
from migrator.core.campaign.baseline import Baseline
from migrator.store.database.database import Database
from migrator.store.database.rows import among, json_list
from migrator.store.database.sql import insert
from migrator.store.tables.fleet import source_sims
from migrator.store.tables.sightings import baselines

__all__ = ["Baselines", "keep_baselines"]

_AMONG = select(baselines).where(among(baselines.c.source_key, bindparam("keys")))


class Baselines:
    """Reader of the baselines."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def of(self, keys: Iterable[str]) -> dict[str, Baseline]:
        """Return the baselines of some old SIMs, by key."""
        return {
            row.source_key: Baseline(row.status, row.label, row.imei, row.seen_at, is_first=bool(row.is_first))
            for chunk in chunks(keys)
            for row in self._db.rows(_AMONG, keys=json_list(chunk))
        }


def keep_baselines(
    connection: Connection, snapshot_id: int, now: float, which: ColumnElement[bool] | None = None
) -> None:
    """Freeze the SIMs of a snapshot that nobody saw before.

    One statement, within the caller's transaction. `now` is in UTC seconds. `which` is SQL for the rows of
    `source_sims`; None for all.
    """
    sim = source_sims.c
    seen_at: ColumnElement[float] = literal_column(repr(float(now)))
    is_first: ColumnElement[int] = literal_column("1")
    listed = (
        select(sim.key, sim.status, sim.label, func.nullif(sim.imei, ""), seen_at, is_first)
        .where(sim.snapshot_id == snapshot_id, *([] if which is None else [which]))
        .order_by(sim.key)
    )
    statement = insert(baselines).from_select([column.name for column in baselines.c], listed)
    connection.execute(statement.on_conflict_do_nothing())
