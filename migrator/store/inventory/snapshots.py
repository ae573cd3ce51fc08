"""Snapshots of the source fleet, from first page to inventory in force.

Pages are saved as they come, and passes are compared. At the end, the snapshot replaces the inventory in force. Where
a list says little that is new, the inventory takes that in instead, and the snapshot stays empty.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    delete,
    func,
    literal,
    literal_column,
    select,
    update,
)

from migrator.chunks import PAGE
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import AccountLimits, SourceAccount
from migrator.core.fleet.spelling import UNREAD
from migrator.core.run.results import Dropped
from migrator.errors import StoreError
from migrator.ports import ComparedPage, Edition, ListPass, Reading, Snapshot, SourcePage, SourceRow
from migrator.store.database.database import Database
from migrator.store.database.rows import decimal_text
from migrator.store.database.sql import DriverSql, greater, holds, insert, new_number
from migrator.store.inventory.baselines import keep_baselines
from migrator.store.inventory.imei_history import keep_former_imeis, keep_imeis
from migrator.store.inventory.known_rows import FIRST, compare_pages, those_of, write_compared
from migrator.store.inventory.snapshot_rows import (
    count_unreadable,
    fingerprint,
    save_page_rows,
    save_record,
    save_remaining,
    save_sims,
    save_unreadable,
    told_totals,
)
from migrator.store.inventory.source import (
    account_kept,
    keep_pulled,
    keep_reader,
    keep_source,
    reader_kept,
    source_kept,
)
from migrator.store.log import note
from migrator.store.tables.fleet import account_limits, pairs, snapshot_pages, snapshots, source_sims, unreadable_rows
from migrator.store.tables.sightings import baselines, source_imeis

__all__ = ["SnapshotState", "Snapshots", "edition_of", "in_force"]

NAMED = 3
"""Number of SIMs that a report names by their ICCID."""

DROPPED_AT_ONCE = 30 * PAGE
"""Rows that nobody needs any more, in one transaction."""


class SnapshotState(StrEnum):
    """State of a snapshot: what the snapshot is good for."""

    OPEN = "open"  # being read; nobody plans from it
    IN_FORCE = "in_force"  # the inventory
    REPLACED = "replaced"  # a newer one is in force; only this row is left of it
    DISCARDED = "discarded"  # never completed, and not to be gone on with


in_force = select(snapshots.c.snapshot_id).where(snapshots.c.state == SnapshotState.IN_FORCE).scalar_subquery()
"""Id of the snapshot in force; NULL while there is none."""


def edition_of(connection: Connection, *which: ColumnElement[bool]) -> Edition | None:
    """Return which inventory is in force, or None.

    `which` is SQL for what else must be true of it.
    """
    wanted = select(snapshots.c.snapshot_id, snapshots.c.completed_at)
    row = connection.execute(wanted.where(snapshots.c.state == SnapshotState.IN_FORCE, *which)).one_or_none()
    return None if row is None else Edition(*row)


_STATE = DriverSql(select(snapshots.c.state).where(snapshots.c.snapshot_id == bindparam("snapshot_id")))


class Snapshots:
    """Writing half of the inventory.

    Each method is one transaction, unless its docstring says otherwise.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def open_snapshot(
        self,
        api_version: str,
        now: float,
        *,
        reader: SourceAccount | None = None,
        fresh: bool = False,
        origin: str | None = None,
    ) -> Snapshot:
        """Continue the snapshot that was not completed, or begin one.

        The inventory in force is left alone. A snapshot that was begun from another API version or account, or from a
        file, is discarded: its SIMs are no evidence here.

        Args:
            api_version: where the SIMs come from.
            reader: the carrier and account that a pull reads; they come into force with the snapshot.
            fresh: begin anew in any case, as an import from a file must.
            origin: the file, for an import.
        """
        with self._db.write() as connection:
            row = connection.execute(select(snapshots).where(snapshots.c.state == SnapshotState.OPEN)).one_or_none()
            if reader is not None:
                fresh = fresh or reader_kept(connection) not in {None, reader}
                keep_reader(connection, reader)
            if row is not None and row.api_version == api_version and not fresh:
                sims = connection.scalar(_count(row.snapshot_id)) or 0
                return Snapshot(row.snapshot_id, row.passes, sims, resumed=True)
            if row is not None:
                _set_state(connection, row.snapshot_id, SnapshotState.DISCARDED)
            values = {
                "api_version": api_version,
                "state": SnapshotState.OPEN,
                "passes": 0,
                "started_at": now,
                "origin": origin,
            }
            snapshot_id = new_number(connection.execute(insert(snapshots).values(values)))
        self._drop_rows()
        return Snapshot(snapshot_id, passes=0, sims=0, resumed=False)

    def pages_done(self, snapshot_id: int, pass_number: int) -> Mapping[int, int | None]:
        """Return the pages that this pass has on disk.

        Each page comes with the number of pages in all that its reply reported.
        """
        page = snapshot_pages.c
        wanted = select(page.page, page.total_pages).where(
            page.snapshot_id == snapshot_id, page.pass_number == pass_number
        )
        with self._db.read() as connection:
            return {row.page: row.total_pages for row in connection.execute(wanted)}

    def save_pages(self, snapshot_id: int, pass_number: int, pages: Sequence[SourcePage], now: float) -> None:
        """Keep some pages of a pass, in the order given.

        A SIM that is there already is overwritten, by its canonical ICCID.

        Raises: StoreError, if the snapshot is no longer open.
        """
        with self._db.write(durable=False) as connection:
            _must_be_open(connection, snapshot_id)
            save_page_rows(connection, snapshot_id, pass_number, pages, now)
            for page in pages:
                save_unreadable(connection, snapshot_id, pass_number, page)
            rows = (row for page in pages for row in page.rows)
            save_sims(connection, snapshot_id, pass_number, rows)

    def comparable(self, api_version: str) -> Edition | None:
        """Return the inventory that a pull may renew.

        None for one that another API version or a file told, and while there is none.
        """
        one = snapshots.c
        is_alike = (one.api_version == api_version) & one.origin.is_(None) & (one.unreadable == 0)
        with self._db.read() as connection:
            return edition_of(connection, is_alike)

    def compare(self, base: Edition, pages: Sequence[SourcePage]) -> Sequence[ComparedPage] | None:
        """Hold pages against the inventory in force.

        None, if any row cannot be read.
        """
        return compare_pages(self._db, base.snapshot_id, pages)

    def save_compared(self, snapshot_id: int, base: Edition, pages: Sequence[ComparedPage], now: float) -> None:
        """Keep compared pages as the first of the first pass.

        Raises: StoreError, if the snapshot is no longer open, or the inventory was replaced or renewed since.
        """
        with self._db.write(durable=False) as connection:
            _must_be_open(connection, snapshot_id)
            _must_be_edition(connection, base)
            write_compared(connection, base.snapshot_id, snapshot_id, pages, now)

    def renew(self, snapshot_id: int, base: Edition, changed: Sequence[SourceRow], sims: int, now: float) -> bool:
        """Take changed rows into the inventory in force.

        Its other rows stay, and are of now. The snapshot, which has no rows, is discarded.

        Args:
            snapshot_id: of an open snapshot.
            base: the inventory in force.
            changed: rows of SIMs that are new or told otherwise, each SIM once.
            sims: how many SIMs were listed, each counted once.
            now: UTC seconds.

        Returns: False, if the inventory would then have other than `sims` SIMs, as some are gone; then nothing is
            changed.
        Raises: StoreError, as `save_compared` does.
        """
        with self._db.write() as connection:
            _must_be_open(connection, snapshot_id)
            _must_be_edition(connection, base)
            base_id, those = base.snapshot_id, those_of(changed)
            of_base = source_sims.c.snapshot_id == base_id
            known = connection.scalar(_counted(of_base)) or 0
            kept = sum(connection.scalar(_counted(of_base & some)) or 0 for some in those)
            if known + len(changed) - kept != sims:
                return False
            _set_state(connection, snapshot_id, SnapshotState.DISCARDED)
            values: dict[str, Any] = {"completed_at": now, "sims": sims}
            if changed:
                for some in those:
                    keep_former_imeis(connection, base_id, some)
                    connection.execute(delete(source_sims).where(of_base, some))
                save_sims(connection, base_id, FIRST, changed)
                for some in those:
                    keep_imeis(connection, base_id, now, some)
                    keep_baselines(connection, base_id, now, some)
                values["fingerprint"] = fingerprint(connection, base_id)
            connection.execute(update(snapshots).where(snapshots.c.snapshot_id == base_id).values(values))
            keep_pulled(connection)
            _note_inventory(connection, base_id, now, "inventory.renewed", changed=len(changed))
        return True

    def end_pass(self, snapshot_id: int, pass_number: int) -> ListPass:
        """Note that a pass is over, and compare its SIMs.

        The pass is compared with its own totals and with the pass before. Before the first pass there is nothing: all
        SIMs of the first pass count as SIMs that only this pass has.
        """
        sim = source_sims.c
        here = sim.last_pass == pass_number
        of_each = (here, here & (sim.prior_pass == pass_number - 1), sim.last_pass == pass_number - 1)
        wanted = select(*(func.count().filter(those) for those in of_each)).where(sim.snapshot_id == snapshot_id)
        with self._db.write() as connection:
            _must_be_open(connection, snapshot_id)
            sims, known_before, gone = map(int, connection.execute(wanted).one())
            first_total, last_total = told_totals(connection, snapshot_id, pass_number)
            connection.execute(
                update(snapshots)
                .where(snapshots.c.snapshot_id == snapshot_id)
                .values(passes=greater(snapshots.c.passes, literal(pass_number)))
            )
            return ListPass(
                sims=sims,
                unreadable=count_unreadable(connection, snapshot_id, pass_number),
                first_total=first_total,
                last_total=last_total,
                only_in_this_pass=sims - known_before,
                missing_from_this_pass=gone,
            )

    def without_reading(self, snapshot_id: int, limit: int) -> Sequence[Iccid]:
        """Return up to `limit` SIMs whose remaining volumes were not requested.

        The volumes of neither service were requested yet.
        """
        sim = source_sims.c
        wanted = select(sim.iccid, sim.key).where(_unasked(snapshot_id)).order_by(sim.key).limit(limit)
        with self._db.read() as connection:
            return [Iccid(digits, key) for digits, key in connection.execute(wanted)]

    def count_without_reading(self, snapshot_id: int) -> int:
        """Count the SIMs that `without_reading` would return in all."""
        with self._db.read() as connection:
            return connection.scalar(_counted(_unasked(snapshot_id))) or 0

    def save_readings(self, snapshot_id: int, readings: Sequence[Reading]) -> None:
        """Keep remaining volumes, with the raw replies, and hardware.

        A service that was not asked about is left as it was.
        """
        with self._db.write(durable=False) as connection:
            for reading in readings:
                if reading.sim is not None:
                    save_record(connection, snapshot_id, reading.sim)
                for service, remaining in (("data", reading.data), ("sms", reading.sms)):
                    if remaining is not None:
                        save_remaining(connection, snapshot_id, reading.iccid, service, remaining)

    def spoiled_labels(self, snapshot_id: int) -> tuple[int, Sequence[str]]:
        """Count the SIMs with a label that was not read whole.

        Returns: the count, and the first ICCIDs of these SIMs.
        """
        sim = source_sims.c
        spoiled = (sim.snapshot_id == snapshot_id) & holds(sim.label, UNREAD)
        with self._db.read() as connection:
            count = connection.scalar(_counted(spoiled)) or 0
            if not count:
                return 0, ()
            return count, connection.scalars(select(sim.iccid).where(spoiled).order_by(sim.key).limit(NAMED)).all()

    def save_account_limits(self, limits: AccountLimits) -> None:
        """Keep the account's monthly caps."""
        values = {"data_mb": decimal_text(limits.data_mb), "sms_mo": decimal_text(limits.sms_mo)}
        statement = insert(account_limits).values(one=1, **values)
        with self._db.write() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["one"], set_=values))

    def discard_snapshot(self, snapshot_id: int) -> None:
        """Drop an open snapshot that will not be continued.

        Runs in transactions of its own.
        """
        with self._db.write() as connection:
            _must_be_open(connection, snapshot_id)
            _set_state(connection, snapshot_id, SnapshotState.DISCARDED)
        self._drop_rows()

    def dropped(self, snapshot_id: int, last_pass: int = 1) -> Dropped:
        """Return the SIMs that would be lost with this snapshot.

        These SIMs are in the inventory in force, but not in the last pass of this snapshot.
        """
        with self._db.read() as connection:
            return _dropped(connection, snapshot_id, last_pass)

    def last_read_at(self, snapshot_id: int) -> float | None:
        """Return the time of a snapshot's last page (UTC seconds), or None."""
        page = snapshot_pages.c
        with self._db.read() as connection:
            newest: float | None = connection.scalar(
                select(func.max(page.saved_at)).where(page.snapshot_id == snapshot_id)
            )
        return newest

    def complete_snapshot(self, snapshot_id: int, last_pass: int, now: float, source: str | None = None) -> Dropped:
        """Make a snapshot the inventory in force.

        SIMs that the last pass did not list are dropped in the same transaction. The IMEIs of the others are added to
        their history, and SIMs that are new get their baseline. The rows of the inventory before are dropped
        afterwards, in transactions of their own; its summary stays.

        Args:
            snapshot_id: of an open snapshot.
            last_pass: the pass that counts.
            now: UTC seconds.
            source: the carrier whose SIMs they are, from now on; None for the one that the pull has read.

        Returns: the SIMs that the inventory before had, and this inventory has not.
        """
        with self._db.write() as connection:
            _must_be_open(connection, snapshot_id)
            _keep_only(connection, snapshot_id, last_pass)
            dropped, sims = _dropped(connection, snapshot_id), connection.scalar(_count(snapshot_id)) or 0
            if (former_id := connection.scalar(select(in_force))) is not None:
                keep_former_imeis(connection, former_id, ~_told_again(snapshot_id))
            connection.execute(
                update(snapshots)
                .where(snapshots.c.state == SnapshotState.IN_FORCE)
                .values(state=SnapshotState.REPLACED)
            )
            connection.execute(
                update(snapshots)
                .where(snapshots.c.snapshot_id == snapshot_id)
                .values(
                    state=SnapshotState.IN_FORCE,
                    completed_at=now,
                    sims=sims,
                    unreadable=count_unreadable(connection, snapshot_id, last_pass),
                    fingerprint=fingerprint(connection, snapshot_id),
                )
            )
            keep_imeis(connection, snapshot_id, now)
            keep_baselines(connection, snapshot_id, now)
            if source is None:
                keep_pulled(connection)
            else:
                keep_source(connection, source)
            _note_inventory(connection, snapshot_id, now, "inventory.completed")
        self._drop_rows()
        self._db.learn(sims, source_sims, source_imeis, baselines)
        return dropped

    def _drop_rows(self) -> None:
        """Drop the rows of snapshots that nobody needs.

        Some ten thousand rows are dropped at a time. May be cut short.
        """
        gone = (SnapshotState.REPLACED, SnapshotState.DISCARDED)
        for table in (source_sims, unreadable_rows, snapshot_pages):
            rows = select(table.c.snapshot_id).where(table.c.snapshot_id == snapshots.c.snapshot_id).exists()
            with self._db.read() as connection:
                unneeded = connection.scalars(select(snapshots.c.snapshot_id).where(snapshots.c.state.in_(gone), rows))
                snapshot_ids = unneeded.all()
            for snapshot_id in snapshot_ids:
                self._db.drop_rows(table, snapshot_id, DROPPED_AT_ONCE)


