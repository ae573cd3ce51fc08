"""The guard: a step moves only from an allowed state.

The table says which states are allowed. The row of a step says in which state the step is.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Float, Update, bindparam, case, literal, or_, select, update
from sqlalchemy.exc import IntegrityError

from migrator.core.run.states import CUTOVER_STEPS, STEP_TRANSITIONS, StepEvent, StepKind, StepState, advance
from migrator.errors import IllegalTransition
from migrator.store.database.database import storable
from migrator.store.database.rows import among, json_list
from migrator.store.database.sql import Insert, changed_rows, elements_of, insert
from migrator.store.log import NEXT_NO, PlanRow, moved, note_of_plan
from migrator.store.tables.plans import steps
from migrator.store.tables.types import Integer, Text

__all__ = ["move_noted", "move_steps"]

S = StepState


def move_noted(
    connection: Connection,
    plan: PlanRow,
    kind: StepKind,
    event: StepEvent,
    keys: Mapping[str, tuple[str, str]],
    *,
    now: float,
    not_before: float = 0.0,
) -> None:
    """Move steps, and add an event for the move to the log.

    Use this function only where no other event of the log reports the move.
    """
    move_steps(connection, plan.plan_no, kind, event, keys, now=now, not_before=not_before)
    note_of_plan(connection, now, "steps.moved", plan, moved(kind, event, keys))


def move_steps(
    connection: Connection,
    plan_no: int,
    kind: StepKind,
    event: StepEvent,
    keys: Mapping[str, tuple[str, str]],
    *,
    now: float,
    not_before: float = 0.0,
) -> None:
    """Move every step or raise.

    The state in the row of a step decides whether the step may take the event. Without SIMs nothing is done.
    """
    if not keys:
        return
    alike: dict[tuple[str, str], list[str]] = {}
    for key, words in keys.items():
        alike.setdefault(words, []).append(key)
    values = {"at_plan": plan_no, "at_kind": kind.value, "since": now, "not_before": not_before}
    count = 0
    try:
        for statement in _MOVES[event]:
            for (code, message), some in alike.items():
                told = {"keys": json_list(some), "code": code, "message": storable(message)}
                count += changed_rows(connection.execute(statement, values | told))
    except IntegrityError:
        raise IllegalTransition(f"a step {kind} of a SIM that is not in the plan cannot take {event}") from None
    if count != len(keys):
        raise IllegalTransition(
            f"{len(keys) - count} of {len(keys)} steps {kind} cannot take the event {event} from where they stand"
        )


def _moves(event: StepEvent) -> tuple[Update | Insert, ...]:
    """Return the guarded statements by which a step takes an event.

    There is one statement for each state from which a step may take the event.
    """
    sources = sorted((was for was, taken in STEP_TRANSITIONS if taken is event), key=lambda was: was is S.PENDING)
    return tuple(_from_pending(event) if was is S.PENDING else _from(was, event) for was in sources)


_keys = elements_of(bindparam("keys")).subquery("moved")
"""Keys of one list.

All steps with the same words move in one statement.
"""

_NAMES = ["plan_no", "source_key", "kind", "state", "attempts", "since", "not_before", "code", "message", "moved_no"]
_is_of_cutover = or_(*(steps.c.kind == kind.value for kind in CUTOVER_STEPS))
_KEPT_AT_RETRY: ColumnElement[int] = case((_is_of_cutover, steps.c.attempts), else_=literal(0))
"""Attempts that a retry leaves.

An operator's word gives a step all its tries again. That an old or new SIM was ordered is never forgotten: the order
may still take effect, which other plans must know.
"""


def _new_values(event: StepEvent) -> dict[str, ColumnElement[Any]]:
    begun = {StepEvent.BEGIN: 1, StepEvent.MORE: -1}.get(event, 0)  # parts of a step are one attempt
    kept: ColumnElement[int] = _KEPT_AT_RETRY if event is StepEvent.OPERATOR_RETRY else steps.c.attempts
    return {
        "attempts": kept + begun,
        "since": bindparam("since"),
        "not_before": bindparam("not_before"),
        "code": bindparam("code"),
        "message": bindparam("message"),
        "moved_no": NEXT_NO,
    }


def _from(was: StepState, event: StepEvent) -> Update:
    this = (
        (steps.c.plan_no == bindparam("at_plan"))
        & among(steps.c.source_key, bindparam("keys"))
        & (steps.c.kind == bindparam("at_kind"))
    )
    return update(steps).where(this, steps.c.state == was).values(state=advance(was, event), **_new_values(event))


def _from_pending(event: StepEvent) -> Insert:
    """Return the statement by which a PENDING step takes an event.

    A step without a row is PENDING, and gets a row. If the step has a row, the row must say PENDING.
    """
    to = advance(S.PENDING, event)
    told = select(
        bindparam("at_plan", type_=Integer),
        _keys.c.value,
        bindparam("at_kind", type_=Text),
        literal(to.value, Text),
        literal(1 if event is StepEvent.BEGIN else 0, Integer),
        bindparam("since", type_=Float),
        bindparam("not_before", type_=Float),
        bindparam("code", type_=Text),
        bindparam("message", type_=Text),
        NEXT_NO,
    ).where(_keys.c.value.is_not(None))  # without a condition, SQLite would take ON CONFLICT for one of a join
    statement = insert(steps).from_select(_NAMES, told)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=["plan_no", "source_key", "kind"],
        set_={
            "state": to,
            "attempts": steps.c.attempts + new.attempts,
            "since": new.since,
            "not_before": new.not_before,
            "code": new.code,
            "message": new.message,
            "moved_no": new.moved_no,
        },
        where=steps.c.state == S.PENDING,
    )


_MOVES = {event: _moves(event) for event in StepEvent}
