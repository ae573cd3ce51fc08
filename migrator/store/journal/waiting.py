"""SIMs that have been waiting for a carrier for too long."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Subquery, case, func, literal, or_, select

from migrator.core.plan.plan import ACTING
from migrator.core.run.states import UNSETTLED
from migrator.core.run.steps import Verdict
from migrator.store.database.database import Database
from migrator.store.journal.verifications import set_aside
from migrator.store.plans.lookup import plan_row
from migrator.store.tables.fleet import target_links
from migrator.store.tables.plans import changes, request_items, requests, steps, verifications

__all__ = ["DAY_S", "HALF_HOUR_S", "Stuck", "Waiting", "stuck_sims"]

HALF_HOUR_S, DAY_S = 1800.0, 86_400.0
MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Waiting:
    """SIM that waits for a carrier.

    `since` is the time since when the SIM waits (UTC seconds). `state_word` is the last state in Hologram's record.
    """

    source_iccid: str
    target_iccid: str | None
    since: float
    state_word: str | None


@dataclass(frozen=True, slots=True)
class Stuck:
    """Counts of SIMs that wait too long, and the longest waits.

    The counts are of SIMs that have waited longer than half an hour, and longer than a day.
    """

    half_hour: int
    day: int
    oldest: tuple[Waiting, ...] = ()


def stuck_sims(database: Database, plan_id: str, now: float) -> Stuck:
    """Return the SIMs of a plan that have waited too long.

    Such SIMs were begun, are not settled, and have waited for longer than half an hour.
    """
    plan = plan_row(database, plan_id)
    waiting = _waiting(plan.plan_no, begun_at=plan.started_at)
    since = waiting.c.since
    day = func.sum(case((since <= now - DAY_S, 1), else_=0))
    counted = select(func.count().label("half_hour"), func.coalesce(day, 0).label("day"))
    oldest = select(waiting).where(since <= now - HALF_HOUR_S).order_by(since, waiting.c.source_iccid)
    with database.read() as connection:
        counts = connection.execute(counted.where(since <= now - HALF_HOUR_S)).one()
        rows = connection.execute(oldest.limit(MOST_SHOWN)).all()
    found = (Waiting(row.source_iccid, row.target_iccid, row.since, row.state_word) for row in rows)
    return Stuck(counts.half_hour, counts.day, tuple(found))


def _waiting(plan_no: int, *, begun_at: float | None) -> Subquery:
    """Select SIMs that wait, and the time since when each waits.

    A SIM waits if a step is under way or the verdict is pending. The time is the first of these that exists:

    - when the first request of a step that is not settled went out, however often the step was ordered since;
    - when the last step was settled;
    - when the plan was begun, for a SIM that was never ordered anything.
    """
    of_sim = (steps.c.plan_no == changes.c.plan_no) & (steps.c.source_key == changes.c.source_key)
    sent = (request_items.c.plan_no == steps.c.plan_no) & (request_items.c.source_key == steps.c.source_key)
    first_sent = (
        select(func.min(requests.c.intent_at))
        .join_from(steps, request_items, sent)
        .join(requests, requests.c.request_id == request_items.c.request_id)
        .where(of_sim, _is_open(), requests.c.kind == steps.c.kind)
        .correlate(changes)
        .scalar_subquery()
    )
    last_settled = select(func.max(steps.c.since)).where(of_sim).correlate(changes).scalar_subquery()
    under_way = select(steps.c.source_key).where(steps.c.plan_no == plan_no, _is_open(), steps.c.attempts > 0)
    pending = select(verifications.c.source_key).where(
        verifications.c.plan_no == plan_no, verifications.c.verdict == Verdict.PENDING.value
    )
    return (
        select(
            changes.c.source_iccid,
            target_links.c.iccid.label("target_iccid"),
            func.coalesce(first_sent, last_settled, literal(begun_at)).label("since"),
            target_links.c.state_word,
        )
        .outerjoin_from(changes, target_links, target_links.c.key == changes.c.target_key)
        .where(changes.c.plan_no == plan_no, changes.c.action.in_(ACTING))
        .where(or_(changes.c.source_key.in_(under_way), changes.c.source_key.in_(pending)))
        .where(changes.c.source_key.not_in(set_aside(plan_no)))
        .subquery()
    )


def _is_open() -> ColumnElement[bool]:
    return steps.c.state.in_(UNSETTLED)
