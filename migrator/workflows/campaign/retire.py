"""Cards that only deactivation stops charging. Nothing is ever sent for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from migrator.core.campaign.life import ExceptionCode
from migrator.core.fleet.units import money
from migrator.workflows.site import Site

if TYPE_CHECKING:
    from migrator.store.campaigns.cards import ClaimedCard

__all__ = ["RetireReason", "Retired", "retire_list"]


class RetireReason(StrEnum):
    """Reason why nobody needs a card that is billed."""

    ROLLED_BACK = "rolled_back"  # its unit is back on its old SIM
    TWO_CARDS = "two_cards"  # its unit has another card by now
    SET_ASIDE = "set_aside"  # an operator set its unit aside after the claim
    STOCK_SET_ASIDE = "stock_set_aside"  # an operator set it aside in the stock


@dataclass(frozen=True, slots=True)
class Retired:
    """Card to deactivate, as its device at Hologram.

    `price` is what it costs each period by the plan that claimed it; None where no plan has a price.
    """

    device_id: int
    target_iccid: str
    source_iccid: str | None
    reason: RetireReason
    price: Decimal | None

    def as_dict(self) -> dict[str, Any]:
        """Return the card as JSON values."""
        return {
            "device_id": self.device_id,
            "target_iccid": self.target_iccid,
            "source_iccid": self.source_iccid,
            "reason": self.reason.value,
            "price": None if self.price is None else money(self.price),
        }


def retire_list(site: Site, *, now: float) -> list[Retired]:
    """Return the cards that only deactivation stops charging, by device id.

    Reads the store only. A deactivated SIM never comes back, and only an owner or admin may ask for it.

    Args:
        site: the store.
        now: UTC seconds.
    """
    store = site.store
    back = store.lives.keys(now, code=ExceptionCode.ROLLED_BACK)
    aside = store.lives.set_aside()
    found = [
        *_listed(store.cards.of_old_sims(back), RetireReason.ROLLED_BACK),
        *_listed(store.cards.of_old_sims(aside), RetireReason.SET_ASIDE),
        *_listed(store.cards.without_unit(), RetireReason.TWO_CARDS),
        *_listed(store.cards.set_aside_stock(), RetireReason.STOCK_SET_ASIDE),
    ]
    return sorted(found, key=lambda card: card.device_id)


def _listed(cards: "Iterator[ClaimedCard]", reason: RetireReason) -> Iterator[Retired]:
    yield from (Retired(card.device_id, card.iccid, card.source_iccid, reason, card.price) for card in cards)
