"""Target SIMs that plans put on our organization or leave alone.

The plans are all plans of this store.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, bindparam, or_, select

from migrator.chunks import PAGE
from migrator.core.fleet.identifiers import Iccid
from migrator.core.plan.plan import ACTING
from migrator.core.run.states import PlanState, StepKind, StepState
from migrator.store.database.database import Database
from migrator.store.database.rows import by_page, is_later
from migrator.store.database.sql import Query, json_at
from migrator.store.plans.lookup import MIGRATIONS, plan_row
from migrator.store.tables.plans import changes, plans, steps

__all__ = ["Expectations"]


def _has_step(**values: Any) -> ColumnElement[bool]:
    same = (steps.c.plan_no == changes.c.plan_no) & (steps.c.source_key == changes.c.source_key)
    wanted = [steps.c[name] == value for name, value in values.items()]
    return select(steps.c.source_key).where(same, *wanted).exists()


_was_there = json_at(changes.c.document, "before.device_id").is_not(None)
_was_claimed = _has_step(kind=StepKind.CLAIM, state=StepState.DONE)
_is_left_alone = _has_step(state=StepState.SKIPPED)
_is_put_there = or_(_was_claimed, _was_there, or_(*(changes.c.action == action for action in ACTING)) & ~_is_left_alone)
"""True if a target SIM belongs on our organization.

A SIM that was ours when the plan was made is expected there, whatever the plan does with the SIM.
"""

_NEXT = (
    select(changes.c.source_key, changes.c.target_key)
    .where(changes.c.plan_no == bindparam("plan_no"), is_later(changes.c.source_key))
    .where(changes.c.target_key.is_not(None))
    .order_by(changes.c.source_key)
    .limit(PAGE)
)
_PUT_THERE, _LEFT_ALONE = Query(_NEXT.where(_is_put_there)), Query(_NEXT.where(~_is_put_there))


class Expectations:
    """Reader of plans and their steps; reads nothing else."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put_there(self, plan_id: str) -> Iterator[Iccid]:
        """Yield the target SIMs that belong on our organization.

        This plan, or any other plan that was begun, claims these SIMs or found them on our organization.
        """
        plan_no = plan_row(self._db, plan_id).plan_no
        begun = MIGRATIONS.where(plans.c.state.in_([PlanState.STARTED, PlanState.FINISHED]))
        for other in {plan_no, *(row.plan_no for row in self._db.rows(begun))}:
            yield from self._iccids(_PUT_THERE, other)

    def left_alone(self, plan_id: str) -> Iterator[Iccid]:
        """Yield paired target SIMs that must not be claimed.

        The plan or an operator decided not to claim these SIMs.
        """
        yield from self._iccids(_LEFT_ALONE, plan_row(self._db, plan_id).plan_no)

    def tags(self, plan_id: str) -> frozenset[str]:
        """Return the tags that a plan puts on devices."""
        tag = json_at(changes.c.document, "tag").label("tag")
        plan_no = plan_row(self._db, plan_id).plan_no
        found = self._db.rows(select(tag).where(changes.c.plan_no == plan_no, tag.is_not(None)).distinct())
        return frozenset(row.tag for row in found)

    def _iccids(self, query: Query, plan_no: int) -> Iterator[Iccid]:
        rows = by_page(lambda after: self._db.tuples(query, plan_no=plan_no, after=after))
        return (Iccid(key, key) for _, key in rows)
