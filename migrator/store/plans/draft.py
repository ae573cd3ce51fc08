"""Draft of a plan: changes as they come, then the header.

The plan is there only once the header is written.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any

import orjson
from sqlalchemy import Connection, delete, func, insert, literal, select, update

from migrator.chunks import PAGE, chunks
from migrator.core.audit.chain import plan_digest
from migrator.core.plan.document import change_document, change_line, header_from, header_line
from migrator.core.plan.plan import Change, PlanHeader
from migrator.core.run.states import PlanState
from migrator.errors import StoreError
from migrator.store.database.database import Database
from migrator.store.database.sql import DriverSql
from migrator.store.inventory.snapshots import in_force
from migrator.store.log import note
from migrator.store.tables.fleet import source_sims, target_links
from migrator.store.tables.plans import changes, left_out, plans

__all__ = ["LAST", "UNSET", "Draft"]

LAST = 2**62
"""Sort position of "no limit" among limits.

A claim carries the smallest limit of its batch, so the largest limits come last.
"""
UNSET = LAST + 1
"""Sort position of a limit that the plan leaves alone."""

_NAMES = tuple(column.name for column in changes.c if column.name != "position")  # its order is that of its limits
_DOCUMENT = _NAMES.index("document")
_INSERT = DriverSql(insert(changes).values(dict.fromkeys(_NAMES)), _NAMES)


class Draft:
    """Plan that is being written.

    The added changes are on disk, but the plan is not there before `finish`.
    """

    def __init__(self, database: Database, plan_no: int, now: float, *, is_whole_fleet: bool = True) -> None:
        self._db = database
        self._plan_no = plan_no
        self._now = now
        self._is_whole_fleet = is_whole_fleet
        self._digest = hashlib.sha256()
        self._waves: set[str | None] = set()
        self._added = 0
        self._is_plan = False
        self._is_kept_already = False

    def add(self, batch: Iterable[Change]) -> None:
        """Add changes, sorted by source ICCID as text over all batches.

        The fingerprint of the changes grows along.
        """
        for chunk in chunks(batch):
            rows = list(map(self._row, chunk))
            self._digest.update("\n".join([*(row[_DOCUMENT] for row in rows), ""]).encode())
            self._write(rows)
            self._added += len(rows)

    def _write(self, rows: list[tuple[Any, ...]]) -> None:
        with self._db.write(durable=False) as connection:
            self._db.put(connection, _INSERT, rows)

    def finish(self, make_header: Callable[[str], PlanHeader]) -> PlanHeader:
        """Make the draft a plan.

        Args:
            make_header: gives the header for the fingerprint of the changes, SHA-256 over their lines in a plan file.

        Returns: the header. If the same plan (by its id) is there and was not started, the header of the stored plan:
            the stored plan becomes the newest again, and nothing is stored twice.
        Raises: StoreError, if a plan of this id was started already.
        """
        header = make_header(self._digest.hexdigest())
        self._must_name_its_waves(header)
        with self._db.write() as connection:
            made_no = select(func.max(plans.c.made_no) + 1).scalar_subquery()
            stored = connection.execute(select(plans).where(plans.c.plan_id == header.plan_id)).one_or_none()
            if stored is not None:
                _must_be_unused(header.plan_id, stored.state)
                connection.execute(
                    update(plans).where(plans.c.plan_no == stored.plan_no).values(made_no=made_no, created_at=self._now)
                )
                note(connection, self._now, "plan.made_again", header.plan_id, {})
                self._is_kept_already = True
                return header_from(json.loads(stored.header))
            connection.execute(
                update(plans)
                .where(plans.c.plan_no == self._plan_no)
                .values(plan_id=header.plan_id, state=PlanState.CREATED, header=header_line(header), made_no=made_no)
            )
            if self._is_whole_fleet and "only" not in header.summary:
                self._note_left_out(connection)
            made = {
                "changes_sha256": header.fingerprints.changes,
                "claims": header.claims,
                "plan_sha256": self._plan_digest(connection),
            }
            note(connection, self._now, "plan.made", header.plan_id, made)
        self._is_plan = True
        self._db.learn(self._added, changes, target_links)
        return header

    def _plan_digest(self, connection: Connection) -> str:
        kept = select(plans.c.header, plans.c.policy_text, plans.c.policy_json).where(plans.c.plan_no == self._plan_no)
        return plan_digest(*connection.execute(kept).one())

    def discard(self) -> None:
        """Drop what was added, unless the draft became a plan.

        A few thousand rows are dropped at a time.
        """
        if self._is_plan:
            return
        total = self._db.drop_rows(changes, self._plan_no, 10 * PAGE)
        with self._db.write() as connection:
            connection.execute(delete(plans).where(plans.c.plan_no == self._plan_no))
            if not self._is_kept_already:
                note(connection, self._now, "plan.discarded", None, {"changes": total})

    def _row(self, change: Change) -> tuple[Any, ...]:
        document = _line(change)
        self._waves.add(change.wave)
        return (
            self._plan_no,
            change.source_iccid.key,
            change.source_iccid.digits,
            None if change.target_iccid is None else change.target_iccid.key,
            change.action._value_,
            change.reason._value_,
            change.wave,
            _order(change.overage_limit_bytes),
            _order(change.sms_limit),
            document,
        )

    def _must_name_its_waves(self, header: PlanHeader) -> None:
        """Refuse a header that does not name every wave.

        A wave that the header does not name would never be applied.
        """
        missing = self._waves - {None, *header.waves}
        if missing:
            raise StoreError(f"the plan's header does not name its waves {missing}", code="wave_not_named")

    def _note_left_out(self, connection: Connection) -> None:
        """Note the SIMs that the plan does not hold.

        So SIMs that come later can be distinguished from these SIMs.
        """
        sim = source_sims.c
        in_inventory = select(func.count()).select_from(source_sims).where(sim.snapshot_id == in_force)
        if connection.scalar(in_inventory) == self._added:
            return  # one change per SIM: none is left
        is_planned = (
            select(changes.c.plan_no)
            .where(changes.c.plan_no == self._plan_no, changes.c.source_key == sim.key)
            .exists()
        )
        rest = select(literal(self._plan_no), sim.key).where(sim.snapshot_id == in_force, ~is_planned)
        connection.execute(insert(left_out).from_select(["plan_no", "source_key"], rest))


def _order(limit: int | None) -> int:
    if limit is None:
        return UNSET
    return LAST if limit < 0 else limit


def _line(change: Change) -> str:
    """Return a change as `change_line` does, seven times as quick."""
    try:
        return orjson.dumps(change_document(change)).decode()
    except TypeError:  # a number of a carrier that has more than 64 bits
        return change_line(change)


def _must_be_unused(plan_id: str, state: str) -> None:
    if state != PlanState.CREATED:
        raise StoreError(
            f"plan {plan_id} was {state} already, and a plan is used once",
            code="plan_used",
            hint="run `migrator plan create` again",
        )
