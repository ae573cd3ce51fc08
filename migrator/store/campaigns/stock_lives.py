"""Lives of stock cards that no pair names."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, func, select

from migrator.core.campaign.life import ExceptionCode, LifeStage, SimLife
from migrator.core.fleet.sims import LinkState
from migrator.core.run.states import StepKind, StepState
from migrator.store.database.database import Database
from migrator.store.database.rows import is_later
from migrator.store.pairs.paid_pairs import STOCK_PLANS
from migrator.store.tables.fleet import pairs, stock, target_links
from migrator.store.tables.plans import plans, steps

__all__ = ["stock_counts", "stock_keys", "stock_lives"]

_claim = steps.c
_IS_CLAIM = (_claim.source_key == stock.c.key) & _claim.plan_no.in_(STOCK_PLANS) & (_claim.kind == StepKind.CLAIM)
_state = (  # the newest plan counts
    select(_claim.state).where(_IS_CLAIM).order_by(_claim.plan_no.desc()).limit(1).correlate(stock).scalar_subquery()
)
_plan = select(func.max(_claim.plan_no)).where(_IS_CLAIM).correlate(stock).scalar_subquery()
_since = select(func.max(_claim.since)).where(_IS_CLAIM).correlate(stock).scalar_subquery()
_free = ~select(pairs.c.target_key).where(pairs.c.target_key == stock.c.key).exists()
_device = target_links.c.device_id.is_not(None) & (target_links.c.present == 1)
_COUNTED = (
    select(_device.label("is_device"), target_links.c.state.label("link"), _state.label("claim"), func.count())
    .outerjoin_from(stock, target_links, target_links.c.key == stock.c.key)
    .where(_free)
    .group_by("is_device", "link", "claim")
)
_IS_OURS = _free & (_device | (_state == StepState.DONE))
_KEYS = (
    select(stock.c.key)
    .outerjoin_from(stock, target_links, target_links.c.key == stock.c.key)
    .where(_IS_OURS)
    .order_by(stock.c.key)
)
_LISTED = (
    select(
        stock.c.key,
        stock.c.iccid,
        _device.label("is_device"),
        target_links.c.state,
        target_links.c.claimed_at,
        _state.label("claim"),
        _since.label("since"),
        select(plans.c.plan_id).where(plans.c.plan_no == _plan).scalar_subquery().label("plan_id"),
    )
    .outerjoin_from(stock, target_links, target_links.c.key == stock.c.key)
    .where(_IS_OURS, is_later(stock.c.key))
    .order_by(stock.c.key)
    .limit(bindparam("limit"))
)


def stock_counts(database: Database) -> Mapping[LifeStage, int]:
    """Count the cards of the stock that no pair names, by stage."""
    found: Counter[LifeStage] = Counter()
    with database.read() as connection:
        for is_device, link, claim, cards in connection.execute(_COUNTED):
            found[_standing(is_device=bool(is_device), link=link, claim=claim)[0]] += cards
    return found


def stock_keys(database: Database) -> list[str]:
    """Return the keys of claimed cards without a unit, sorted."""
    return [row.key for row in database.rows(_KEYS)]


def stock_lives(database: Database, after: str, limit: int) -> list[tuple[str, SimLife]]:
    """Return claimed cards without a unit, with their keys."""
    rows = database.rows(_LISTED, after=after, limit=limit)
    return [(row.key, _life(row)) for row in rows]


def _life(row: Any) -> SimLife:
    stage, code = _standing(is_device=bool(row.is_device), link=row.state, claim=row.claim)
    return SimLife(None, row.iccid, stage, code, since_s=row.since, plan_id=row.plan_id, claimed_s=row.since)


def _standing(*, is_device: bool, link: str | None, claim: str | None) -> tuple[LifeStage, ExceptionCode | None]:
    if is_device or claim == StepState.DONE:
        return (LifeStage.STAGED if link == LinkState.TEST else LifeStage.IN_STOCK), None
    if claim in {StepState.IN_FLIGHT, StepState.UNCERTAIN}:
        return LifeStage.EXCEPTION, ExceptionCode.IN_DOUBT
    if claim == StepState.FAILED:
        return LifeStage.EXCEPTION, ExceptionCode.REFUSED
    return LifeStage.WAITING, None
