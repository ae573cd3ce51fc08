"""Cutover and rollback plans: making, finding, reading and finishing.

Their journal is `store.cutovers.journal`.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from migrator.chunks import PAGE, chunks
from migrator.core.audit.chain import hash_of_lines
from migrator.core.cutover.plan import (
    Direction,
    SwitchAction,
    SwitchHeader,
    SwitchItem,
    SwitchKind,
    SwitchRow,
    SwitchStep,
    header_from,
    header_line,
    row_from,
    row_line,
)
from migrator.core.fleet.switched_off import SwitchedOff
from migrator.core.run.states import PlanState, StepState
from migrator.errors import InputError
from migrator.store.database.database import Database
from migrator.store.database.rows import among, json_list
from migrator.store.log import note, switch_items_digest
from migrator.store.plans.plans import plan_row
from migrator.store.plans.rollbacks import rolled_back
from migrator.store.plans.switched_off import switched_off
from migrator.store.plans.wholeness import edited_switch
from migrator.store.tables.cutovers import switch_items, switch_plans, switch_steps
from migrator.store.tables.plans import plans

__all__ = ["Switches", "note_switch", "switch_row"]

ACTING = tuple(action.value for action in SwitchAction if action.acts)

_ITEM = switch_items.c
_COLUMNS = (_ITEM.source_key, _ITEM.position, _ITEM.document)
_NEXT = (
    select(*_COLUMNS)
    .where(_ITEM.switch_no == bindparam("switch_no"), _ITEM.position > bindparam("after"))
    .order_by(_ITEM.position)
    .limit(PAGE)
)
_NEXT_ACTING = _NEXT.where(_ITEM.action.in_(ACTING))
_NEXT_OF_WAVE = _NEXT_ACTING.where(_ITEM.wave.is_not_distinct_from(bindparam("wave")))
_AMONG = select(*_COLUMNS).where(_ITEM.switch_no == bindparam("switch_no"), among(_ITEM.source_key, bindparam("keys")))
_STEPS = select(switch_steps).where(
    switch_steps.c.switch_no == bindparam("switch_no"), among(switch_steps.c.source_key, bindparam("keys"))
)


class Switches:
    """Every cutover and rollback plan of the store.

    A plan never changes; only its state moves on.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    # --- making ---------------------------------------------------------------------------------------------------

    def add(self, header: SwitchHeader, rows: Iterable[SwitchRow], now: float) -> None:
        """Keep a plan, all of the plan or nothing.

        A plan that is there already, unused, becomes the newest plan again.
        """
        plan_no = plan_row(self._db, header.plan_id).plan_no
        with self._db.write() as connection:
            made_no = (connection.scalar(select(func.max(switch_plans.c.made_no))) or 0) + 1
            this = switch_plans.c.switch_id == header.switch_id
            again = update(switch_plans).where(this).values(made_no=made_no, created_at=now)
            if connection.execute(again).rowcount:
                note(connection, now, "switch.made_again", header.plan_id, {"switch_id": header.switch_id})
                return
            values = {
                "switch_id": header.switch_id,
                "plan_no": plan_no,
                "made_no": made_no,
                "direction": header.direction.value,
                "state": PlanState.CREATED,
                "header": header_line(header),
                "created_at": now,
            }
            switch_no = int(connection.execute(insert(switch_plans).values(values)).lastrowid)
            for chunk in chunks(enumerate(rows)):
                connection.execute(insert(switch_items), [_values(switch_no, at, row) for at, row in chunk])
            made = {
                "switch_id": header.switch_id,
                "direction": header.direction.value,
                "count": header.count,
                "fingerprint": header.fingerprint,
                "header": hash_of_lines([values["header"]]),
                "items": switch_items_digest(connection, switch_no),
            }
            note(connection, now, "switch.made", header.plan_id, made)

    # --- reading --------------------------------------------------------------------------------------------------

    def exists(self, switch_id: str) -> PlanState | None:
        """Return the state of a plan, or None for an unknown id."""
        with self._db.read() as connection:
            state = connection.scalar(select(switch_plans.c.state).where(switch_plans.c.switch_id == switch_id))
        return None if state is None else PlanState(state)

    def state(self, switch_id: str) -> PlanState:
        """Return the state of a plan.

        Raises: InputError, if there is no plan of this id.
        """
        return PlanState(switch_row(self._db, switch_id).state)

    def header(self, switch_id: str) -> SwitchHeader:
        """Return a plan's header.

        Raises: InputError, if there is no such plan.
        """
        return header_from(switch_row(self._db, switch_id).header)

    def of_plan(self, plan_id: str) -> list[dict[str, Any]]:
        """Return the cutover and rollback plans of a migration, oldest first.

        Returns: id, direction, state, count, and times in UTC seconds; None for what did not happen yet.
        """
        plan_no = plan_row(self._db, plan_id).plan_no
        made = select(switch_plans).where(switch_plans.c.plan_no == plan_no).order_by(switch_plans.c.made_no)
        names = ("switch_id", "direction", "state", "created_at", "started_at", "finished_at")
        return [
            {name: getattr(row, name) for name in names} | {"count": header_from(row.header).count}
            for row in self._db.rows(made)
        ]

    def stored(self, switch_id: str) -> tuple[str, Iterator[dict[str, Any]]]:
        """Return a plan's header, and the stored values of each SIM.

        The header is letter by letter. The values of a SIM are all that steers the SIM. The SIMs are in the plan's
        order.
        """
        row = switch_row(self._db, switch_id)
        return row.header, self._stored_items(row.switch_no)

    def _stored_items(self, switch_no: int) -> Iterator[dict[str, Any]]:
        item, after = switch_items.c, -1
        page = select(item.source_key, item.position, item.action, item.wave, item.document).order_by(item.position)
        mine = page.where(item.switch_no == switch_no, item.position > bindparam("after")).limit(PAGE)
        while rows := self._db.rows(mine, after=after):
            yield from (row._asdict() for row in rows)
            after = rows[-1].position

    def stored_steps(self, switch_id: str) -> Iterator[dict[str, Any]]:
        """Yield every step of a plan as stored, SIM by SIM.

        `before` is JSON text.
        """
        step, after = switch_steps.c, ""
        columns = [column for column in step if column.name != "switch_no"]
        some = select(step.source_key).distinct().where(step.switch_no == switch_row(self._db, switch_id).switch_no)
        keys = some.where(step.source_key > bindparam("after")).order_by(step.source_key).limit(PAGE)
        mine = select(*columns).where(step.switch_no == switch_row(self._db, switch_id).switch_no)
        page = mine.where(step.source_key.in_(keys)).order_by(step.source_key, step.kind)
        while rows := self._db.rows(page, after=after):
            yield from (row._asdict() for row in rows)
            after = rows[-1].source_key

    def newest(self, direction: Direction | None = None) -> str | None:
        """Return the id of the newest plan, or None.

        The newest plan is the plan that was made last, in this direction or in any direction.
        """
        made = select(switch_plans.c.switch_id).order_by(switch_plans.c.made_no.desc()).limit(1)
        if direction is not None:
            made = made.where(switch_plans.c.direction == direction.value)
        with self._db.read() as connection:
            return connection.scalar(made)

    def known(self, direction: Direction) -> dict[str, str]:
        """Return the state of each plan of a direction, by id.

        The newest plan comes first.
        """
        plan = switch_plans.c
        made = select(plan.switch_id, plan.state).where(plan.direction == direction.value)
        return {row.switch_id: row.state for row in self._db.rows(made.order_by(plan.made_no.desc()))}

    def rows(self, switch_id: str) -> Iterator[SwitchRow]:
        """Yield every row of a plan, in the plan's order."""
        for item in self._pages(_NEXT, switch_row(self._db, switch_id).switch_no):
            yield item.row

    def all_items(self, switch_id: str) -> Iterator[SwitchItem]:
        """Yield every SIM that the plan acts on, with steps.

        The SIMs are in the plan's order.
        """
        yield from self._pages(_NEXT_ACTING, switch_row(self._db, switch_id).switch_no)

    def items(self, switch_id: str, wave: str | None) -> Iterator[SwitchItem]:
        """Yield the SIMs of one wave to act on, with steps.

        The SIMs are in the plan's order.
        """
        yield from self._pages(_NEXT_OF_WAVE, switch_row(self._db, switch_id).switch_no, wave=wave)

    def items_by_key(self, switch_id: str, keys: Sequence[str]) -> Sequence[SwitchItem]:
        """Return the items of some SIMs, in the order of `keys`.

        Raises: InputError, if the plan does not hold one of the SIMs.
        """
        switch_no = switch_row(self._db, switch_id).switch_no
        found: dict[str, SwitchItem] = {}
        for chunk in chunks(keys):
            with self._db.read() as connection:
                rows = connection.execute(_AMONG, {"switch_no": switch_no, "keys": json_list(chunk)}).all()
                found |= {item.key: item for item in _items_of(connection, switch_no, rows)}
        missing = [key for key in keys if key not in found]
        if missing:
            raise InputError(f"plan {switch_id} does not hold the SIM {missing[0]}", code="not_in_plan")
        return [found[key] for key in keys]

    def switched_off(self, keys: Iterable[str] | None = None) -> dict[str, SwitchedOff]:
        """Return SIMs that cutovers of any plan switched off, by key.

        If `keys` is None, all such SIMs are returned. See `store.plans.switched_off`.
        """
        return switched_off(self._db, keys)

    def rolled_back(self, plan_id: str | None = None) -> dict[str, str]:
        """Return SIMs that a rollback took back, by key.

        The values are ids of rollbacks. If `plan_id` is None, the SIMs are those of every plan. See
        `store.plans.rollbacks`.
        """
        return rolled_back(self._db, None if plan_id is None else plan_row(self._db, plan_id).plan_no)

    def superseded_by(self, switch_id: str) -> str | None:
        """Return a plan with newer orders for the same SIMs, or None.

        Such a plan acts on at least one of the same SIMs, and was started later.
        """
        this = switch_row(self._db, switch_id)
        plan, other = switch_plans.c, switch_items.alias("other")
        shares_a_sim = (
            select(other.c.source_key)
            .where(other.c.switch_no == plan.switch_no, other.c.action.in_(ACTING))
            .where(
                other.c.source_key.in_(
                    select(_ITEM.source_key).where(_ITEM.switch_no == this.switch_no, _ITEM.action.in_(ACTING))
                )
            )
            .exists()
        )
        later = (
            select(plan.switch_id)
            .where(plan.switch_no != this.switch_no, plan.started_at.is_not(None), shares_a_sim)
            .where(plan.started_at >= (this.created_at if this.started_at is None else this.started_at))
            .order_by(plan.started_at.desc())
            .limit(1)
        )
        with self._db.read() as connection:
            return connection.scalar(later)

    def edited(self, switch_id: str) -> str | None:
        """Describe what was changed in a plan after its making.

        None if nothing was changed. See `store.plans.wholeness`.
        """
        return edited_switch(self._db, switch_id)

    # --- moving on ------------------------------------------------------------------------------------------------

    def finish(self, switch_id: str, now: float) -> None:
        """Note that a plan is used up."""
        this = (switch_plans.c.switch_id == switch_id) & (switch_plans.c.state != PlanState.FINISHED)
        finished = update(switch_plans).where(this).values(state=PlanState.FINISHED, finished_at=now)
        with self._db.write() as connection:
            if connection.execute(finished).rowcount:
                note_switch(connection, now, "finished", switch_id)

    def _pages(self, statement: Any, switch_no: int, **values: Any) -> Iterator[SwitchItem]:
        after = -1
        while True:
            with self._db.read() as connection:
                rows = connection.execute(statement, {"switch_no": switch_no, "after": after, **values}).all()
                page = _items_of(connection, switch_no, rows)
            yield from page
            if len(rows) < PAGE:
                return
            after = rows[-1].position


