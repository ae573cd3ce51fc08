"""Inventory in force, from which plans are made."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import bindparam, func, select

from migrator.chunks import PAGE, chunks
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import ONENCE, AccountLimits, SourceAccount, SourceSim, ToldVolumes, Unread
from migrator.errors import StoreBusy
from migrator.ports import Edition
from migrator.store.database.database import Database
from migrator.store.database.rows import (
    SIM_COLUMNS,
    AnyRow,
    among,
    by_page,
    decimal_from,
    in_iccid_order,
    is_later,
    json_list,
    sim_from,
)
from migrator.store.database.sql import Query
from migrator.store.inventory.snapshots import Snapshots, SnapshotState, edition_of, in_force
from migrator.store.inventory.source import account_kept, source_kept
from migrator.store.inventory.unread import unread
from migrator.store.tables.fleet import account_limits, snapshots, source_sims, unreadable_rows

__all__ = ["Inventory"]

_OF_SNAPSHOT = (
    select(*SIM_COLUMNS).where(source_sims.c.snapshot_id == bindparam("snapshot_id")).order_by(source_sims.c.key)
)
_NEXT_SIMS = _OF_SNAPSHOT.where(is_later(source_sims.c.key)).limit(PAGE)
_ICCIDS_AMONG = Query(
    select(source_sims.c.key, source_sims.c.iccid).where(
        source_sims.c.snapshot_id == in_force, among(source_sims.c.key, bindparam("keys"))
    )
)
_SIMS_AMONG = _OF_SNAPSHOT.where(among(source_sims.c.key, bindparam("keys")))


class Inventory(Snapshots):
    """Reading half of the inventory; `Snapshots` is the writing half.

    Nothing here waits, and no iterator holds a transaction.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._db = database

    def edition(self) -> Edition | None:
        """Return which inventory is in force, and of what time; or None."""
        with self._db.read() as connection:
            return edition_of(connection)

    def source_name(self) -> str:
        """Return the name of the carrier whose SIMs these are."""
        with self._db.read() as connection:
            return source_kept(connection) or ONENCE

    def source_account(self) -> SourceAccount:
        """Return the carrier whose SIMs these are, and the account."""
        with self._db.read() as connection:
            return account_kept(connection)

    def sims(self, where_keys: Iterable[str] | None = None) -> Iterator[SourceSim]:
        """Yield the SIMs of the inventory, sorted by ICCID as text.

        Args:
            where_keys: only these SIMs, by key; keys that the inventory does not hold are passed over.

        Raises: StoreBusy, if another command replaced the inventory meanwhile: what came so far is not the whole.
        """
        edition = self.edition()
        if edition is None:
            return
        rows = self._all(edition.snapshot_id) if where_keys is None else self._some(edition.snapshot_id, where_keys)
        yield from map(sim_from, in_iccid_order(rows))
        self.must_be_in_force(edition)

    def _all(self, snapshot_id: int) -> Iterator[AnyRow]:
        return by_page(lambda after: self._db.rows(_NEXT_SIMS, snapshot_id=snapshot_id, after=after))

    def _some(self, snapshot_id: int, keys: Iterable[str]) -> Iterator[AnyRow]:
        for chunk in chunks(sorted(set(keys))):
            yield from self._db.rows(_SIMS_AMONG, snapshot_id=snapshot_id, keys=json_list(chunk))

    def iccids(self, keys: Iterable[str]) -> dict[str, Iccid]:
        """Return the ICCIDs of those keys that the inventory holds.

        Each ICCID is as 1NCE lists it.
        """
        found = (row for chunk in chunks(keys) for row in self._db.tuples(_ICCIDS_AMONG, keys=json_list(chunk)))
        return {key: Iccid(digits, key) for key, digits in found}

    def keys_by_label(self, labels: Iterable[str]) -> dict[str, list[str]]:
        """Return the keys of the SIMs with some labels, by label."""
        sim, found = source_sims.c, dict[str, list[str]]()
        wanted = select(sim.label, sim.key).where(sim.snapshot_id == in_force, among(sim.label, bindparam("labels")))
        for chunk in chunks(labels):
            for row in self._db.rows(wanted, labels=json_list(chunk)):
                found.setdefault(row.label, []).append(row.key)
        return found

    def must_be_in_force(self, edition: Edition) -> None:
        """Refuse to go on if the inventory was replaced or renewed since.

        Raises: StoreBusy.
        """
        if self.edition() != edition:
            raise StoreBusy(
                "another command replaced the inventory while it was read", hint="run the same command again"
            )

    def listed(self, snapshot_id: int, keys: Iterable[str]) -> dict[str, tuple[SourceSim, dict[str, Any]]]:
        """Return those SIMs that a snapshot holds already, by key.

        Each SIM comes with its raw record. The snapshot may be an open one.
        """
        wanted = _SIMS_AMONG.add_columns(source_sims.c.raw)
        rows = (
            row
            for chunk in chunks(keys)
            for row in self._db.rows(wanted, snapshot_id=snapshot_id, keys=json_list(chunk))
        )
        return {row[0]: (sim_from(row[:-1]), json.loads(row[-1])) for row in rows}

    def find(self, iccid: Iccid) -> SourceSim | None:
        """Return the SIM of this ICCID, or None.

        The ICCID may be with or without its check digit. None if the inventory does not hold the SIM.
        """
        return next(self.sims([iccid.key]), None)

    def raw(self, iccid: Iccid) -> dict[str, Any] | None:
        """Return the carrier's own record of a SIM, or None.

        The record is without PIN and PUK. None if the inventory does not hold the SIM.
        """
        sim = source_sims.c
        with self._db.read() as connection:
            text = connection.scalar(select(sim.raw).where(sim.snapshot_id == in_force, sim.key == iccid.key))
        return None if text is None else json.loads(text)

    def unreadable(self) -> Iterator[tuple[str, Any]]:
        """Yield the listed rows that could not be read as SIMs.

        Each row comes as the problem in words, and the carrier's own record.
        """
        row = unreadable_rows.c
        wanted = select(row.problem, row.raw).where(row.snapshot_id == in_force).order_by(row.page, row.position)
        with self._db.read() as connection:
            found = connection.execute(wanted).all()
        yield from ((problem, json.loads(raw)) for problem, raw in found)

    def unread(self) -> Unread:
        """Return the statuses and volumes of 1NCE that cannot be read."""
        return unread(self._db)

    def told_volumes(self) -> ToldVolumes:
        """Return the kinds of volumes that some SIM in force has.

        All are counted in one pass: to look for the first SIM of a kind that none has goes through all of them.
        """
        sim = source_sims.c
        booked = (sim.data_quota_mb, sim.data_remaining_mb, sim.sms_quota, sim.sms_remaining)
        some = (func.count(column) for column in (*booked, sim.data_limit_bytes, sim.tags))
        with self._db.read() as connection:
            return ToldVolumes(*map(bool, connection.execute(select(*some).where(sim.snapshot_id == in_force)).one()))

    def account_limits(self) -> AccountLimits | None:
        """Return the account's monthly caps; None if never read."""
        limit = account_limits.c
        with self._db.read() as connection:
            row = connection.execute(select(limit.data_mb, limit.sms_mo)).one_or_none()
        if row is None:
            return None
        return AccountLimits(data_mb=decimal_from(row.data_mb), sms_mo=decimal_from(row.sms_mo))

    def fingerprint(self) -> str:
        """Return the fingerprint of the inventory in force.

        The text is empty while there is no such inventory.
        """
        with self._db.read() as connection:
            return connection.scalar(select(snapshots.c.fingerprint).where(snapshots.c.snapshot_id == in_force)) or ""

    def summary(self) -> dict[str, Any]:
        """Return a summary of the inventory, as JSON values.

        `count`, `statuses` (by our word), `snapshot_id`, `taken_at` (UTC seconds), `api_version`, `origin` (the file of
        an import, else None), `source` (the carrier), `fingerprint`, `quotas` (`data` and `sms`, each with the number
        of SIMs by reading), `unreadable`, and `open`: a pull that was not completed.
        """
        with self._db.read() as connection:
            current = connection.execute(select(snapshots).where(snapshots.c.snapshot_id == in_force)).one_or_none()
            source = source_kept(connection) or ONENCE
            pending = connection.execute(select(snapshots).where(snapshots.c.state == SnapshotState.OPEN)).one_or_none()
            sim = source_sims.c
            counted = connection.execute(
                select(sim.status, sim.data_reading, sim.sms_reading, func.count().label("sims"))
                .where(sim.snapshot_id == in_force)
                .group_by(sim.status, sim.data_reading, sim.sms_reading)
            ).all()
        return {
            "count": sum(row.sims for row in counted),
            "statuses": _totals(counted, 0),
            "snapshot_id": current.snapshot_id if current else None,
            "taken_at": current.completed_at if current else None,
            "api_version": current.api_version if current else None,
            "origin": current.origin if current else None,
            "fingerprint": current.fingerprint if current else "",
            "source": source,
            "quotas": {"data": _totals(counted, 1), "sms": _totals(counted, 2)},
            "unreadable": current.unreadable if current else 0,
            "open": {"api_version": pending.api_version, "started_at": pending.started_at} if pending else None,
        }


def _totals(counted: Iterable[AnyRow], column: int) -> dict[str, int]:
    """Count SIMs by the value of one column, sorted by value."""
    totals: dict[str, int] = {}
    for row in sorted(counted, key=lambda row: str(row[column])):
        totals[row[column]] = totals.get(row[column], 0) + row.sims
    return totals
