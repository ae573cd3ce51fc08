"""Signs: what a run looks at before each request, in one read.

A store in another machine answers each read after a while, and there is a look before each request.
"""

from collections.abc import Sequence

from sqlalchemy import bindparam, literal_column, select

from migrator.core.run.control import Ceiling, Order, OrderKind, Signs
from migrator.store.control.lease import Owner, lost_to, owner_of
from migrator.store.database.database import Database
from migrator.store.database.rows import AnyRow
from migrator.store.tables.plans import lease, orders, plans, rates

__all__ = ["read_signs"]

_always = select(literal_column("1").label("one")).subquery("always")
_this_plan = select(plans.c.plan_no).where(plans.c.plan_id == bindparam("plan_id")).scalar_subquery()
_SIGNS = (
    select(
        *(lease.c.host, lease.c.pid, lease.c.process_started_at),
        *(orders.c.kind, orders.c.given_by, orders.c.given_at),
        *(rates.c.carrier, rates.c.ceiling, rates.c.ceiling_by, rates.c.ceiling_at),
    )
    .select_from(_always)
    .outerjoin(lease, lease.c.one == _always.c.one)
    .outerjoin(orders, orders.c.plan_no == _this_plan)
    .outerjoin(rates, rates.c.ceiling.is_not(None))
)
"""Lease and order beside each ceiling.

There is one row where no ceiling was ordered, also where there is neither lease nor order.
"""


def read_signs(database: Database, plan_id: str, holder: Owner | None) -> Signs:
    """Return order and ceilings.

    Raises: LeaseLost, if `holder` is somebody, and does not hold the lease.
    """
    rows = database.rows(_SIGNS, plan_id=plan_id)
    first = rows[0]
    if holder is not None and owner_of(first) != holder:
        raise lost_to(first if first.pid is not None else None)
    return Signs(_order(first), _ceilings(rows))


def _order(row: AnyRow) -> Order | None:
    return None if row.kind is None else Order(OrderKind(row.kind), row.given_by, row.given_at)


def _ceilings(rows: Sequence[AnyRow]) -> dict[str, Ceiling]:
    found = (row for row in rows if row.ceiling is not None)
    return {row.carrier: Ceiling(row.ceiling, row.ceiling_by, row.ceiling_at) for row in found}
