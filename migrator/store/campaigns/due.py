"""SIMs that are due in a campaign, and its spending.

Everything is counted from plans, journal and reads; nothing is counted beside them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, bindparam, case, func, or_, select, tuple_

from migrator.chunks import chunks
from migrator.core.campaign.budget import Spent
from migrator.core.campaign.life import ExceptionCode
from migrator.core.campaign.state import Campaign
from migrator.core.cutover.plan import Aside
from migrator.core.cutover.rules import moment_s
from migrator.core.plan.plan import Action
from migrator.core.run.doubts import Doubt
from migrator.core.run.states import PlanKind, PlanState, StepKind, StepState
from migrator.core.run.steps import UNREAD, Verdict
from migrator.store.database.database import Database
from migrator.store.database.rows import among, json_list
from migrator.store.database.sql import greater, insert
from migrator.store.inventory.snapshots import in_force
from migrator.store.journal.claims_made import price_of
from migrator.store.pairs.paid_pairs import is_paid, may_be_paid
from migrator.store.plans.lookup import CUTOVERS
from migrator.store.tables.campaigns import claim_retries, first_lives, shipped_cards
from migrator.store.tables.fleet import pairs, source_sims, target_links, unit_facts
from migrator.store.tables.plans import changes, plans, request_items, requests, steps, verifications
from migrator.store.tables.types import Integer

__all__ = ["Due", "Rested", "WaitingSim"]

_plan, _change, _step = plans.c, changes.c, steps.c
_OF = and_(_plan.campaign_no == bindparam("campaign_no"), _plan.kind == PlanKind.MIGRATE, _plan.plan_id.is_not(None))
_is_claim = and_(_step.plan_no == _change.plan_no, _step.source_key == _change.source_key, _step.kind == StepKind.CLAIM)
_judged = verifications.c
_OPEN = (UNREAD, Verdict.PENDING, Verdict.STAGED)
_LEFT = (Action.SKIP, Action.BLOCK)
_OVER = (StepState.FAILED, StepState.SKIPPED)


def _is_later(no: ColumnElement[int], at: ColumnElement[float], than: tuple[Any, Any]) -> ColumnElement[bool]:
    """True for what came later in the log than something else.

    The log's numbers only grow, which times may not. Where neither side has a number, as in a store of an older
    version, the times tell.
    """
    than_no, than_at = than
    return or_(no > than_no, and_(no == 0, than_no == 0, at > than_at))


_moved = (_step.moved_no, _step.since)
_asked_at, _asked_no = func.coalesce(claim_retries.c.asked_at, 0), func.coalesce(claim_retries.c.asked_no, 0)
_is_asked_since = _is_later(_asked_no, _asked_at, _moved)
"""Condition of a step whose SIM was asked for again since."""

_was_left, _is_over = _change.action.in_(_LEFT), func.coalesce(_step.state, "").in_(_OVER)
_judged_at = func.coalesce(_judged.verified_at, _plan.created_at)
_is_handled = or_(  # a plan has done what it can for the SIM, or is about to
    _plan.state == PlanState.STARTED,
    and_(_change.action == Action.NO_OP, _asked_at <= _judged_at),
    and_(_was_left, _asked_at <= _plan.created_at),
    and_(~_was_left, _is_over, ~_is_asked_since),
    and_(~_was_left, ~_is_over, func.coalesce(_judged.verdict, UNREAD).not_in(_OPEN), _asked_at <= _judged_at),
)
_MIGRATES = and_(_plan.kind == PlanKind.MIGRATE, _plan.plan_id.is_not(None))
_newer, _newer_plan = changes.alias("newer"), plans.alias("newer_plan")
_HANDLED = (  # what was refused under any plan is not asked for again
    select(_change.source_key, _change.target_key)
    .join_from(plans, changes, _change.plan_no == _plan.plan_no)
    .outerjoin(steps, _is_claim)
    .outerjoin(verifications, (_judged.plan_no == _change.plan_no) & (_judged.source_key == _change.source_key))
    .outerjoin(claim_retries, claim_retries.c.source_key == _change.source_key)
    .where(_MIGRATES, or_(_plan.campaign_no == bindparam("campaign_no"), and_(~_was_left, _is_over)))
    .where(_plan.state.in_((PlanState.STARTED, PlanState.FINISHED)), _change.target_key.is_not(None))
    .where(_is_handled)
)
_WAITING = (
    select(
        pairs.c.source_key,
        pairs.c.target_key,
        unit_facts.c.scanned_at,
        shipped_cards.c.noted_at,
    )
    .join_from(pairs, source_sims, (source_sims.c.key == pairs.c.source_key) & (source_sims.c.snapshot_id == in_force))
    .outerjoin(unit_facts, unit_facts.c.source_key == pairs.c.source_key)
    .outerjoin(shipped_cards, shipped_cards.c.key == pairs.c.target_key)
    .where(tuple_(pairs.c.source_key, pairs.c.target_key).not_in(_HANDLED))
    .order_by(pairs.c.paired_at, pairs.c.source_key)
)
_claimed_at = (
    select(func.max(requests.c.intent_at))
    .join(request_items, request_items.c.request_id == requests.c.request_id)
    .where(request_items.c.plan_no == _step.plan_no, request_items.c.source_key == _step.source_key)
    .where(requests.c.kind == StepKind.CLAIM)
    .scalar_subquery()
)
_SPENT = (
    select(
        _plan.plan_id,
        func.count().label("sims"),
        func.sum(case((_claimed_at >= bindparam("since"), 1), else_=0)).label("today"),
    )
    .join_from(plans, steps, _step.plan_no == _plan.plan_no)
    .where(_OF, may_be_paid(steps))
    .group_by(_plan.plan_no)
)
_is_claimed = and_(_step.kind == StepKind.CLAIM, _step.state != StepState.SKIPPED)
_is_after_resume = _is_later(*_moved, (bindparam("since_no", type_=Integer), bindparam("since")))


def _newest_failure(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.max(case((_step.state == StepState.FAILED, column)))


def _first_claim(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.min(func.min(case((_is_claimed, column)))).over(partition_by=_step.source_key)


_of_each = (
    select(
        _newest_failure(_step.moved_no).label("failed_no"),
        _newest_failure(_step.since).label("failed_at"),
        _first_claim(_step.moved_no).label("began_no"),
        _first_claim(_step.since).label("began_at"),
        func.row_number().over(partition_by=_step.source_key, order_by=_plan.plan_no.desc()).label("newest"),
    )
    .join_from(plans, steps, _step.plan_no == _plan.plan_no)
    .where(_OF, _is_after_resume, _step.state != StepState.PENDING)  # what was put back tells nothing
    .group_by(_step.source_key, _plan.plan_no)
    .subquery()
)
_newest_no = func.coalesce(_of_each.c.failed_no, _of_each.c.began_no)
_BEGUN = (  # each SIM by its newest plan: a retry that went well is no failure
    select(_of_each.c.failed_no)
    .where(_of_each.c.newest == 1)  # what is set up later, or planned again, makes no unit a newer one
    .where(_newest_no.is_not(None))  # and a unit whose card was paid otherwise is none: nothing was claimed for it
    .order_by(_newest_no.desc(), func.coalesce(_of_each.c.failed_at, _of_each.c.began_at).desc())
    .limit(bindparam("most"))
)
_life = first_lives.c
_of_now = (_life.target_key == target_links.c.key) & (_life.imei == func.coalesce(target_links.c.imei, ""))
"""Condition of the life of a card in its present hardware."""

_later = first_lives.alias("later")
_was_elsewhere = (  # in other hardware since: its life here begins anew
    select(_later.c.target_key)
    .where(_later.c.target_key == _life.target_key, _later.c.seen_at > _life.seen_at)
    .exists()
)
_NEWLY_ALIVE = (
    select(target_links.c.key, target_links.c.imei, target_links.c.claimed_at, target_links.c.last_connected_at)
    .outerjoin(first_lives, _of_now)
    .where(
        target_links.c.present == 1,
        target_links.c.device_id.is_not(None),
        target_links.c.last_connected_at.is_not(None),
        target_links.c.last_connected_at != "",
        or_(_life.target_key.is_(None), _was_elsewhere),
    )
)
_rest_began = greater(
    _life.seen_at,
    greater(
        func.coalesce(unit_facts.c.scanned_at, 0.0),  # a test on the bench is no rest
        case((_life.imei == "", pairs.c.paired_at), else_=0.0),  # where nobody sees the hardware, the pair tells it
    ),
)
"""Moment from which a seen new SIM lived in its unit only."""

_planned_by_us = select(_change.source_key).join_from(plans, changes, _change.plan_no == _plan.plan_no).where(_OF)
_UNSEEN = (
    select(pairs.c.source_key)
    .where(pairs.c.source_key.in_(_planned_by_us))
    .where(~select(first_lives.c.target_key).where(first_lives.c.target_key == pairs.c.target_key).exists())
    .order_by(pairs.c.source_key)
)
_is_listed = (
    select(source_sims.c.key)
    .where(source_sims.c.key == pairs.c.source_key, source_sims.c.snapshot_id == in_force)
    .exists()
)
_UNSEEN_AND_GONE = (
    select(func.count())
    .select_from(pairs)
    .where(pairs.c.source_key.in_(_UNSEEN.order_by(None)), ~_is_listed)
    .where(is_paid(pairs.c.source_key, pairs.c.target_key))
)
_SWAPS = (  # other devices of the organization live, too: they are no swaps
    select(func.count(func.distinct(first_lives.c.target_key)))
    .join(pairs, pairs.c.target_key == first_lives.c.target_key)
    .where(first_lives.c.seen_at >= bindparam("since"), pairs.c.source_key.in_(_planned_by_us))
)
_RESTED = (
    select(_plan.plan_id, _change.source_key, _rest_began.label("since"))
    .join_from(plans, changes, _change.plan_no == _plan.plan_no)
    .join(pairs, (pairs.c.source_key == _change.source_key) & (pairs.c.target_key == _change.target_key))
    .join(target_links, target_links.c.key == _change.target_key)
    .join(first_lives, _of_now)
    .join(
        verifications,
        (_judged.plan_no == _change.plan_no) & (_judged.source_key == _change.source_key),
    )
    .join(source_sims, (source_sims.c.key == _change.source_key) & (source_sims.c.snapshot_id == in_force))
    .outerjoin(unit_facts, unit_facts.c.source_key == _change.source_key)
    .where(
        _OF,
        _plan.state.in_((PlanState.STARTED, PlanState.FINISHED)),
        _rest_began <= bindparam("before"),
        _judged.verdict == Verdict.OK,
        source_sims.c.status == "enabled",
    )
    .order_by(_plan.plan_no, _change.source_key)
)
_UNRESTED = (
    select(pairs.c.source_key)
    .outerjoin(target_links, target_links.c.key == pairs.c.target_key)
    .outerjoin(first_lives, _of_now)
    .outerjoin(unit_facts, unit_facts.c.source_key == pairs.c.source_key)
    .where(among(pairs.c.source_key, bindparam("keys")))
    .where(or_(_life.seen_at.is_(None), _rest_began > bindparam("before")))
)


_SKIPPED = (
    select(_step.source_key)
    .outerjoin_from(steps, claim_retries, claim_retries.c.source_key == _step.source_key)
    .where(_step.plan_no.in_(CUTOVERS.where(_plan.kind == PlanKind.CUTOVER)), _step.kind == StepKind.SOURCE)
    .where(_step.state == StepState.SKIPPED, _step.code == Aside.LEFT_BY_OPERATOR, ~_is_asked_since)
)
_is_newest = (
    ~select(_newer.c.plan_no)
    .join_from(_newer, _newer_plan, _newer_plan.c.plan_no == _newer.c.plan_no)
    .where(_newer.c.source_key == _change.source_key, _newer.c.plan_no > _change.plan_no)
    .where(_newer_plan.c.kind == PlanKind.MIGRATE, _newer_plan.c.started_at.is_not(None))
    .exists()
)
_wanted = bindparam("wanted", type_=Text)
_has_failed = (
    select(_step.source_key)
    .where(_step.plan_no == _change.plan_no, _step.source_key == _change.source_key, _step.state == StepState.FAILED)
    .where(
        or_(
            _step.code == _wanted,
            and_(_wanted == ExceptionCode.REFUSED, _step.kind == StepKind.CLAIM, _step.code != Doubt.CLAIMED_UNSEEN),
        )
    )
    .exists()
)
_is_left = and_(
    _was_left,
    _plan.campaign_no == bindparam("campaign_no"),
    or_(_change.reason == _wanted, and_(_wanted == ExceptionCode.BLOCKED, _change.action == Action.BLOCK)),
)
_NOT_DONE = (
    select(_change.source_key)
    .join_from(plans, changes, _change.plan_no == _plan.plan_no)
    .where(_MIGRATES, _plan.started_at.is_not(None), or_(_is_left, _has_failed), _is_newest)
    .order_by(_change.source_key)
)


@dataclass(frozen=True, slots=True)
class WaitingSim:
    """Old SIM with a pair, and no plan yet."""

    key: str
    target_key: str
    is_scanned: bool
    is_shipped: bool


@dataclass(frozen=True, slots=True)
class Rested:
    """Old SIM whose new SIM has rested, and since when."""

    plan_id: str
    key: str
    since_s: float


class Due:
    """Reader of what is due."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def open_plans(self, campaign: Campaign) -> list[str]:
        """Return the campaign's begun, unfinished plans, oldest first."""
        begun = select(_plan.plan_id).where(_OF, _plan.state == PlanState.STARTED).order_by(_plan.plan_no)
        return [row.plan_id for row in self._db.rows(begun, campaign_no=campaign.campaign_no)]

    def all_plans(self, campaign: Campaign) -> list[str]:
        """Return every plan of a campaign that was begun, oldest first."""
        begun = select(_plan.plan_id).where(_OF, _plan.started_at.is_not(None)).order_by(_plan.plan_no)
        return [row.plan_id for row in self._db.rows(begun, campaign_no=campaign.campaign_no)]

    def waiting(self, campaign: Campaign) -> Iterator[WaitingSim]:
        """Yield the SIMs without a plan, in the order of pairing.

        A SIM whose claim was refused, or that a plan left alone, is not among them until a person asks for it again.
        """
        for row in self._db.rows(_WAITING, campaign_no=campaign.campaign_no):
            yield WaitingSim(row.source_key, row.target_key, row.scanned_at is not None, row.noted_at is not None)

    def spent(self, campaign: Campaign, since_s: float) -> Spent:
        """Count the claims of a campaign, and those since a moment.

        Those that were sent count, whatever their outcome, until it is known that they did not happen.
        """
        sims = today = 0
        money = money_today = Decimal(0)
        for row in self._db.rows(_SPENT, campaign_no=campaign.campaign_no, since=since_s):
            price = price_of(self._db, row.plan_id) or Decimal(0)
            sims, today = sims + row.sims, today + row.today
            money, money_today = money + price * row.sims, money_today + price * row.today
        return Spent(today, sims, money_today, money)

    def outcomes(self, campaign: Campaign, most: int, now: float) -> list[bool]:
        """Return the newest units, newest failure or claim first.

        True stands for a unit that did not fail. Units for which nothing was claimed count only if they failed. The
        log's numbers give the order: by a clock that was wrong failures would leave the window. In a store that had no
        such numbers, a resume whose time is still to come hides no failure.
        """
        since_s = campaign.budget_since_s if campaign.budget_since_s <= now else 0.0
        since = {"since": since_s, "since_no": campaign.budget_since_no}
        rows = self._db.rows(_BEGUN, campaign_no=campaign.campaign_no, most=most, **since)
        return [row.failed_no is None for row in rows]

    def unseen(self, campaign: Campaign) -> list[str]:
        """Return planned old SIMs whose card of now never lived.

        Their lives say which of these cards are claimed.
        """
        return [row.source_key for row in self._db.rows(_UNSEEN, campaign_no=campaign.campaign_no)]

    def unseen_and_gone(self, campaign: Campaign) -> int:
        """Count cards that wait for a swap, without their old SIM.

        The list of the source has these old SIMs no more, so that they have no life: their cards are claimed, or may
        be, and never lived.
        """
        return int(self._db.rows(_UNSEEN_AND_GONE, campaign_no=campaign.campaign_no)[0][0])

    def swaps(self, campaign: Campaign, since_s: float) -> int:
        """Count new SIMs first seen alive since a moment."""
        return int(self._db.rows(_SWAPS, campaign_no=campaign.campaign_no, since=since_s)[0][0])

    def note_lives(self, now: float) -> int:
        """Note new SIMs in hardware that is new for them.

        A card that comes back from other hardware begins anew.

        Returns: how many.
        """
        found = [
            {"target_key": row.key, "imei": row.imei or "", "seen_at": now, "session_at": row.last_connected_at}
            for row in self._db.rows(_NEWLY_ALIVE)
            if (moment_s(row.last_connected_at) or 0.0) > (moment_s(row.claimed_at) or 0.0)
        ]
        if found:
            statement = insert(first_lives)
            again = {"seen_at": statement.excluded.seen_at, "session_at": statement.excluded.session_at}
            put = statement.on_conflict_do_update(index_elements=["target_key", "imei"], set_=again)
            with self._db.write() as connection:
                connection.execute(put, found)
        return len(found)

    def rested(self, campaign: Campaign, before_s: float) -> Iterator[Rested]:
        """Yield old SIMs that are on and whose new SIM rested.

        The new SIM has lived in its present unit since before a moment.
        """
        for row in self._db.rows(_RESTED, campaign_no=campaign.campaign_no, before=before_s):
            yield Rested(row.plan_id, row.source_key, row.since)

    def skipped(self) -> set[str]:
        """Return old SIMs that an operator skipped in a cutover.

        One that a person lets go again is none of them.
        """
        return {row.source_key for row in self._db.rows(_SKIPPED)}

    def unrested(self, keys: Iterable[str], before_s: float) -> list[str]:
        """Return those old SIMs whose new SIM has not rested yet."""
        return [
            row.source_key
            for chunk in chunks(keys)
            for row in self._db.rows(_UNRESTED, keys=json_list(chunk), before=before_s)
        ]

    def note_shipped(self, cards: list[tuple[str, str, str]], now: float) -> int:
        """Keep cards of a shipment: key, ICCID and origin.

        Returns: how many are new.
        """
        rows = [{"key": key, "iccid": iccid, "origin": origin, "noted_at": now} for key, iccid, origin in cards]
        with self._db.write() as connection:
            before = connection.scalar(select(func.count()).select_from(shipped_cards)) or 0
            if rows:
                connection.execute(insert(shipped_cards).on_conflict_do_nothing(), rows)
            return int(connection.scalar(select(func.count()).select_from(shipped_cards)) or 0) - int(before)

    def refused(self, campaign: Campaign, code: str) -> list[str]:
        """Return the old SIMs that failed, or were left, with a code.

        The code is one of a step, the reason of a plan, or `refused` or `blocked` for all of these. The newest plan of
        a SIM counts.
        """
        found = self._db.rows(_NOT_DONE, campaign_no=campaign.campaign_no, wanted=code)
        return [row.source_key for row in found]
