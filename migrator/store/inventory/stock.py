"""Cards in stock."""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.sqlite import insert

from migrator.chunks import PAGE, chunks
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.pairing import target_view
from migrator.core.fleet.stock import Card, CardState, state_of_card
from migrator.core.run.doubts import Doubt
from migrator.core.run.states import StepKind, StepState
from migrator.store.database.database import Database
from migrator.store.database.rows import LINK_COLUMNS, by_page, link_from
from migrator.store.inventory.pairs_in_use import MAY_BE_PAID
from migrator.store.log import note
from migrator.store.tables.fleet import pairs, stock, target_links
from migrator.store.tables.plans import plans, steps

__all__ = ["Stock"]

_claims = (  # a card that is claimed for the stock stands in the place of an old SIM
    select(steps.c.state)
    .where(steps.c.plan_no.in_(select(plans.c.plan_no)), steps.c.source_key == stock.c.key)
    .where(steps.c.kind == StepKind.CLAIM)
)
_is_open = _claims.where(steps.c.state.in_(MAY_BE_PAID)).exists()
_was_refused = _claims.where(steps.c.state == StepState.FAILED).exists()
_is_unseen = _claims.where(steps.c.code == Doubt.CLAIMED_UNSEEN).exists()
_is_paired = select(pairs.c.target_key).where(pairs.c.target_key == stock.c.key).exists()
_NEXT = (
    select(stock, _is_paired, _is_open | _is_unseen, _was_refused, *LINK_COLUMNS)
    .join_from(stock, target_links, target_links.c.key == stock.c.key, isouter=True)
    .where(stock.c.key > bindparam("after"))
    .order_by(stock.c.key)
    .limit(PAGE)
)


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

    def free(self, org_id: int) -> Iterator[Card]:
        """Yield the cards that may be claimed, sorted by key."""
        return (card for card in self.cards(org_id) if card.state is CardState.FREE)

    def count(self) -> int:
        """Count the cards."""
        with self._db.read() as connection:
            return connection.scalar(select(func.count()).select_from(stock)) or 0

    def known(self, keys: Iterable[str]) -> set[str]:
        """Return those of some keys that are cards in stock."""
        with self._db.read() as connection:
            return {
                key
                for chunk in chunks(keys)
                for key in connection.execute(select(stock.c.key).where(stock.c.key.in_(chunk))).scalars()
            }


def _card(row: Any, org_id: int | None) -> Card:
    key, iccid, origin, _noted_at, is_paired, is_open, was_refused, *told = row
    was_read = told[0] is not None
    link = link_from(told) if was_read else None
    view = target_view(link, was_read=was_read, org_id=org_id)
    state = state_of_card(view, is_paired=bool(is_paired), is_open=bool(is_open), was_refused=bool(was_refused))
    shown = (None, None) if link is None else (link.name, link.claimed_at)
    return Card(Iccid(iccid, key), origin, state, *shown)
