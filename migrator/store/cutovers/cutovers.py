"""Cutover and rollback plans: making, finding, reading and finishing.

Their journal is that of every plan: `store.journal`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from migrator.chunks import PAGE, chunks
from migrator.core.audit.chain import hash_of_lines
from migrator.core.cutover.plan import (
    ACTING_CUTOVERS,
    CutoverHeader,
    CutoverItem,
    CutoverRow,
    CutoverStep,
    Direction,
    header_from,
    header_line,
    row_from,
    row_line,
)
from migrator.core.fleet.spelling import UNREAD
from migrator.core.fleet.switched_off import SwitchedOff
from migrator.core.run.control import Intervened, Selection
from migrator.core.run.doubts import QUEUE_S
from migrator.core.run.states import PlanState, StepKind, StepState
from migrator.errors import InputError
from migrator.store.control.whereabouts import server_since
from migrator.store.cutovers.skip import skip_sims
from migrator.store.database.database import Database
from migrator.store.database.rows import among, is_later, json_list
from migrator.store.database.sql import changed_rows, new_number
from migrator.store.inventory.snapshots import in_force
from migrator.store.log import cutover_items_digest, note_of_plan
from migrator.store.plans.draft import UNSET
from migrator.store.plans.lookup import CUTOVERS, cutover_row, is_cutover, plan_row
from migrator.store.plans.rollbacks import rolled_back
from migrator.store.plans.switched_off import may_yet_take_effect, switched_off
from migrator.store.plans.wholeness import edited_cutover
from migrator.store.tables.fleet import source_sims
from migrator.store.tables.plans import changes, plans, request_items, requests, steps

__all__ = ["Cutovers"]


_ITEM = changes.c
_COLUMNS = (_ITEM.source_key, _ITEM.position, _ITEM.document)
_NEXT = (
    select(*_COLUMNS)
    .where(_ITEM.plan_no == bindparam("plan_no"), _ITEM.position > bindparam("after"))
    .order_by(_ITEM.position)
    .limit(PAGE)
)
_NEXT_ACTING = _NEXT.where(_ITEM.action.in_(ACTING_CUTOVERS))
_NEXT_OF_WAVE = _NEXT_ACTING.where(_ITEM.wave.is_not_distinct_from(bindparam("wave")))
_AMONG = select(*_COLUMNS).where(_ITEM.plan_no == bindparam("plan_no"), among(_ITEM.source_key, bindparam("keys")))
_STEPS = select(steps).where(steps.c.plan_no == bindparam("plan_no"), among(steps.c.source_key, bindparam("keys")))
_LAST_REQUEST = (
    select(func.max(requests.c.request_id))
    .join_from(request_items, requests, requests.c.request_id == request_items.c.request_id)
    .where(request_items.c.plan_no == steps.c.plan_no, request_items.c.source_key == steps.c.source_key)
    .where(requests.c.kind == steps.c.kind)
    .scalar_subquery()
    .label("request_id")
)


class Cutovers:
    """Every cutover and rollback plan of the store.

    A plan never changes; only its state moves on.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    # --- making ---------------------------------------------------------------------------------------------------

    def add(self, header: CutoverHeader, rows: Iterable[CutoverRow], now: float) -> None:
        """Keep a plan, all of the plan or nothing.

        A plan that is there already, unused, becomes the newest plan again.
        """
        of_plan_no = plan_row(self._db, header.plan_id).plan_no
        this = select(plans).where(plans.c.plan_id == header.cutover_id)
        with self._db.write() as connection:
            made_no = (connection.scalar(select(func.max(plans.c.made_no))) or 0) + 1
            plan = connection.execute(this).one_or_none()
            if plan is not None:
                again = update(plans).where(plans.c.plan_no == plan.plan_no)
                connection.execute(again.values(made_no=made_no, created_at=now))
                note_of_plan(connection, now, "plan.made_again", plan, {})
                return
            values = {
                "plan_id": header.cutover_id,
                "kind": header.direction.value,
                "of_plan_no": of_plan_no,
                "made_no": made_no,
                "state": PlanState.CREATED,
                "header": header_line(header),
                "policy_text": "",
                "policy_json": "{}",  # the policy is that of the migration
                "created_at": now,
            }
            plan_no = new_number(connection.execute(insert(plans).values(values)))
            for chunk in chunks(enumerate(rows)):
                connection.execute(insert(changes), [_values(plan_no, at, row) for at, row in chunk])
            made = {
                "direction": header.direction.value,
                "count": header.count,
                "fingerprint": header.fingerprint,
                "header": hash_of_lines([values["header"]]),
                "items": cutover_items_digest(connection, plan_no),
            }
            note_of_plan(connection, now, "plan.made", connection.execute(this).one(), made)
        self._db.learn(header.count, changes)

    # --- reading --------------------------------------------------------------------------------------------------

    def exists(self, cutover_id: str) -> PlanState | None:
        """Return the state of a plan, or None for an unknown id."""
        with self._db.read() as connection:
            state = connection.scalar(select(plans.c.state).where(plans.c.plan_id == cutover_id, is_cutover))
        return None if state is None else PlanState(state)

    def state(self, cutover_id: str) -> PlanState:
        """Return the state of a plan.

        Raises: InputError, if there is no plan of this id.
        """
        return PlanState(cutover_row(self._db, cutover_id).state)

    def header(self, cutover_id: str) -> CutoverHeader:
        """Return a plan's header.

        Raises: InputError, if there is no such plan.
        """
        return header_from(cutover_row(self._db, cutover_id).header)

    def of_plan(self, plan_id: str) -> list[dict[str, Any]]:
        """Return the cutover and rollback plans of a migration, oldest first.

        Returns: id, direction, state, count, and times in UTC seconds; None for what did not happen yet.
        """
        plan_no = plan_row(self._db, plan_id).plan_no
        made = select(plans).where(plans.c.of_plan_no == plan_no, is_cutover).order_by(plans.c.made_no)
        names = ("state", "created_at", "started_at", "finished_at")
        return [
            {"switch_id": row.plan_id, "direction": row.kind}
            | {name: getattr(row, name) for name in names}
            | {"count": header_from(row.header).count}
            for row in self._db.rows(made)
        ]

    def stored(self, cutover_id: str) -> tuple[str, Iterator[dict[str, Any]]]:
        """Return a plan's header, and the stored values of each SIM.

        The header is letter by letter. The values of a SIM are all that steers the SIM. The SIMs are in the plan's
        order.
        """
        row = cutover_row(self._db, cutover_id)
        return row.header, self._stored_items(row.plan_no)

    def _stored_items(self, plan_no: int) -> Iterator[dict[str, Any]]:
        item, after = changes.c, -1
        page = select(item.source_key, item.position, item.action, item.wave, item.document).order_by(item.position)
        mine = page.where(item.plan_no == plan_no, item.position > bindparam("after")).limit(PAGE)
        while rows := self._db.rows(mine, after=after):
            yield from (row._asdict() for row in rows)
            after = rows[-1].position

    def stored_steps(self, cutover_id: str) -> Iterator[dict[str, Any]]:
        """Yield every step of a plan as stored, SIM by SIM.

        `before` is JSON text. `request_id` is the last request of the step.
        """
        step, after, plan_no = steps.c, "", cutover_row(self._db, cutover_id).plan_no
        columns = [column for column in step if column.name not in {"plan_no", "not_before", "moved_no"}]
        some = select(step.source_key).distinct().where(step.plan_no == plan_no)
        keys = some.where(is_later(step.source_key)).order_by(step.source_key).limit(PAGE)
        mine = select(*columns, _LAST_REQUEST).where(step.plan_no == plan_no)
        page = mine.where(step.source_key.in_(keys)).order_by(step.source_key, step.kind)
        while rows := self._db.rows(page, after=after):
            yield from (row._asdict() for row in rows)
            after = rows[-1].source_key

    def newest(self, direction: Direction | None = None) -> str | None:
        """Return the id of the newest plan, or None.

        The newest plan is the plan that was made last, in this direction or in any direction.
        """
        made = select(plans.c.plan_id).where(is_cutover).order_by(plans.c.made_no.desc()).limit(1)
        if direction is not None:
            made = made.where(plans.c.kind == direction.value)
        with self._db.read() as connection:
            return connection.scalar(made)

    def known(self, direction: Direction) -> dict[str, str]:
        """Return the state of each plan of a direction, by id.

        The newest plan comes first.
        """
        plan = plans.c
        made = select(plan.plan_id, plan.state).where(plan.kind == direction.value)
        return {row.plan_id: row.state for row in self._db.rows(made.order_by(plan.made_no.desc()))}

    def rows(self, cutover_id: str) -> Iterator[CutoverRow]:
        """Yield every row of a plan, in the plan's order."""
        for item in self._pages(_NEXT, cutover_row(self._db, cutover_id).plan_no):
            yield item.row

    def all_items(self, cutover_id: str) -> Iterator[CutoverItem]:
        """Yield every SIM that the plan acts on, with steps.

        The SIMs are in the plan's order.
        """
        yield from self._pages(_NEXT_ACTING, cutover_row(self._db, cutover_id).plan_no)

    def items(self, cutover_id: str, wave: str | None) -> Iterator[CutoverItem]:
        """Yield the SIMs of one wave to act on, with steps.

        The SIMs are in the plan's order.
        """
        yield from self._pages(_NEXT_OF_WAVE, cutover_row(self._db, cutover_id).plan_no, wave=wave)

    def items_by_key(self, cutover_id: str, keys: Sequence[str]) -> Sequence[CutoverItem]:
        """Return the items of some SIMs, in the order of `keys`.

        Raises: InputError, if the plan does not hold one of the SIMs.
        """
        plan_no = cutover_row(self._db, cutover_id).plan_no
        found: dict[str, CutoverItem] = {}
        for chunk in chunks(keys):
            with self._db.read() as connection:
                rows = connection.execute(_AMONG, {"plan_no": plan_no, "keys": json_list(chunk)}).all()
                found |= {item.key: item for item in _items_of(connection, plan_no, rows)}
        missing = [key for key in keys if key not in found]
        if missing:
            raise InputError(f"plan {cutover_id} does not hold the SIM {missing[0]}", code="not_in_plan")
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

    def superseded_by(self, cutover_id: str) -> str | None:
        """Return a plan with newer orders for the same SIMs, or None.

        Such a plan acts on at least one of the same SIMs, and was started later.
        """
        this = cutover_row(self._db, cutover_id)
        plan, other = plans.c, changes.alias("other")
        shares_a_sim = (
            select(other.c.source_key)
            .where(other.c.plan_no == plan.plan_no, other.c.action.in_(ACTING_CUTOVERS))
            .where(
                other.c.source_key.in_(
                    select(_ITEM.source_key).where(_ITEM.plan_no == this.plan_no, _ITEM.action.in_(ACTING_CUTOVERS))
                )
            )
            .exists()
        )
        later = (
            select(plan.plan_id)
            .where(plan.plan_no != this.plan_no, is_cutover, plan.started_at.is_not(None), shares_a_sim)
            .where(plan.started_at >= (this.created_at if this.started_at is None else this.started_at))
            .order_by(plan.started_at.desc())
            .limit(1)
        )
        with self._db.read() as connection:
            return connection.scalar(later)

    def edited(self, cutover_id: str) -> str | None:
        """Describe what was changed in a plan after its making.

        None if nothing was changed. See `store.plans.wholeness`.
        """
        return edited_cutover(self._db, cutover_id)

    def may_lack_orders(self, cutover_id: str, now: float) -> bool:
        """True if orders of a plan may be unknown here.

        `now` is UTC seconds.
        """
        since = server_since(self._db, now)
        return since is not None and cutover_row(self._db, cutover_id).created_at < since + QUEUE_S

    def unsettled_elsewhere(self, cutover_id: str, keys: Sequence[str]) -> frozenset[str]:
        """Return SIMs with an order of another plan whose outcome is unknown.

        Such an order may still take effect.
        """
        wanted = select(steps.c.source_key).where(
            among(steps.c.source_key, bindparam("keys")),
            steps.c.plan_no.in_(CUTOVERS.where(plans.c.plan_no != cutover_row(self._db, cutover_id).plan_no)),
            steps.c.kind == StepKind.SOURCE,
            may_yet_take_effect,
        )
        return frozenset(row.source_key for row in self._db.rows(wanted, keys=json_list(keys)))

    def labels_in_force(self, keys: Sequence[str]) -> Mapping[str, str | None]:
        """Return the labels of SIMs in the inventory in force.

        The labels are by key. SIMs that the inventory does not hold are left out.
        """
        sim = source_sims.c
        wanted = select(sim.key, sim.label, sim.raw).where(
            sim.snapshot_id == in_force, among(sim.key, bindparam("keys"))
        )
        return {row.key: _exact(row.label, row.raw) for row in self._db.rows(wanted, keys=json_list(keys))}

    # --- moving on ------------------------------------------------------------------------------------------------

    def skip(
        self,
        cutover_id: str,
        chosen: Selection,
        *,
        now: float,
        dry_run: bool = False,
        why: tuple[str, str] | None = None,
    ) -> Intervened:
        """Skip SIMs: nothing more is sent for them under this plan.

        See `store.cutovers.skip`.
        """
        return skip_sims(self._db, cutover_id, chosen, now=now, dry_run=dry_run, why=why)

    def finish(self, cutover_id: str, now: float) -> None:
        """Note that a plan is used up."""
        plan = cutover_row(self._db, cutover_id)
        this = (plans.c.plan_no == plan.plan_no) & (plans.c.state != PlanState.FINISHED)
        finished = update(plans).where(this).values(state=PlanState.FINISHED, finished_at=now)
        with self._db.write() as connection:
            if changed_rows(connection.execute(finished)):
                note_of_plan(connection, now, "plan.finished", plan, {})

    def _pages(self, statement: Any, plan_no: int, **values: Any) -> Iterator[CutoverItem]:
        after = -1
        while True:
            with self._db.read() as connection:
                rows = connection.execute(statement, {"plan_no": plan_no, "after": after, **values}).all()
                page = _items_of(connection, plan_no, rows)
            yield from page
            if len(rows) < PAGE:
                return
            after = rows[-1].position


