"""Pairs that plans use: claimed, or about to be claimed.

Such a pair is kept as it is.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CompoundSelect, Connection, Select, Table, exists, func, insert, literal, select

from migrator.core.plan.plan import Action
from migrator.core.run.states import PlanState, StepKind, StepState
from migrator.core.run.steps import CARD_PAIRED
from migrator.errors import InputError, PairChanged, PairInUse, Problem
from migrator.store.database.rows import among, json_list
from migrator.store.database.sql import changed_rows
from migrator.store.log import note
from migrator.store.pairs.paid_pairs import STOCK_PLANS, is_paid
from migrator.store.tables.fleet import pairs
from migrator.store.tables.plans import changes, plans, steps

__all__ = ["refuse_changed_pairs", "refuse_pairs_in_use", "refuse_planned", "set_aside_stock"]

_FIRST = 3
"""Number of examples in an error."""

PAIRED = "a pair names the card by now: its unit sets it up"

_aside = steps.alias("aside")
_claim = steps.alias("claim")
_its_claim = (
    (_claim.c.plan_no == changes.c.plan_no)
    & (_claim.c.source_key == changes.c.source_key)
    & (_claim.c.kind == StepKind.CLAIM)
)
_is_over = exists().where(_its_claim, _claim.c.state.in_((StepState.DONE, StepState.FAILED)))
_is_set_aside = exists().where(
    steps.c.plan_no == changes.c.plan_no,
    steps.c.source_key == changes.c.source_key,
    steps.c.state == StepState.SKIPPED,
)


def refuse_pairs_in_use(connection: Connection, incoming: Table, dropped: Sequence[str] = ()) -> None:
    """Refuse new pairs that contradict the claims of plans.

    Claims that were made count, and claims that plans still have to make. The check runs in the transaction that would
    keep the new pairs.

    Args:
        connection: of that transaction.
        incoming: the new pairs, with the columns of `pairs`.
        dropped: keys of source SIMs that would be left without a pair.

    Raises: InputError, if a SIM would get another target, or none, for which a SIM was claimed already, or may have
        been, or for which a begun plan still has to claim one.
    """
    given_another = (
        select(incoming.c.source_key)
        .join_from(incoming, pairs, pairs.c.source_key == incoming.c.source_key)
        .where(pairs.c.target_key != incoming.c.target_key)
    )
    left = select(pairs.c.source_key).where(among(pairs.c.source_key, literal(json_list(dropped))))
    moved = given_another.union(left)
    _refuse_paid(connection, moved)
    refuse_planned(connection, incoming, moved)


def _refuse_paid(connection: Connection, moved: CompoundSelect[Any]) -> None:
    paid = (
        select(pairs.c.source_iccid)
        .where(pairs.c.source_key.in_(moved))
        .where(is_paid(pairs.c.source_key, pairs.c.target_key))
        .order_by(pairs.c.source_key)
    )
    found = connection.execute(paid).scalars().all()
    if found:
        raise InputError(
            f"{_named(found)} was claimed for already, or may have been: pairs of migrated SIMs cannot be replaced",
            code="already_claimed",
            hint="if another card was put into the unit, `migrator pair correct` gives it that card, with evidence",
        )


def refuse_planned(connection: Connection, incoming: Table, moved: Select[Any] | CompoundSelect[Any]) -> None:
    """Refuse new pairs where a begun plan still has to claim.

    Args:
        connection: of the transaction that would keep the pairs.
        incoming: the new pairs; without a target where an old SIM is left without a new one.
        moved: the keys of the old SIMs whose pair changes.

    Raises: PairInUse.
    """
    planned = (
        select(plans.c.plan_id, func.count().label("sims"), func.min(changes.c.source_iccid).label("first"))
        .join_from(changes, plans, plans.c.plan_no == changes.c.plan_no)
        .join(incoming, incoming.c.source_key == changes.c.source_key, isouter=True)
        .where(plans.c.state == PlanState.STARTED, changes.c.source_key.in_(moved))
        .where(changes.c.action == Action.CLAIM, changes.c.target_key.is_distinct_from(incoming.c.target_key))
        .where(~_is_over, ~_is_set_aside)
        .group_by(plans.c.plan_no)
        .order_by(plans.c.plan_no)
    )
    problems = tuple(
        Problem(
            PairInUse.code,
            f"plan {row.plan_id} was begun and still has to claim the new SIMs of {row.sims} of these pairs, the first "
            f"for {row.first}; nothing was changed",
            f"let `migrator apply {row.plan_id}` claim them; or set them aside with `migrator skip {row.plan_id} "
            "--iccids FILE`, change their pairs, and make a new plan",
        )
        for row in connection.execute(planned)
    )
    if problems:
        raise PairInUse(problems[0].message, hint=problems[0].hint, problems=problems)


def set_aside_stock(connection: Connection, now: float) -> None:
    """Set aside the cards of the stock that a pair names.

    Their units set them up from now on. No plan for the stock may bring its own limits and names back.
    """
    held = select(
        changes.c.plan_no,
        changes.c.source_key,
        *map(literal, (StepKind.CARD.value, StepState.SKIPPED.value, 0, now, 0.0, CARD_PAIRED, PAIRED)),
    ).where(
        changes.c.plan_no.in_(STOCK_PLANS),
        select(pairs.c.target_key).where(pairs.c.target_key == changes.c.source_key).exists(),
        ~select(_aside.c.plan_no)
        .where(_aside.c.plan_no == changes.c.plan_no, _aside.c.source_key == changes.c.source_key)
        .where(_aside.c.kind == StepKind.CARD)
        .exists(),
    )
    names = ["plan_no", "source_key", "kind", "state", "attempts", "since", "not_before", "code", "message"]
    cards = changed_rows(connection.execute(insert(steps).from_select(names, held)))
    if cards:
        note(connection, now, "stock.paired", None, {"cards": cards})


def refuse_changed_pairs(connection: Connection, plan_no: int, keys: Sequence[str]) -> None:
    """Refuse a claim if a pair of its changes is another now.

    The check runs in the transaction of the intent.

    Raises: PairChanged, with the keys of the SIMs whose pair is another now, or was removed.
    """
    other = (
        select(changes.c.source_key)
        .join_from(changes, pairs, pairs.c.source_key == changes.c.source_key, isouter=True)
        .where(changes.c.plan_no == plan_no, changes.c.source_key.in_(keys))
        .where(changes.c.target_key.is_distinct_from(pairs.c.target_key))
    )
    found = connection.execute(other).scalars().all()
    if found:
        raise PairChanged(frozenset(found))


def _named(iccids: Sequence[str]) -> str:
    more = f" and {len(iccids) - _FIRST} more" if len(iccids) > _FIRST else ""
    return ", ".join(iccids[:_FIRST]) + more