def _unasked(snapshot_id: int) -> ColumnElement[bool]:
    """Return SQL for the SIMs of a snapshot that nobody asked about.

    The words are those of the partial index.
    """
    sim = source_sims.c
    nothing_read = (sim.data_reading == literal_column("'not_read'")) & (
        sim.sms_reading == literal_column("'not_read'")
    )
    return (sim.snapshot_id == snapshot_id) & nothing_read


def _counted(which: ColumnElement[bool]) -> Select[Any]:
    return select(func.count()).select_from(source_sims).where(which)


def _count(snapshot_id: int) -> Select[Any]:
    return _counted(source_sims.c.snapshot_id == snapshot_id)


def _dropped(connection: Connection, snapshot_id: int, last_pass: int | None = None) -> Dropped:
    """Return what the inventory in force has, and this snapshot has not.

    `last_pass` is the pass that counts; None where the snapshot has no SIMs of another one.
    """
    old, new = source_sims.alias().c, source_sims.alias().c
    is_here = new.snapshot_id == snapshot_id
    if last_pass is not None:
        is_here &= new.last_pass == last_pass
    stays = select(new.key).where(is_here, new.key == old.key).exists()
    is_paired = select(pairs.c.source_key).where(pairs.c.source_key == old.key).exists()
    gone = (old.snapshot_id == in_force) & ~stays
    sims = connection.scalar(select(func.count(old.key)).where(gone)) or 0
    if not sims:
        return Dropped()
    paired = connection.scalar(select(func.count(old.key)).where(gone & is_paired)) or 0
    first = connection.scalars(select(old.iccid).where(gone).order_by(old.key).limit(NAMED))
    return Dropped(sims, paired, tuple(first), connection.scalar(_counted(source_sims.c.snapshot_id == in_force)) or 0)