def _values(plan_no: int, position: int, row: CutoverRow) -> dict[str, Any]:
    return {
        "plan_no": plan_no,
        "source_key": row.source_iccid.key,
        "source_iccid": row.source_iccid.digits,
        "target_key": None if row.target_iccid is None else row.target_iccid.key,
        "action": row.action.value,
        "reason": row.reason.value,
        "wave": row.wave,
        "overage_order": UNSET,
        "sms_order": UNSET,
        "document": row_line(row),
        "position": position,
    }


def _exact(label: str | None, raw: str) -> str | None:
    """Return a label letter by letter.

    The column has U+FFFD for half an emoji. The record as listed still has the half emoji.

    If the list has no text as the label, the value is returned as JSON in ASCII. No label with U+FFFD can be equal to
    such a text.
    """
    if label is None or UNREAD not in label:
        return label
    told = json.loads(raw).get("label")
    return told if isinstance(told, str) else json.dumps(told)


def _items_of(connection: Connection, plan_no: int, rows: Sequence[Any]) -> list[CutoverItem]:
    taken: dict[str, dict[StepKind, CutoverStep]] = {}
    keys = json_list(row.source_key for row in rows)
    for row in connection.execute(_STEPS, {"plan_no": plan_no, "keys": keys}):
        kind = StepKind(row.kind)
        taken.setdefault(row.source_key, {})[kind] = CutoverStep(
            kind=kind,
            state=StepState(row.state),
            attempts=row.attempts,
            since=row.since,
            code=row.code,
            message=row.message,
            before=json.loads(row.before) if row.before else {},
        )
    return [CutoverItem(row_from(json.loads(row.document)), taken.get(row.source_key, {})) for row in rows]
