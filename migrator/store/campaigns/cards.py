"""Cards that are claimed and ours, over all plans."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sqlalchemy import bindparam, func, literal_column, or_, select

from migrator.chunks import chunks
from migrator.core.campaign.idle import IdleCard
from migrator.core.cutover.rules import moment_s
from migrator.core.money.prices import confirmed_prices
from migrator.core.plan.document import header_from
from migrator.store.database.database import Database
from migrator.store.database.rows import among, json_list
from migrator.store.database.sql import Query, by_greatest, epoch_s, json_number_at
from migrator.store.tables.fleet import pairs, stock, target_links, unit_facts
from migrator.store.tables.plans import changes, plans, proofs, steps
from migrator.store.tables.sightings import pair_versions
from migrator.store.tables.types import Text

__all__ = ["Cards", "ClaimedCard"]

_link = target_links.c
_paid = (  # a card of the stock stands in the place of an old SIM
    select(
        func.coalesce(changes.c.target_key, steps.c.source_key).cast(Text).label("card"),  # as text, SQLite indexes it
        func.max(steps.c.plan_no).label("plan_no"),
        by_greatest(steps.c.since, steps.c.plan_no).label("since"),
    )
    .join_from(steps, changes, (changes.c.plan_no == steps.c.plan_no) & (changes.c.source_key == steps.c.source_key))
    .where(steps.c.kind == literal_column("'claim'"), steps.c.state == literal_column("'done'"))
    .group_by("card")
    .cte("paid")
    .prefix_with("MATERIALIZED")
)
_was_alive = (
    select(proofs.c.source_key)
    .join_from(changes, proofs, (proofs.c.plan_no == changes.c.plan_no) & (proofs.c.source_key == changes.c.source_key))
    .where(changes.c.source_key == pairs.c.source_key, changes.c.target_key == _link.key)
    .where(proofs.c.alive_at.is_not(None))
    .exists()
)


_ORG = select(json_number_at(plans.c.header, "org_id")).where(plans.c.plan_id.is_not(None))
_ORG_ID = _ORG.order_by(plans.c.made_no.desc()).limit(literal_column("1")).scalar_subquery()
_CLAIMED = (
    select(
        _link.key,
        _link.iccid,
        _link.device_id,
        _link.claimed_at,
        _link.last_connected_at,
        _link.state,
        _paid.c.plan_no,
        _paid.c.since,
        pairs.c.source_key,
        pairs.c.source_iccid,
        unit_facts.c.unit,
        stock.c.key.label("stock_key"),
    )
    .select_from(target_links)
    .outerjoin(_paid, _paid.c.card == _link.key)
    .outerjoin(pairs, pairs.c.target_key == _link.key)
    .outerjoin(stock, stock.c.key == _link.key)
    .outerjoin(unit_facts, unit_facts.c.source_key == pairs.c.source_key)
    .where(_link.present == literal_column("1"), _link.device_id.is_not(None))
    .where(or_(_link.org_id.is_(None), _link.org_id == _ORG_ID))
    .where(or_(_paid.c.card.is_not(None), pairs.c.target_key.is_not(None), stock.c.key.is_not(None)))
    .where(_link.state != literal_column("'retired'"), _link.state != literal_column("'test_mode'"))
    .order_by(_link.key)
)
_seen_s, _made_s = epoch_s(_link.last_connected_at), epoch_s(_link.claimed_at)
_is_unseen = or_(_seen_s.is_(None), _made_s.is_(None), _seen_s < _made_s)
_UNSEEN = Query(_CLAIMED.where(_is_unseen, ~_was_alive))
_was_paired = select(pair_versions.c.version).where(pair_versions.c.was_target_key == _link.key).exists()
_WITHOUT_UNIT = Query(
    _CLAIMED.where(pairs.c.target_key.is_(None), stock.c.key.is_(None), or_(_was_paired, _paid.c.card.is_not(None)))
)

_OF_OLD_SIMS = Query(_CLAIMED.where(among(pairs.c.source_key, bindparam("keys"))))
_aside = (
    select(steps.c.source_key)
    .where(steps.c.plan_no.in_(select(plans.c.plan_no).where(plans.c.kind == literal_column("'stock'"))))
    .where(steps.c.source_key == _link.key, steps.c.state == literal_column("'skipped'"))
    .where(steps.c.kind != literal_column("'card'"))
    .exists()
)
_STOCK_ASIDE = Query(_CLAIMED.where(pairs.c.target_key.is_(None), stock.c.key.is_not(None), _aside))


@dataclass(frozen=True, slots=True)
class ClaimedCard:
    """Card that is claimed for our organization.

    `claimed_s` is when that was, `source_key` the old SIM that has it now; None where nobody knows, or has.
    """

    key: str
    iccid: str
    device_id: int
    claimed_s: float | None
    source_key: str | None
    source_iccid: str | None
    unit: str | None
    plan_id: str | None
    price: Decimal | None

    def idle(self) -> IdleCard:
        """Return the card for the idle meter."""
        return IdleCard(
            self.iccid, self.source_iccid, self.device_id, self.claimed_s, self.price, self.plan_id, self.unit
        )


class Cards:
    """Reader of claimed cards.

    Deactivated cards and cards in Test Mode cost nothing, and are left out.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def never_seen(self) -> Iterator[ClaimedCard]:
        """Yield cards that were never seen since their claim, by key."""
        for card, connected_at in self._cards(_UNSEEN):
            connected_s = moment_s(connected_at)
            is_seen = connected_s is not None and card.claimed_s is not None and connected_s >= card.claimed_s
            if not is_seen:
                yield card

    def without_unit(self) -> Iterator[ClaimedCard]:
        """Yield cards whose unit has another card, by key.

        No pair names them, and they are no stock.
        """
        yield from (card for card, _ in self._cards(_WITHOUT_UNIT))

    def of_old_sims(self, keys: Iterable[str]) -> Iterator[ClaimedCard]:
        """Yield the cards that some old SIMs have now."""
        for chunk in chunks(keys):
            yield from (card for card, _ in self._cards(_OF_OLD_SIMS, keys=json_list(chunk)))

    def set_aside_stock(self) -> Iterator[ClaimedCard]:
        """Yield claimed cards of the stock that an operator set aside."""
        yield from (card for card, _ in self._cards(_STOCK_ASIDE))

    def _cards(self, query: Query, **values: Any) -> Iterator[tuple[ClaimedCard, str | None]]:
        terms = {
            row.plan_no: (row.plan_id, _price(row.header))
            for row in self._db.rows(select(plans.c.plan_no, plans.c.plan_id, plans.c.header))
            if row.plan_id is not None
        }
        for row in self._db.tuples(query, **values):
            key, iccid, device_id, claimed_at, connected_at, _state, plan_no, since, source, old, unit, _stock = row
            plan_id, price = terms.get(plan_no, (None, None)) if plan_no is not None else (None, None)
            claimed_s = moment_s(claimed_at)
            claimed_s = since if claimed_s is None else claimed_s
            yield ClaimedCard(key, iccid, device_id, claimed_s, source, old, unit, plan_id, price), connected_at


@lru_cache(maxsize=4096)
def _price(header: str) -> Decimal | None:
    """Return the confirmed price of a SIM by a header."""
    told = json.loads(header)
    return confirmed_prices(header_from(told).summary).per_period if "fingerprints" in told else None
