"""Statuses and volumes of 1NCE that this tool cannot read.

Only the SIMs in force count. Nobody knows such a status, and such a volume is no number.
"""

from typing import Any

from sqlalchemy import ColumnElement, func, select

from migrator.core.fleet.sims import SourceStatus, Unread
from migrator.store.database.database import Database
from migrator.store.database.sql import json_at
from migrator.store.inventory.snapshots import in_force
from migrator.store.tables.fleet import source_sims

__all__ = ["unread"]

MOST_WORDS = 20
VOLUMES = {"current_quota": "data_quota_mb", "current_quota_SMS": "sms_quota"}
"""Map from 1NCE's field to our column.

The column is empty where the field is no number.
"""


def unread(database: Database) -> Unread:
    """Return the unreadable words of the inventory in force."""
    sim = source_sims.c
    statuses = _words(database, sim.status_word, sim.status == SourceStatus.UNKNOWN)
    volumes = {}
    for name, column in VOLUMES.items():
        said = json_at(sim.raw, name)
        volumes[name] = _words(database, said, sim[column].is_(None), said != "")
    return Unread(statuses, {name: words for name, words in volumes.items() if words})


def _words(database: Database, word: ColumnElement[Any], *where: ColumnElement[bool]) -> dict[str, int]:
    count = func.count()
    wanted = select(word, count).where(source_sims.c.snapshot_id == in_force, *where).group_by(word)
    with database.read() as connection:
        rows = connection.execute(wanted.order_by(count.desc(), word).limit(MOST_WORDS)).all()
    return {str(word): int(sims) for word, sims in rows}
