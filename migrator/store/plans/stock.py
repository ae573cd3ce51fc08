"""Cards in stock."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, or_, select

from migrator.chunks import PAGE, chunks
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.pairing import Card, CardState, state_of_card, target_view
from migrator.core.plan.document import header_from
from migrator.core.run.states import PlanKind, PlanState, StepKind, StepState
from migrator.errors import PairChanged, StalePlan
from migrator.store.database.database import Database
from migrator.store.database.rows import LINK_COLUMNS, among, by_page, is_later, json_list, link_from
from migrator.store.database.sql import insert, is_found
from migrator.store.log import note
from migrator.store.pairs.paid_pairs import STOCK_PLANS, may_be_paid, paid_elsewhere
from migrator.store.tables.fleet import pairs, stock, target_links
from migrator.store.tables.plans import changes, plans, steps

__all__ = ["Stock", "refuse_claimed_for_stock", "refuse_unstocked"]

_claims = (  # a card that is claimed for the stock stands in the place of an old SIM
    select(steps.c.state)
    .where(steps.c.plan_no.in_(STOCK_PLANS), steps.c.source_key == stock.c.key)
    .where(steps.c.kind == StepKind.CLAIM)
)
_may_be_paid = is_found(_claims.where(may_be_paid(steps)))
_was_refused = _claims.where(steps.c.state == StepState.FAILED).exists()
_is_paired = select(pairs.c.target_key).where(pairs.c.target_key == stock.c.key).exists()
_CARDS = select(stock, _is_paired, _may_be_paid | paid_elsewhere(stock.c.key), _was_refused, *LINK_COLUMNS).join_from(
    stock, target_links, target_links.c.key == stock.c.key, isouter=True
)
_NEXT = _CARDS.where(is_later(stock.c.key)).order_by(stock.c.key).limit(PAGE)
_AMONG = _CARDS.where(among(stock.c.key, bindparam("keys")))


class Stock:
    """Cards that may be claimed before their unit is known."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, cards: Iterable[tuple[Iccid, str]], now: float) -> int:
        """Keep cards, each with its file and line.

        A card that is there already stays as it is.

        Returns: the number of new cards.
        """
        statement = insert(stock).on_conflict_do_nothing()
        with self._db.write() as connection:
            before = connection.scalar(select(func.count()).select_from(stock)) or 0
            for chunk in chunks(cards):
                connection.execute(
                    statement,
                    [
                        {"key": iccid.key, "iccid": iccid.digits, "origin": origin, "noted_at": now}
                        for iccid, origin in chunk
                    ],
                )
            total = connection.scalar(select(func.count()).select_from(stock)) or 0
            if total > before:
                note(connection, now, "stock.added", None, {"cards": total - before, "total": total})
        return total - before

    def cards(self, org_id: int | None) -> Iterator[Card]:
        """Yield every card with its standing, sorted by key.

        `org_id` is our organization; None where it is not known, and then nothing counts as another's.
        """
        for row in by_page(lambda after: self._db.rows(_NEXT, after=after)):
            yield _card(row, org_id)

    def free(self, org_id: int, among_keys: Iterable[str] | None = None) -> list[Card]:
        """Return the cards that may be claimed: all, or those of some.

        All are sorted by key, and those of some are in their order.
        """
        if among_keys is None:
            return [card for card in self.cards(org_id) if card.state is CardState.FREE]
        keys = list(among_keys)
        rows = (row for chunk in chunks(keys) for row in self._db.rows(_AMONG, keys=json_list(chunk)))
        found = {card.iccid.key: card for card in (_card(row, org_id) for row in rows)}
        return [found[key] for key in keys if key in found and found[key].state is CardState.FREE]

    def count(self) -> int:
        """Count the cards."""
        with self._db.read() as connection:
            return connection.scalar(select(func.count()).select_from(stock)) or 0

    def claimed(self, org_id: int) -> int:
        """Count the cards that plans for the stock claimed, or may have."""
        paid = (
            select(plans.c.header, func.count().label("cards"))
            .join_from(steps, plans, plans.c.plan_no == steps.c.plan_no)
            .where(plans.c.kind == PlanKind.STOCK, may_be_paid(steps))
            .group_by(plans.c.plan_no)
        )
        return sum(row.cards for row in self._db.rows(paid) if header_from(json.loads(row.header)).org_id == org_id)

    def unfinished(self) -> str | None:
        """Return the plan for the stock that was begun, or None."""
        is_open = (plans.c.kind == PlanKind.STOCK) & (plans.c.state == PlanState.STARTED)
        with self._db.read() as connection:
            return connection.scalar(select(plans.c.plan_id).where(is_open).order_by(plans.c.made_no.desc()).limit(1))


def refuse_unstocked(connection: Connection, plan_no: int, keys: Sequence[str]) -> None:
    """Refuse a claim for the stock of cards that are no stock.

    The check runs in the transaction of the intent.

    Raises: PairChanged, with the cards that are not in stock, or that a pair names by now.
    """
    is_stock = select(stock.c.key).where(stock.c.key == changes.c.source_key).exists()
    is_paired = select(pairs.c.target_key).where(pairs.c.target_key == changes.c.source_key).exists()
    other = select(changes.c.source_key).where(changes.c.plan_no == plan_no, changes.c.source_key.in_(keys))
    found = connection.execute(other.where(or_(~is_stock, is_paired))).scalars().all()
    if found:
        raise PairChanged(frozenset(found))


def refuse_claimed_for_stock(connection: Connection, plan_no: int, keys: Sequence[str]) -> None:
    """Refuse a claim of SIMs that the stock may have.

    Such a SIM would be paid twice.

    Raises: StalePlan.
    """
    targets = select(changes.c.target_key).where(changes.c.plan_no == plan_no, changes.c.source_key.in_(keys))
    paid = (
        select(func.count(), func.min(plans.c.plan_id))
        .join_from(steps, plans, plans.c.plan_no == steps.c.plan_no)
        .where(steps.c.plan_no.in_(STOCK_PLANS), steps.c.source_key.in_(targets), may_be_paid(steps))
    )
    sims, plan_id = connection.execute(paid).one()
    if sims:
        raise StalePlan(
            f"{sims} new SIMs of this claim were claimed for the stock by plan {plan_id}, or may have been; nothing was"
            " sent for them",
            code="claimed_by_another_plan",
            hint="make a new plan: what is claimed already is never claimed again",
        )


def _card(row: Any, org_id: int | None) -> Card:
    key, iccid, origin, _noted_at, is_paired, is_open, was_refused, *told = row
    was_read = told[0] is not None
    link = link_from(told) if was_read else None
    view = target_view(link, was_read=was_read, org_id=org_id)
    state = state_of_card(view, is_paired=bool(is_paired), is_open=bool(is_open), was_refused=bool(was_refused))
    shown = (None, None) if link is None else (link.name, link.claimed_at)
    return Card(Iccid(iccid, key), origin, state, *shown)
