"""State store: inventory, pairs, plans, journal and lease of one account."""

import tempfile
import uuid
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, tzinfo
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import delete, func, insert, select, true

from migrator.core.campaign.forecast import Day
from migrator.core.campaign.idle import IdleMoney, idle_money
from migrator.core.run.control import Signs
from migrator.core.run.states import PlanState
from migrator.store.audit import Audit
from migrator.store.campaigns.campaigns import Campaigns
from migrator.store.campaigns.cards import Cards
from migrator.store.campaigns.days import Days
from migrator.store.campaigns.done import Done
from migrator.store.campaigns.due import Due
from migrator.store.campaigns.lives import Lives
from migrator.store.campaigns.outbox import Outbox
from migrator.store.campaigns.plan_rows import AllPlans
from migrator.store.campaigns.ticks import Ticks
from migrator.store.control.given import GivenBounds
from migrator.store.control.glance import Glance
from migrator.store.control.lease import Lease, Owner, raise_fence
from migrator.store.control.orders import Steering
from migrator.store.control.signs import read_signs
from migrator.store.control.whereabouts import born_on
from migrator.store.corrections import Corrections
from migrator.store.cutovers.cutovers import Cutovers
from migrator.store.cutovers.field_notes import SqlFieldNotes
from migrator.store.cutovers.handover import HandoverUnits
from migrator.store.cutovers.sim_story import SimStory
from migrator.store.database.database import BUSY_TIMEOUT_S, Database
from migrator.store.database.faults import file_trouble
from migrator.store.database.one_file import StoreFile
from migrator.store.database.presence import Presence
from migrator.store.database.schema import migrations_folder, must_be_current, prepare, revision, revisions
from migrator.store.database.sqlite import SqliteDatabase
from migrator.store.facts import fact
from migrator.store.inventory.baselines import Baselines
from migrator.store.inventory.imei_history import ImeiHistory
from migrator.store.inventory.inventory import Inventory
from migrator.store.inventory.target_records import TargetRecords
from migrator.store.inventory.unit_facts import UnitFactsTable
from migrator.store.journal.expectations import Expectations
from migrator.store.journal.journal import SqlJournal
from migrator.store.journal.proofs import Proofs
from migrator.store.journal.reporting import Reporting
from migrator.store.journal.retry_skip import Interventions
from migrator.store.journal.waiting import Stuck, stuck_sims
from migrator.store.moved import must_be_here
from migrator.store.moving import Moved, move
from migrator.store.opening import opened
from migrator.store.pairs.discovery import Discovery
from migrator.store.pairs.finder import Finder
from migrator.store.pairs.pairs import Pairs
from migrator.store.pairs.sim_names import SimNames
from migrator.store.plans.approvals import Approvals
from migrator.store.plans.draft import Draft
from migrator.store.plans.looks import Looks
from migrator.store.plans.lookup import is_cutover, is_migration
from migrator.store.plans.plans import Plans
from migrator.store.plans.stock import Stock
from migrator.store.tables import fleet as tables
from migrator.store.tables import plans as plan_tables

__all__ = ["Discovery", "Draft", "Moved", "Owner", "PlanState", "Store", "held_by"]


