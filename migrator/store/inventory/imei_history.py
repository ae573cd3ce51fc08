"""Every IMEI that an old SIM ever had in an inventory.

A later pull adds to the history, and takes nothing away.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, case, func, literal_column, select

from migrator.chunks import chunks
from migrator.core.fleet.imei import SeenIn
from migrator.store.database.database import Database
from migrator.store.database.rows import among, json_list
from migrator.store.database.sql import greater, insert, only_digits
from migrator.store.tables.fleet import snapshots, source_sims
from migrator.store.tables.sightings import source_imeis

__all__ = ["ImeiHistory", "body_of", "hardware_of_old", "keep_former_imeis", "keep_imeis"]

BODY = 14
"""Digits of an IMEI that name the hardware."""

_IN_FORCE: ColumnElement[str] = literal_column("'in_force'")
_LISTED = (
    select(func.max(snapshots.c.completed_at))
    .join(source_sims, source_sims.c.snapshot_id == snapshots.c.snapshot_id)
    .where(
        snapshots.c.state == _IN_FORCE,
        source_sims.c.key == source_imeis.c.source_key,
        source_sims.c.imei == source_imeis.c.imei,
    )
    .scalar_subquery()
)
"""Time of the inventory in force, if it tells that IMEI.

A pull that finds nothing new changes that time alone.
"""

_AMONG = (
    select(source_imeis, _LISTED.label("listed_at"))
    .where(among(source_imeis.c.source_key, bindparam("keys")))
    .order_by(source_imeis.c.source_key, source_imeis.c.first_seen_at, source_imeis.c.imei)
)


class ImeiHistory:
    """Reader of the history."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def of(self, keys: Iterable[str]) -> dict[str, list[SeenIn]]:
        """Return the hardware that each old SIM was ever seen in.

        The result is by key; the first hardware comes first. SIMs that were never seen in any are left out.
        """
        found: dict[str, list[SeenIn]] = {}
        for chunk in chunks(keys):
            for row in self._db.rows(_AMONG, keys=json_list(chunk)):
                seen = SeenIn(row.imei, row.first_seen_at, max(row.last_seen_at, row.listed_at or 0.0))
                found.setdefault(row.source_key, []).append(seen)
        return found


def keep_former_imeis(connection: Connection, snapshot_id: int, which: ColumnElement[bool]) -> None:
    """Note when IMEIs were last told by the inventory in force.

    To be called before its rows go. Pulls that found nothing new have left that out.
    """
    completed_at = connection.scalar(select(snapshots.c.completed_at).where(snapshots.c.snapshot_id == snapshot_id))
    keep_imeis(connection, snapshot_id, completed_at or 0.0, which)


def keep_imeis(connection: Connection, snapshot_id: int, now: float, which: ColumnElement[bool] | None = None) -> None:
    """Add the IMEIs of a snapshot that comes into force.

    One statement, within the caller's transaction.

    Args:
        connection: with a transaction.
        snapshot_id: whose rows count.
        now: UTC seconds.
        which: SQL for the rows of `source_sims`; None for all.
    """
    sim = source_sims.c
    seen_at: ColumnElement[float] = literal_column(repr(float(now)))
    is_asked = [] if which is None else [which]
    listed = (
        select(sim.key, sim.imei, seen_at, seen_at)
        .where(sim.snapshot_id == snapshot_id, sim.imei.is_not(None), sim.imei != "", *is_asked)
        .order_by(sim.key)
    )
    statement = insert(source_imeis).from_select([column.name for column in source_imeis.c], listed)
    last = greater(source_imeis.c.last_seen_at, statement.excluded.last_seen_at)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["source_key", "imei"], set_={"last_seen_at": last})
    )


def hardware_of_old() -> Select[Any]:
    """Select all hardware that old SIMs were ever seen in.

    The columns are `body`, `source_key`, `imei` and `first_at`. The first hardware that is known of an old SIM has no
    `first_at`: since when the SIM was in it, nobody knows.
    """
    seen, every = source_imeis.c, source_imeis.alias("every").c
    body, is_one = body_of(seen.imei)
    of_several = select(seen.source_key).group_by(seen.source_key).having(func.count() > 1)
    first = select(func.min(every.first_seen_at)).where(every.source_key == seen.source_key, body_of(every.imei)[1])
    later = func.nullif(func.min(seen.first_seen_at), first.scalar_subquery())
    listed = select(
        body.label("body"),
        seen.source_key,
        func.min(seen.imei).label("imei"),
        case((seen.source_key.in_(of_several), later)).label("first_at"),  # of most SIMs one IMEI is known
    )
    return listed.where(is_one).group_by(body, seen.source_key)


def body_of(imei: ColumnElement[str]) -> tuple[ColumnElement[str], ColumnElement[bool]]:
    """Return the 14 digits that name hardware, and their validity.

    The validity is true if there are such digits, as `core.fleet.imei` reads an IMEI.
    """
    digits = func.rtrim(func.replace(imei, " ", ""), "fF")
    is_one = func.length(digits).between(BODY, BODY + 2) & only_digits(digits)
    return func.substr(digits, 1, BODY), is_one
