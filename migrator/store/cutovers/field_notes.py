"""Data on units in the field: hardware and last use.

The data says in which hardware SIMs were seen, and when old SIMs were last in use.
"""

from collections.abc import Iterable
from datetime import date
from itertools import count

from sqlalchemy import Column, Connection, Float, bindparam, func, insert, select
from sqlalchemy.schema import CreateTable

from migrator.chunks import chunks
from migrator.core.cutover.rules import moment_s
from migrator.core.fleet.imei import Holder, Neighbours, Past
from migrator.core.run.states import StepKind
from migrator.store.database.database import Database
from migrator.store.database.rows import AnyRow, among, json_list, temporary_table
from migrator.store.inventory.imei_history import body_of, hardware_of_old
from migrator.store.inventory.snapshots import in_force
from migrator.store.pairs.swaps import swapped
from migrator.store.plans.lookup import MIGRATIONS, plan_row
from migrator.store.tables.fleet import source_sims, target_links
from migrator.store.tables.plans import changes, proofs, steps
from migrator.store.tables.types import Integer, Text

__all__ = ["SqlFieldNotes"]

MOST_NEW = 6
"""Maximum number of new SIMs that are noted for one hardware.

If there are more new SIMs, many modems have the same IMEI.
"""

_NUMBERS = count(1)

_LAST_USES = (
    select(proofs.c.source_key, func.max(proofs.c.old_used_on).label("used_on"))
    .where(proofs.c.plan_no.in_(MIGRATIONS))
    .where(among(proofs.c.source_key, bindparam("keys")), proofs.c.old_used_on.is_not(None))
    .group_by(proofs.c.source_key)
)


class SqlFieldNotes:
    """Implementation of `ports.FieldNotes` for one plan.

    The index of hardware is made when it is first needed. The index is in temporary tables, so that a fleet of any size
    takes no memory. The index shows the store as the store was then.
    """

    def __init__(self, database: Database, plan_id: str) -> None:
        self._db = database
        self._plan_id = plan_id
        self._index: _Index | None = None

    def last_uses(self, keys: Iterable[str]) -> dict[str, date]:
        """Return the last noted day of use of some old SIMs.

        Any plan may have asked for that day.
        """
        found = dict[str, date]()
        for chunk in chunks(keys):
            for row in self._db.rows(_LAST_USES, keys=json_list(chunk)):
                found[row.source_key] = date.fromisoformat(row.used_on)
        return found

    def swapped(self, keys: Iterable[str]) -> dict[str, float]:
        """Return when the swap of some old SIMs' units was noted."""
        return swapped(self._db, keys)

    def neighbours(self, bodies: Iterable[str | None]) -> Neighbours:
        """Return the SIMs that were seen in some hardware.

        These are old SIMs of the inventory in force, and new SIMs of the plan since their claim.
        """
        wanted = sorted({body for body in bodies if body is not None})
        if not wanted:
            return Neighbours()
        if self._index is None:
            self._index = _Index(self._db, plan_row(self._db, self._plan_id).plan_no)
        return self._index.among(wanted)


class _Index:
    """Index of hardware by the 14 digits of its IMEI.

    Each entry has the SIMs that were seen in the hardware.
    """

    def __init__(self, database: Database, plan_no: int) -> None:
        self._db = database
        number = next(_NUMBERS)
        self._olds = temporary_table(
            f"hardware_of_old_{number}",
            Column("body", Text, primary_key=True),
            Column("sims", Integer, nullable=False),
            Column("key", Text, nullable=False),
            Column("iccid", Text, nullable=False),
        )
        self._news = temporary_table(
            f"hardware_of_new_{number}",
            Column("body", Text, primary_key=True),
            Column("key", Text, primary_key=True),
            Column("iccid", Text, nullable=False),
            Column("claimed_at", Text),
            Column("claim_noted_at", Float),
            Column("last_connected_at", Text),
        )
        self._past = temporary_table(
            f"past_of_old_{number}",
            Column("body", Text, primary_key=True),
            Column("sims", Integer, nullable=False),
            Column("key", Text, nullable=False),
            Column("first_at", Float),
        )
        with database.read() as connection:
            for table in (self._olds, self._news, self._past):
                connection.execute(CreateTable(table))
            self._fill(connection, plan_no)

    def _fill(self, connection: Connection, plan_no: int) -> None:
        sim, link, change = source_sims.c, target_links.c, changes.c
        body, is_one = body_of(sim.imei)
        olds = (
            select(body, func.count(), func.min(sim.key), func.min(sim.iccid))
            .where(sim.snapshot_id == in_force, is_one)
            .group_by(body)
        )
        connection.execute(insert(self._olds).from_select([column.name for column in self._olds.c], olds))
        seen = hardware_of_old().subquery()
        past = select(seen.c.body, func.count(), func.min(seen.c.source_key), func.max(seen.c.first_at))
        names = [column.name for column in self._past.c]
        connection.execute(insert(self._past).from_select(names, past.group_by(seen.c.body)))
        body, is_one = body_of(link.imei)
        place = func.row_number().over(partition_by=body, order_by=change.source_key)
        noted_at = (
            select(steps.c.since)
            .where(steps.c.plan_no == plan_no, steps.c.source_key == change.source_key)
            .where(steps.c.kind == StepKind.CLAIM)
            .scalar_subquery()
        )
        seen = (
            select(
                body.label("body"),
                change.source_key.label("key"),
                link.iccid.label("iccid"),
                link.claimed_at.label("claimed_at"),
                noted_at.label("claim_noted_at"),
                link.last_connected_at.label("last_connected_at"),
                place.label("place"),
            )
            .join_from(changes, target_links, link.key == change.target_key)
            .where(change.plan_no == plan_no, link.present == 1, is_one)
            .subquery()
        )
        names = [column.name for column in self._news.c]
        first = select(*(seen.c[name] for name in names)).where(seen.c.place <= MOST_NEW)
        connection.execute(insert(self._news).from_select(names, first))

    def among(self, bodies: Iterable[str]) -> Neighbours:
        """Return the SIMs that were seen in some hardware."""
        olds, news, past = dict[str, Holder](), dict[str, list[Holder]](), dict[str, Past]()
        for chunk in chunks(bodies):
            keys = json_list(chunk)
            for row in self._db.rows(select(self._olds).where(among(self._olds.c.body, bindparam("keys"))), keys=keys):
                olds[row.body] = Holder(row.key, row.iccid, row.sims)
            for row in self._db.rows(select(self._news).where(among(self._news.c.body, bindparam("keys"))), keys=keys):
                if _lived_since_claim(row):
                    news.setdefault(row.body, []).append(Holder(row.key, row.iccid))
            for row in self._db.rows(select(self._past).where(among(self._past.c.body, bindparam("keys"))), keys=keys):
                past[row.body] = Past(row.key, row.sims, row.first_at)
        return Neighbours(olds, news, past)


def _lived_since_claim(row: AnyRow) -> bool:
    """True if a new SIM was seen since its claim.

    Hardware from before the claim says nothing.
    """
    recorded_s, alive_s = moment_s(row.claimed_at), moment_s(row.last_connected_at)
    claimed_s = row.claim_noted_at if recorded_s is None else recorded_s
    return claimed_s is not None and alive_s is not None and alive_s >= claimed_s
