"""Hologram's own records of new SIMs, as they were read last."""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, select

from migrator.chunks import chunks
from migrator.store.database.database import Database
from migrator.store.database.rows import among, json_list
from migrator.store.tables.fleet import target_links

__all__ = ["TargetRecords"]

_AMONG = select(target_links.c.key, target_links.c.raw).where(
    among(target_links.c.key, bindparam("keys")), target_links.c.raw.is_not(None), target_links.c.present == 1
)


class TargetRecords:
    """Reader of the records, without PIN and PUK."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def among(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the records of some new SIMs, by their key.

        SIMs that were not seen are left out.
        """
        rows = (row for chunk in chunks(keys) for row in self._db.rows(_AMONG, keys=json_list(chunk)))
        return {row.key: json.loads(row.raw) for row in rows}
