"""Condition for pairs that a claim was made for.

A claim stays booked to its card. It counts for the card, whichever old SIM has the card now, and for the old SIM that
the card was claimed for, until a correction takes the card away.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, literal_column, or_, select

from migrator.chunks import chunks
from migrator.core.run.doubts import Doubt
from migrator.core.run.states import IN_DOUBT, PlanKind, StepKind, StepState
from migrator.store.database.rows import among, json_list
from migrator.store.database.sql import is_found
from migrator.store.tables.fleet import pairs
from migrator.store.tables.plans import changes, plans, steps
from migrator.store.tables.sightings import pair_versions

__all__ = ["MAY_BE_PAID", "STOCK_PLANS", "is_paid", "may_be_paid", "paid_by_others", "paid_elsewhere", "was_taken_away"]

MAY_BE_PAID = (StepState.DONE, *IN_DOUBT)
"""States of a claim that was charged, or may have been."""

_claim, _change, _was = steps.alias("paid_claim"), changes.alias("paid_change"), pair_versions.alias("was_paired")
STOCK_PLANS = select(plans.c.plan_no).where(plans.c.kind == literal_column(f"'{PlanKind.STOCK.value}'"))
_known_plans = select(plans.c.plan_no)  # known few: with them, the index finds a SIM's step at once


_HOLDERS = select(pairs.c.source_key).where(among(pairs.c.target_key, bindparam("cards")))


def may_be_paid(step: Any) -> ColumnElement[bool]:
    """Return the condition of a claim that may be charged.

    `step` is the table of steps, or an alias of it.
    """
    states = (step.c.state == literal_column(f"'{state.value}'") for state in MAY_BE_PAID)
    is_claim = step.c.kind == literal_column(f"'{StepKind.CLAIM.value}'")
    return and_(is_claim, or_(step.c.code == Doubt.CLAIMED_UNSEEN, *states))


_PAID_CARDS = (
    select(_change.c.target_key)
    .join_from(_claim, _change, (_change.c.plan_no == _claim.c.plan_no) & (_change.c.source_key == _claim.c.source_key))
    .where(_claim.c.plan_no.in_(_known_plans), _claim.c.plan_no != bindparam("plan_no"))
    .where(among(_claim.c.source_key, bindparam("claimants")), among(_change.c.target_key, bindparam("cards")))
    .where(may_be_paid(_claim))
)


def was_taken_away(step: Any) -> ColumnElement[bool]:
    """Return the condition of a claim whose card was taken away.

    A correction did that. The claim then no longer counts for the old SIM, but for the card alone. `step` is the table
    of steps, or an alias.
    """
    of_step = (_change.c.plan_no == step.c.plan_no) & (_change.c.source_key == step.c.source_key)
    taken = select(_was.c.version).join_from(_was, _change, of_step).where(_was.c.source_key == step.c.source_key)
    return taken.where(_was.c.was_target_key == _change.c.target_key).exists()


def paid_elsewhere(target_key: ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition of a card that its old SIM lost.

    The card was claimed for that old SIM, and a correction took it away. Without a correction a claimed card never
    changes its old SIM.
    """
    of_claim = (_change.c.plan_no == _claim.c.plan_no) & (_change.c.source_key == _claim.c.source_key)
    claimed = (
        select(_claim.c.plan_no)
        .join_from(_claim, _change, of_claim)
        .where(_claim.c.plan_no.in_(_known_plans), _claim.c.source_key == _was.c.source_key)
        .where(may_be_paid(_claim), _change.c.target_key == _was.c.was_target_key)
    )
    return select(_was.c.version).where(_was.c.was_target_key == target_key, claimed.exists()).exists()


def paid_by_others(connection: Connection, plan_no: int, keys: Collection[str]) -> set[str]:
    """Return SIMs of a plan whose card another plan may have paid.

    A plan for the stock claims the same card under the key of the card, and not of an old SIM. `keys` are those of the
    plan.
    """
    found: set[str] = set()
    for chunk in chunks(keys):
        mine = select(changes.c.source_key, changes.c.target_key)
        mine = mine.where(changes.c.plan_no == plan_no, among(changes.c.source_key, bindparam("keys")))
        card_of = {row.source_key: row.target_key for row in connection.execute(mine, {"keys": json_list(chunk)})}
        cards = {"cards": json_list(card for card in card_of.values() if card is not None)}
        holders = connection.scalars(_HOLDERS, cards).all()
        claimants = json_list({*card_of, *card_of.values(), *holders} - {None})
        paid = set(connection.scalars(_PAID_CARDS, cards | {"claimants": claimants, "plan_no": plan_no}))
        found |= {key for key, card in card_of.items() if card in paid}
    return found


def is_paid(source_key: ColumnElement[str], target_key: ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition of a pair that was paid for.

    It may have been paid for. A card was claimed for the old SIM that it still has to count for, or its card was
    claimed for the stock, or for another old SIM.

    Args:
        source_key: the old SIM.
        target_key: the card that it has now; NULL for none.
    """
    for_source = (
        select(_claim.c.plan_no)
        .where(_claim.c.plan_no.in_(_known_plans), _claim.c.source_key == source_key, may_be_paid(_claim))
        .where(~was_taken_away(_claim))
    )
    for_stock = select(_claim.c.plan_no).where(_claim.c.plan_no.in_(STOCK_PLANS), _claim.c.source_key == target_key)
    return or_(is_found(for_source), is_found(for_stock.where(may_be_paid(_claim))), paid_elsewhere(target_key))
