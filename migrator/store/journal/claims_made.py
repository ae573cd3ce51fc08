"""Claims of all plans: their number, and how long one may take.

SIMs that may have been claimed count, too. This is the journal's own count, for caps over all plans.
"""

import json
from decimal import Decimal
from functools import lru_cache

from sqlalchemy import bindparam, func, or_, select

from migrator.core.money.caps import Claimed
from migrator.core.money.prices import confirmed_prices
from migrator.core.plan.document import header_from
from migrator.core.run.doubts import Doubt
from migrator.core.run.states import IN_DOUBT, StepKind, StepState
from migrator.store.database.database import Database
from migrator.store.facts import fact, keep_fact
from migrator.store.pairs.paid_pairs import MAY_BE_PAID
from migrator.store.plans.lookup import is_migration, plan_row
from migrator.store.tables.plans import plans, steps

__all__ = ["claims_made", "claims_may_take", "price_of"]

_LONGEST = "claim_timeout_s"
_OPEN = select(steps.c.plan_no).where(
    steps.c.plan_no.in_(select(plans.c.plan_no)),
    steps.c.kind == StepKind.CLAIM,
    steps.c.state.in_(IN_DOUBT),
)

_BEGUN = (
    select(plans.c.plan_no, plans.c.plan_id)
    .where(plans.c.started_at.is_not(None), plans.c.plan_id.is_not(None), is_migration)
    .order_by(plans.c.plan_no)
)
_OVER = (StepState.FAILED, StepState.SKIPPED)
_is_named = steps.c.state.in_(_OVER) & (steps.c.code == Doubt.CLAIMED_UNSEEN)  # the carrier says that it charged
_SIMS = (
    select(func.count())
    .where(steps.c.plan_no == bindparam("plan_no"), steps.c.kind == StepKind.CLAIM)
    .where(steps.c.state.in_((*MAY_BE_PAID, *_OVER)), or_(steps.c.state.in_(MAY_BE_PAID), _is_named))
)


def claims_made(database: Database, org_id: int) -> list[Claimed]:
    """Return the claims of an organization's begun plans, oldest first.

    Claims that may have happened count, too.
    """
    made = []
    for row in database.rows(_BEGUN):
        of_org, price = _terms(plan_row(database, row.plan_id).header)
        if of_org == org_id:
            sims = int(database.rows(_SIMS, plan_no=row.plan_no)[0][0])
            made.append(Claimed(row.plan_id, sims, price))
    return made


def price_of(database: Database, plan_id: str) -> Decimal | None:
    """Return the confirmed price of a SIM in a plan, or None."""
    return _terms(plan_row(database, plan_id).header)[1]


def claims_may_take(database: Database, seconds: float) -> float:
    """Note how long claims may take now; return the longest.

    The longest of those that hold for a claim whose outcome is unknown. Once no claim is open, the earlier ones are
    forgotten.
    """
    with database.write() as connection:
        before = fact(connection, _LONGEST) if connection.scalar(_OPEN.limit(1)) is not None else None
        longest = seconds if before is None else max(seconds, float(before))
        keep_fact(connection, _LONGEST, repr(longest))
    return longest


@lru_cache(maxsize=4096)
def _terms(header: str) -> tuple[int, Decimal | None]:
    """Return a plan's organization and its confirmed price of a SIM.

    Both come from the plan's header. Headers never change.
    """
    found = header_from(json.loads(header))
    return found.org_id, confirmed_prices(found.summary).per_period
