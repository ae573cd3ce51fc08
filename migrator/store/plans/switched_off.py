"""Old SIMs that cutovers of ours switched off.

The lookup is by SIM, whichever plan of the store a cutover belongs to.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select

from migrator.chunks import chunks
from migrator.core.cutover.plan import Aside
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import Candidate, SourceStatus, source_status
from migrator.core.fleet.switched_off import SwitchedOff, as_before
from migrator.core.run.doubts import MAY_STILL_COME
from migrator.core.run.states import IN_DOUBT, PlanKind, StepKind, StepState
from migrator.store.database.database import Database
from migrator.store.database.rows import AnyRow, among, json_list
from migrator.store.database.sql import json_at
from migrator.store.plans.lookup import CUTOVERS
from migrator.store.tables.plans import changes, plans, steps

__all__ = [
    "as_planned",
    "may_have_taken_effect",
    "may_yet_take_effect",
    "switched_off",
    "switched_off_among",
]

_step, _plan, _item, _migration = steps.c, plans.c, changes.c, plans.alias("migration")

may_yet_take_effect = _step.state.in_(IN_DOUBT) | ((_step.state == StepState.PENDING) & _step.code.in_(MAY_STILL_COME))
may_have_taken_effect = (
    may_yet_take_effect | (_step.state == StepState.DONE) | ((_step.state == StepState.SKIPPED) & (_step.attempts > 0))
)
"""Condition for an order that was sent and not refused for good."""

_is_off = (_plan.kind == PlanKind.CUTOVER) & (_step.kind == StepKind.SOURCE) & may_have_taken_effect
_is_on = (_plan.kind == PlanKind.ROLLBACK) & (
    ((_step.kind == StepKind.SOURCE) & ((_step.state == StepState.DONE) | (_step.code == Aside.ALREADY)))
    | ((_step.kind == StepKind.PAUSE) & _step.state.in_((StepState.DONE, StepState.SKIPPED)))
)
_TURNS = (
    select(
        _step.source_key,
        _step.kind.label("step"),
        _step.before,
        _plan.kind,
        _plan.plan_id.label("cutover_id"),
        _migration.c.plan_id,
        json_at(_item.document, "target_iccid").label("target"),
    )
    .join_from(steps, plans, _step.plan_no == _plan.plan_no)
    .join(_migration, _migration.c.plan_no == _plan.of_plan_no)
    .join(changes, (_item.plan_no == _step.plan_no) & (_item.source_key == _step.source_key))
    .where(_step.plan_no.in_(CUTOVERS), or_(_is_off, _is_on))
    .order_by(_plan.started_at, _plan.plan_no, _step.kind.desc())  # "source" before "pause"
)
_TURNS_AMONG = _TURNS.where(among(_step.source_key, bindparam("keys")))


def switched_off(database: Database, keys: Iterable[str] | None = None) -> dict[str, SwitchedOff]:
    """Return SIMs that a cutover of ours switched off, by key.

    A SIM that a cutover may have switched off counts, too. A SIM that a rollback took all the way back does not count.

    Args:
        database: the open store.
        keys: only these SIMs; None for all.
    """
    if keys is None:
        return _off(database.rows(_TURNS))
    with database.read() as connection:
        return switched_off_among(connection, keys)


def switched_off_among(connection: Connection, keys: Iterable[str]) -> dict[str, SwitchedOff]:
    """Return some SIMs as `switched_off` does, within the caller's transaction."""
    found: dict[str, SwitchedOff] = {}
    for chunk in chunks(keys):
        found |= _off(connection.execute(_TURNS_AMONG, {"keys": json_list(chunk)}))
    return found


def as_planned(database: Database, found: Iterable[Candidate]) -> Iterator[Candidate]:
    """Yield candidates with each SIM as it is planned.

    See `core.fleet.switched_off`.
    """
    for chunk in chunks(found):
        off = switched_off(database, [one.sim.iccid.key for one in chunk])
        if not off:
            yield from chunk
            continue
        yield from (one._replace(sim=as_before(one.sim, off.get(one.sim.iccid.key))) for one in chunk)


def _off(turns: Iterable[AnyRow]) -> dict[str, SwitchedOff]:
    """Return the state of each SIM after all its turns.

    The turns, cutovers and rollbacks, come oldest first.
    """
    off: dict[str, SwitchedOff] = {}
    for row in turns:
        key, was = row.source_key, off.get(row.source_key)
        if row.kind == PlanKind.CUTOVER:
            off[key] = SwitchedOff(row.cutover_id, row.plan_id, _target(row.target), _before(row.before, was))
        elif row.step == StepKind.PAUSE:
            off.pop(key, None)
        elif was is not None:
            off[key] = SwitchedOff(was.cutover_id, was.plan_id, was.target, was.status_before, is_on_again=True)
    return off


def _before(told: str | None, earlier: SwitchedOff | None) -> SourceStatus:
    """Return the status of a SIM before it was switched off.

    A second order, after an order whose outcome was unknown, may have met the SIM off already. Then the status from
    before the first order counts. Only a SIM that was on is ordered off, so a row without a status means that the SIM
    was on.
    """
    values: dict[str, Any] = json.loads(told) if told else {}
    status = source_status(values["status"]) if values.get("status") else SourceStatus.ENABLED
    if status is SourceStatus.DISABLED and earlier is not None and not earlier.is_on_again:
        return earlier.status_before
    return status


def _target(digits: str | None) -> Iccid | None:
    return None if digits is None else Iccid.parse(digits)
