"""Facts about units in the field, by old SIM."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Column, Connection, Float, bindparam, delete, func, or_, select
from sqlalchemy.schema import CreateTable

from migrator.chunks import chunks
from migrator.core.fleet.sims import SourceSim
from migrator.core.fleet.unit_facts import UnitFacts
from migrator.store.database.database import Database, insert_many
from migrator.store.database.documents import document_text
from migrator.store.database.rows import among, json_list, temporary_table
from migrator.store.database.sql import DriverSql, changed_rows, insert
from migrator.store.log import note
from migrator.store.tables.fleet import unit_facts
from migrator.store.tables.types import Text

__all__ = ["UnitFactsTable", "facts_from", "keep_facts"]

_incoming = temporary_table(  # what one call brings
    "incoming_facts",
    *(
        Column(column.name, Float if isinstance(column.type, Float) else Text, primary_key=column.primary_key)
        for column in unit_facts.c
    ),
)
_NAMES = tuple(column.name for column in unit_facts.c)
_TOLD = ("unit", "imei", "site", "ticket", "scanned_at", "scanned_by")
"""Columns with the facts themselves."""


def _upsert() -> DriverSql:
    statement = insert(_incoming).values(dict.fromkeys(_NAMES))
    others = {name: statement.excluded[name] for name in _NAMES[1:]}
    return DriverSql(statement.on_conflict_do_update(index_elements=["source_key"], set_=others), _NAMES)


_INSERT = _upsert()
_AMONG = select(unit_facts).where(among(unit_facts.c.source_key, bindparam("keys"))).order_by("source_key")
_OF_UNITS = select(unit_facts).where(among(unit_facts.c.unit, bindparam("keys"))).order_by("source_key")


class UnitFactsTable:
    """Facts of the store, one row for each old SIM."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, rows: Iterable[UnitFacts], now: float) -> int:
        """Keep facts about some units.

        A fact that a row lacks stays as it is: a file without a column removes nothing. Of two rows about one SIM the
        later one counts.

        Args:
            rows: may be longer than memory.
            now: UTC seconds.

        Returns: the number of SIMs whose facts are other ones now.
        """
        with self._db.write() as connection:
            return keep_facts(connection, rows, now)

    def by_source_keys(self, keys: Iterable[str]) -> dict[str, UnitFacts]:
        """Return the facts about some old SIMs, by source key.

        SIMs without facts are left out.
        """
        rows = (row for chunk in chunks(keys) for row in self._db.rows(_AMONG, keys=json_list(chunk)))
        return {facts.source_key: facts for facts in map(facts_from, rows)}

    def by_units(self, units: Iterable[str]) -> dict[str, list[UnitFacts]]:
        """Return the facts about some units, by the unit's name.

        Units without facts are left out.
        """
        found: dict[str, list[UnitFacts]] = {}
        for chunk in chunks(units):
            for facts in map(facts_from, self._db.rows(_OF_UNITS, keys=json_list(chunk))):
                found.setdefault(facts.unit or "", []).append(facts)
        return found

    def of_sims(self, sims: Iterable[SourceSim]) -> Iterator[SourceSim]:
        """Yield SIMs with the facts of their units."""
        if not self.count():
            yield from sims
            return
        for chunk in chunks(sims):
            found = self.by_source_keys([sim.iccid.key for sim in chunk])
            yield from (replace(sim, facts=found.get(sim.iccid.key)) for sim in chunk)

    def count(self) -> int:
        """Count the old SIMs that have facts."""
        with self._db.read() as connection:
            return connection.scalar(select(func.count()).select_from(unit_facts)) or 0


def facts_from(row: Sequence[Any]) -> UnitFacts:
    """Return the facts of a row of the table."""
    return UnitFacts(*row)


def keep_facts(connection: Connection, rows: Iterable[UnitFacts], now: float) -> int:
    """Keep facts about some units, within the caller's transaction.

    See `UnitFactsTable.put`.
    """
    _take_in(connection, rows, now)
    new, had = _incoming.c, unit_facts.c
    told = {name: func.coalesce(new[name], had[name]) for name in _TOLD}
    merged = (
        select(new.source_key, *told.values(), new.origin, new.noted_at)
        .join_from(_incoming, unit_facts, had.source_key == new.source_key, isouter=True)
        .where(or_(*(value.is_distinct_from(had[name]) for name, value in told.items())))
        .order_by(new.source_key)
    )
    digest = _digest(connection.execute(merged))
    statement = insert(unit_facts).from_select(list(_NAMES), merged)
    others = {name: statement.excluded[name] for name in _NAMES[1:]}
    upsert = statement.on_conflict_do_update(index_elements=["source_key"], set_=others)
    changed = changed_rows(connection.execute(upsert))
    connection.execute(delete(_incoming))
    if changed:
        note(connection, now, "unit_facts.changed", None, {"sims": changed, "sha256": digest})
    return changed


def _digest(rows: Iterable[Sequence[Any]]) -> str:
    """Return a SHA-256 over facts.

    The log names no person and no place.
    """
    digest = hashlib.sha256()
    for row in rows:
        digest.update(document_text(list(row[:-1])).encode())
    return digest.hexdigest()


def _take_in(connection: Connection, rows: Iterable[UnitFacts], now: float) -> None:
    connection.execute(CreateTable(_incoming, if_not_exists=True))
    connection.execute(delete(_incoming))
    for chunk in chunks(rows):
        insert_many(connection, _INSERT, [_values(facts, now) for facts in chunk])


def _values(facts: UnitFacts, now: float) -> tuple[Any, ...]:
    return (
        facts.source_key,
        facts.unit,
        facts.imei,
        facts.site,
        facts.ticket,
        facts.scanned_at,
        facts.scanned_by,
        facts.origin,
        now,
    )