def _told_again(snapshot_id: int) -> ColumnElement[bool]:
    """Return SQL for the SIMs whose IMEI a snapshot tells, too."""
    new = source_sims.alias().c
    is_alike = (new.key == source_sims.c.key) & (new.imei == source_sims.c.imei)
    return select(new.key).where(new.snapshot_id == snapshot_id, is_alike).exists()


def _set_state(connection: Connection, snapshot_id: int, state: SnapshotState) -> None:
    connection.execute(update(snapshots).where(snapshots.c.snapshot_id == snapshot_id).values(state=state))


def _note_inventory(connection: Connection, snapshot_id: int, now: float, event: str, **counts: int) -> None:
    """Log the origin of the inventory.

    The origin is the source's API by its version, or the file of an import.
    """
    row = connection.execute(select(snapshots).where(snapshots.c.snapshot_id == snapshot_id)).one()
    told = {name: getattr(row, name) for name in ("api_version", "origin", "sims", "unreadable", "fingerprint")}
    source, account = source_kept(connection), account_kept(connection).account
    told |= {} if source is None else {"source": source}
    told |= {} if account is None or row.origin is not None else {"account": account}
    note(connection, now, event, None, {"snapshot_id": snapshot_id, **told, **counts})


def _keep_only(connection: Connection, snapshot_id: int, last_pass: int) -> None:
    sim, bad = source_sims.c, unreadable_rows.c
    connection.execute(delete(source_sims).where(sim.snapshot_id == snapshot_id, sim.last_pass != last_pass))
    of_others = (bad.snapshot_id == snapshot_id) & (bad.pass_number != last_pass)
    connection.execute(delete(unreadable_rows).where(of_others))


def _must_be_edition(connection: Connection, base: Edition) -> None:
    if edition_of(connection) != base:
        raise _closed(f"inventory {base.snapshot_id} was replaced or renewed: another command read the list")


def _must_be_open(connection: Connection, snapshot_id: int) -> None:
    state = _STATE.run(connection, (snapshot_id,)).scalar()
    if state != SnapshotState.OPEN:
        raise _closed(
            f"snapshot {snapshot_id} is {state or 'not there'}: another command completed it or began a new one"
        )


def _closed(words: str) -> StoreError:
    return StoreError(words, code="snapshot_closed", hint="run `inventory pull` again, one at a time")