class Store:
    """Open state store, for use in one thread.

    Close the store after use: `with Store.open(url, now=now) as store`.
    """

    def __init__(self, database: Database, closing: ExitStack) -> None:
        self._db = database
        self._closing = closing
        self.lineage = self._fact("lineage")
        self.inventory = Inventory(database)
        self.baselines = Baselines(database)
        self.imeis = ImeiHistory(database)
        self.pairs = Pairs(database)
        self.stock = Stock(database)
        self.unit_facts = UnitFactsTable(database)
        self.sim_names = SimNames(database)
        self.corrections = Corrections(database)
        self.target_records = TargetRecords(database)
        self.finder = Finder(database)
        self.story = SimStory(database)
        self.plans = Plans(database)
        self.approvals = Approvals(database)
        self.looks = Looks(database)
        self.journal = SqlJournal(database)
        self.proofs = Proofs(database)
        self.audit = Audit(database)
        self.reporting = Reporting(database)
        self.expectations = Expectations(database)
        self.cutovers = Cutovers(database)
        self.lives = Lives(database)
        self.cards = Cards(database)
        self.days = Days(database)
        self.all_plans = AllPlans(database)
        self.handover = HandoverUnits(database)
        self.glance = Glance(database)
        self.lease = Lease(database)
        self.presence = Presence(database)
        self.steering = Steering(database)
        self.given = GivenBounds(database)
        self.interventions = Interventions(database)
        self.outbox = Outbox(database)
        self.campaigns = Campaigns(database)
        self.ticks = Ticks(database)
        self.due = Due(database)
        self.done = Done(database)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        now: float,
        account: str | None = None,
        create: bool = True,
        upgrade: bool | None = None,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        to_move: bool = False,
    ) -> Self:
        """Open a store, and make or upgrade the store where needed.

        Args:
            url: `sqlite:///path`, or `postgresql://user@host:port/database`.
            now: UTC seconds.
            account: name of the account in PostgreSQL; None for a file, which is one account.
            create: False to refuse a store that does not exist.
            upgrade: False to refuse a store of an older schema. True to upgrade it, also in PostgreSQL, where others
                may be at work on it: they write nothing more then. None to upgrade a file alone.
            busy_timeout_s: how long to wait for another process that writes.
            to_move: True to open a store that moves, or moved: to go on with that.

        Raises: InputError (wrong address, no such file or folder, not a store, a file with several names, no account,
            a store that was moved), StoreBusy, StoreLost, StoreError.
        """
        with ExitStack() as closing:
            database = opened(url, account, create=create, busy_timeout_s=busy_timeout_s)
            closing.callback(database.close)
            prepare(
                database,
                now=now,
                upgrade=upgrade,
                upgraded=None if database.is_upgraded_by_opening else raise_fence,
            )
            if not to_move:
                _must_be_here(database)
            _note_birth(database, now)
            return cls(database, closing.pop_all())

    @classmethod
    def look(cls, url: str, *, account: str | None = None, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Self:
        """Open a store for reading alone.

        Nothing is made, upgraded or written, and nothing can be.

        Args:
            url: as for `open`.
            account: as for `open`.
            busy_timeout_s: how long to wait where another process repairs the file.

        Raises: InputError, as `open`; StoreError, for a store of another schema, or one that cannot be read.
        """
        with ExitStack() as closing:
            database = opened(url, account, create=False, busy_timeout_s=busy_timeout_s, writable=False)
            closing.callback(database.close)
            must_be_current(database)
            _must_be_here(database)
            return cls(database, closing.pop_all())

    @property
    def place(self) -> str:
        """Place of the store, without any password."""
        return self._db.place

    @property
    def name(self) -> str:
        """Name by which people know the store."""
        return self._db.name

    def beside(self, name: str) -> Path:
        """Return the place of a file of this name beside the store.

        That is the working folder, if the store is in a database.
        """
        return Path(name) if self._db.file is None else self._db.file.path.with_name(name)

    def version(self) -> int:
        """Return a number that changes once somebody else wrote."""
        return self._db.version()

    def must_be_current(self) -> None:
        """Refuse a store that was upgraded or moved since it was opened.

        Raises: StoreError, InputError.
        """
        must_be_current(self._db)
        _must_be_here(self._db)

    @property
    def file(self) -> StoreFile | None:
        """File of the store; None in PostgreSQL."""
        return self._db.file

    def signs(self, plan_id: str, holder: Owner | None) -> Signs:
        """Return what a run goes by, read at once before each request.

        Args:
            plan_id: the plan whose order counts; an empty text for none.
            holder: who must still hold the store; None for nobody.

        Raises: StoreBusy, if another run took over; StoreError, if the file is not the one at its path any more.
        """
        if holder is not None:
            self.presence.must_be()
        return read_signs(self._db, plan_id, holder)

    def stuck(self, plan_id: str, now: float) -> Stuck:
        """Return the SIMs of a plan that have waited too long.

        See `store.journal.waiting`. `now` is in UTC seconds.
        """
        return stuck_sims(self._db, plan_id, now)

    def idle(self, now: float) -> IdleMoney:
        """Return the money of cards that are claimed and were never seen.

        `now` is in UTC seconds.
        """
        return idle_money((card.idle() for card in self.cards.never_seen()), now)

    def daily(self, zone: tzinfo = UTC) -> list[Day]:
        """Return what happened on each day, oldest first.

        `zone` is the time zone of a day.
        """
        return self.days.list(zone)

    def field_notes(self, plan_id: str) -> SqlFieldNotes:
        """Return what is known of a plan's units in the field."""
        return SqlFieldNotes(self._db, plan_id)

    def discovery(self, org_id: int | None, units: Iterable[tuple[str, str]] = ()) -> Discovery:
        """Return new SIMs against the hardware of old SIMs.

        See `store.pairs.discovery`.
        """
        return Discovery(self._db, org_id, units)

    def scratch_copy(self) -> "Store":
        """Return an independent copy in a private temporary file.

        The copy is for dry runs, and nobody holds it. To close the copy removes it.
        """
        with ExitStack() as closing:
            folder = Path(closing.enter_context(_private_folder()))
            self._db.backup_to(folder / "scratch.db")
            database = SqliteDatabase(folder / "scratch.db", durable=False)
            closing.callback(database.close)
            with database.write() as connection:
                connection.execute(delete(plan_tables.lease))
            return Store(database, closing.pop_all())

    def backup(self, target: Path) -> None:
        """Copy the store into a new private file that nobody holds.

        The file is written whole or not at all. The store may be in use meanwhile.

        Raises: InputError, if the file exists or has no folder; StoreError.
        """
        self._db.whole_copy_to(target)

    def move_to(self, url: str, account: str | None, now: float) -> Moved:
        """Move the account to another place, for good.

        The caller holds the lease. See `store.moving`.

        Raises: InputError, StoreError.
        """
        return move(self._db, url, account, now)

    def info(self) -> dict[str, Any]:
        """Return facts about the store, as JSON values.

        The facts are its place, its size, its schema, and how much is in it.
        """
        with self._db.read() as connection:
            counts = {
                name: connection.execute(select(func.count()).select_from(table).where(which)).scalar_one()
                for name, table, which in (
                    ("snapshots", tables.snapshots, true()),
                    ("pairs", tables.pairs, true()),
                    ("plans", plan_tables.plans, is_migration),
                    ("cutover_plans", plan_tables.plans, is_cutover),
                    ("requests", plan_tables.requests, true()),
                )
            }
            found = revision(connection)
        holder = self.lease.holder()
        return {
            **self._db.facts(),
            "lineage": self.lineage,
            "created_at": float(self._fact("created_at")),
            "schema": found,
            "schema_of_this_tool": revisions(migrations_folder())[-1],
            "counts": counts,
            "held_by": None if holder is None else {"owner": str(holder[0]), "heartbeat_at": holder[1]},
        }

    def close(self) -> None:
        """Give the file back, and remove a scratch copy.

        May be called twice.
        """
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fact(self, name: str) -> str:
        with self._db.read() as connection:
            return str(connection.execute(select(tables.meta.c.value).where(tables.meta.c.name == name)).scalar_one())


def _private_folder() -> "tempfile.TemporaryDirectory[str]":
    """Make a folder that only its owner may read.

    Raises: StoreError, if there is no room for the folder.
    """
    try:
        return tempfile.TemporaryDirectory(prefix="migrator-", ignore_cleanup_errors=True)
    except OSError as error:
        raise file_trouble(error, Path(tempfile.gettempdir()) / "scratch.db") from None


def _must_be_here(database: Database) -> None:
    with database.read() as connection:
        must_be_here(connection)


def _note_birth(database: Database, now: float) -> None:
    """Give a new store its lineage.

    The lineage never changes, and tells the store's plans from the plans of any other store.
    """
    with database.read() as connection:
        if fact(connection, "lineage") is not None:
            return
    facts = [{"name": "lineage", "value": uuid.uuid4().hex[:12]}, {"name": "created_at", "value": repr(now)}]
    if database.server():
        facts += born_on(database.server())
    with database.write() as connection:
        if fact(connection, "lineage") is None:
            connection.execute(insert(tables.meta), facts)


def held_by(url: str, account: str | None = None) -> Owner | None:
    """Return who holds a store, or None.

    Whoever was not heard of for a minute counts as dead.

    The store may be of any schema. Nothing is written.

    Raises: InputError, StoreLost, StoreError.
    """
    with ExitStack() as closing:
        database = opened(url, account, create=False, busy_timeout_s=BUSY_TIMEOUT_S, writable=False)
        closing.callback(database.close)
        return Lease(database).living()
