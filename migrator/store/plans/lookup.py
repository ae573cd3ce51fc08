"""Rows of plans by their id, of one kind or of any."""

from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Row, and_, bindparam, or_, select

from migrator.core.run.states import CLAIMING_PLANS
from migrator.errors import NoSuchPlan
from migrator.store.database.database import Database
from migrator.store.tables.plans import plans

__all__ = [
    "CUTOVERS",
    "MIGRATIONS",
    "any_plan_row",
    "cutover_row",
    "fresh_plan_row",
    "is_cutover",
    "is_migration",
    "plan_row",
]

is_migration = or_(*(plans.c.kind == kind for kind in CLAIMING_PLANS))
"""Condition for a plan that claims SIMs."""

is_cutover = and_(*(plans.c.kind != kind for kind in CLAIMING_PLANS))
"""Condition for a cutover or rollback.

A damaged row of no kind counts, too: somebody must notice it.
"""

MIGRATIONS = select(plans.c.plan_no).where(is_migration)
CUTOVERS = select(plans.c.plan_no).where(is_cutover)
"""Query for the cutovers and rollbacks.

Plans are few: with them in a condition, the primary key finds a SIM's rows at once.
"""

_PLAN = select(plans).where(plans.c.plan_id == bindparam("plan_id"))
_KNOWN: WeakKeyDictionary[Database, dict[str, Row[Any]]] = WeakKeyDictionary()


def plan_row(database: Database, plan_id: str) -> Row[Any]:
    """Return the row of a migration, as this process first read it.

    Only the state of a plan ever changes.

    Raises: InputError, if there is no such plan.
    """
    return _of_migration(any_plan_row(database, plan_id))


def fresh_plan_row(database: Database, plan_id: str) -> Row[Any]:
    """Return the row of a migration as it is now.

    Raises: InputError, if there is no such plan.
    """
    return _of_migration(_fresh(database, plan_id))


def cutover_row(database: Database, plan_id: str) -> Row[Any]:
    """Return the row of a cutover or rollback as it is now.

    Raises: InputError, if there is no such plan.
    """
    row = _found(database, plan_id)
    if row is None or row.kind in CLAIMING_PLANS:
        raise NoSuchPlan(
            f"there is no cutover or rollback plan {plan_id!r} in this store",
            hint="`migrator cutover plan` or `migrator rollback plan` makes one",
        )
    return row


def any_plan_row(database: Database, plan_id: str) -> Row[Any]:
    """Return the row of any plan, as this process first read it.

    Raises: InputError, if there is no such plan.
    """
    known = _KNOWN.setdefault(database, {})
    if plan_id not in known:
        known[plan_id] = _fresh(database, plan_id)
    return known[plan_id]


def _fresh(database: Database, plan_id: str) -> Row[Any]:
    row = _found(database, plan_id)
    if row is None:
        raise _no_plan(plan_id)
    return row


def _found(database: Database, plan_id: str) -> Row[Any] | None:
    with database.read() as connection:
        return connection.execute(_PLAN, {"plan_id": plan_id}).one_or_none()


def _of_migration(row: Row[Any]) -> Row[Any]:
    if row.kind not in CLAIMING_PLANS:
        raise _no_plan(row.plan_id)
    return row


def _no_plan(plan_id: str) -> NoSuchPlan:
    return NoSuchPlan(
        f"there is no plan {plan_id!r} in this store",
        hint="`migrator plan list` shows the plans; `migrator plan create` makes one",
    )
