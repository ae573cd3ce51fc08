"""Old SIMs by other names than their ICCID, and their hardware.

The names are looked up in temporary tables, so that a file of a million rows asks an index.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Index, Table, bindparam, delete, func, select
from sqlalchemy.schema import CreateIndex, CreateTable

from migrator.chunks import chunks
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.imei import hardware
from migrator.ports import Edition
from migrator.store.database.database import Database
from migrator.store.database.rows import among, json_list, temporary_table
from migrator.store.database.sql import insert
from migrator.store.inventory.snapshots import edition_of, in_force
from migrator.store.tables.fleet import source_sims, target_links
from migrator.store.tables.types import Text

__all__ = ["Named", "SimNames"]


class Named(NamedTuple):
    """Old SIMs of one name: their number, the first, the last."""

    sims: int
    first: Iccid
    last: Iccid


_sim = source_sims.c


def _number(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.ltrim(func.replace(column, " ", ""), "+0")


class _By(NamedTuple):
    """Way to compare a name: as stored, and as written."""

    stored: ColumnElement[Any]
    written: Callable[[str], str | None]


_BY: Mapping[str, _By] = {
    "label": _By(func.trim(_sim.label), str.strip),
    "imsi": _By(func.replace(_sim.imsi, " ", ""), lambda text: "".join(text.split())),
    "msisdn": _By(_number(_sim.msisdn), lambda text: "".join(text.split()).lstrip("+0")),
    "ip_address": _By(func.trim(_sim.ip_address), str.strip),
    "imei": _By(func.substr(func.replace(_sim.imei, " ", ""), 1, 14), hardware),
}


def _table(field: str) -> Table:
    table = temporary_table(f"old_by_{field}", Column("value", Text), Column("key", Text), Column("iccid", Text))
    Index(f"ix_old_by_{field}", table.c.value)
    return table


_TABLES = {field: _table(field) for field in _BY}


class SimNames:
    """Names of the old SIMs in the inventory in force."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._filled: dict[str, Edition | None] = {}

    def named(self, field: str, values: Iterable[str]) -> dict[str, Named]:
        """Return the old SIMs that have some value, by value.

        Args:
            field: "label", "imsi", "msisdn", "ip_address" or "imei". An IMEI is compared by its 14 digits of hardware,
                and a filler names nobody.
            values: as a person wrote them. A value that names no SIM is left out.
        """
        asked = {value: key for value in values if (key := _BY[field].written(value))}
        table = self._table(field)
        wanted = select(
            table.c.value,
            func.count().label("sims"),
            func.min(table.c.key).label("key"),
            func.min(table.c.iccid).label("first"),
            func.max(table.c.iccid).label("last"),
        )
        wanted = wanted.where(among(table.c.value, bindparam("keys"))).group_by(table.c.value)
        found: dict[str, Named] = {}
        for chunk in chunks(set(asked.values())):
            for row in self._db.rows(wanted, keys=json_list(chunk)):
                first = Iccid(row.first, row.key) if row.sims == 1 else Iccid.parse(row.first)
                found[row.value] = Named(row.sims, first, Iccid.parse(row.last))
        return {value: found[key] for value, key in asked.items() if key in found}

    def old_imeis(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the hardware that old SIMs were seen in, by key."""
        wanted = select(_sim.key, _sim.imei).where(_sim.snapshot_id == in_force, _sim.imei.is_not(None))
        return self._imeis(wanted.where(among(_sim.key, bindparam("keys"))), keys)

    def new_imeis(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the hardware that new SIMs were last seen in, by key."""
        link = target_links.c
        wanted = select(link.key, link.imei).where(link.imei.is_not(None), among(link.key, bindparam("keys")))
        return self._imeis(wanted, keys)

    def _imeis(self, wanted: Any, keys: Iterable[str]) -> dict[str, str]:
        rows = (row for chunk in chunks(keys) for row in self._db.rows(wanted, keys=json_list(chunk)))
        return {row.key: row.imei for row in rows}

    def _table(self, field: str) -> Table:
        """Return the table of a field, filled from the inventory in force."""
        table, stored = _TABLES[field], _BY[field].stored
        with self._db.read() as connection:  # the temporary table keeps nobody out of the store
            edition = edition_of(connection)
            if field in self._filled and self._filled[field] == edition:
                return table
            connection.execute(CreateTable(table, if_not_exists=True))
            connection.execute(CreateIndex(next(iter(table.indexes)), if_not_exists=True))
            connection.execute(delete(table))
            sims = select(stored, _sim.key, _sim.iccid).where(_sim.snapshot_id == in_force, stored != "")
            connection.execute(insert(table).from_select(["value", "key", "iccid"], sims))
        self._filled[field] = edition
        return table