def switch_row(database: Database, switch_id: str) -> Row[Any]:
    """Return the row of a cutover or rollback plan.

    Raises: InputError, if there is no such plan.
    """
    with database.read() as connection:
        row = connection.execute(select(switch_plans).where(switch_plans.c.switch_id == switch_id)).one_or_none()
    if row is None:
        raise InputError(
            f"there is no cutover or rollback plan {switch_id!r} in this store",
            code="no_such_plan",
            hint="`migrator cutover plan` or `migrator rollback plan` makes one",
        )
    return row


def note_switch(connection: Connection, now: float, what: str, switch_id: str, **told: Any) -> None:
    """Add `switch.WHAT` to the log, within the caller's transaction.

    The event stands under the migration's plan.
    """
    of_migration = select(plans.c.plan_id).join_from(switch_plans, plans).where(switch_plans.c.switch_id == switch_id)
    detail = {"switch_id": switch_id, **told}
    note(connection, now, f"switch.{what}", connection.scalar(of_migration), detail)


def _values(switch_no: int, position: int, row: SwitchRow) -> dict[str, Any]:
    return {
        "switch_no": switch_no,
        "source_key": row.source_iccid.key,
        "position": position,
        "action": row.action.value,
        "wave": row.wave,
        "document": row_line(row),
    }


def _items_of(connection: Connection, switch_no: int, rows: Sequence[Any]) -> list[SwitchItem]:
    taken: dict[str, dict[SwitchKind, SwitchStep]] = {}
    keys = json_list(row.source_key for row in rows)
    for row in connection.execute(_STEPS, {"switch_no": switch_no, "keys": keys}):
        kind = SwitchKind(row.kind)
        taken.setdefault(row.source_key, {})[kind] = SwitchStep(
            kind=kind,
            state=StepState(row.state),
            attempts=row.attempts,
            since=row.since,
            code=row.code,
            message=row.message,
            before=json.loads(row.before) if row.before else {},
        )
    return [SwitchItem(row_from(json.loads(row.document)), taken.get(row.source_key, {})) for row in rows]
