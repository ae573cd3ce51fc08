"""Money of idle cards: claimed, billed, and never seen. Pure.

A card is charged for from its claim on, whether or not a unit has it. The amounts are in the currency of the
organization: neither carrier names it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from migrator.core.cutover.rules import DAYS_PER_PERIOD
from migrator.core.fleet.units import money

__all__ = ["IdleAge", "IdleBucket", "IdleCard", "IdleMoney", "idle_money"]

DAY_S = 86_400.0


class IdleAge(StrEnum):
    """Age of a claim that nobody has seen alive since."""

    WEEK = "0-6"
    MONTH = "7-29"
    QUARTER = "30-89"
    LONGER = "90+"


_FROM_DAY = ((90, IdleAge.LONGER), (30, IdleAge.QUARTER), (7, IdleAge.MONTH))


@dataclass(frozen=True, slots=True)
class IdleCard:
    """Card that is claimed and was never seen.

    Args:
        target_iccid: the card.
        source_iccid: the old SIM that it is for; None for a card without a unit.
        device_id: its device at Hologram.
        claimed_s: when it was claimed (UTC seconds); None if nobody knows.
        price: what it costs each period by the plan that claimed it; None where no plan of ours has a price for it.
        plan_id: that plan; None for a card that somebody claimed elsewhere.
        unit: the unit that it is for, as people name it.
    """

    target_iccid: str
    source_iccid: str | None
    device_id: int | None
    claimed_s: float | None
    price: Decimal | None
    plan_id: str | None
    unit: str | None = None

    def days(self, now: float) -> int:
        """Return the whole days since the claim; 0 if nobody knows."""
        return 0 if self.claimed_s is None else max(0, int((now - self.claimed_s) // DAY_S))

    def periods(self, now: float) -> int:
        """Return the periods that were begun, and so charged, since the claim."""
        return 1 + self.days(now) // DAYS_PER_PERIOD

    def as_dict(self, now: float) -> dict[str, Any]:
        """Return the card as JSON values."""
        return {
            "target_iccid": self.target_iccid,
            "source_iccid": self.source_iccid,
            "device_id": self.device_id,
            "unit": self.unit,
            "days": None if self.claimed_s is None else self.days(now),
            "plan_id": self.plan_id,
            "price": None if self.price is None else money(self.price),
            "so_far": None if self.price is None else money(self.price * self.periods(now)),
        }


@dataclass(slots=True)
class IdleBucket:
    """Idle cards of one age, with the money that is known."""

    cards: int = 0
    unpriced: int = 0
    so_far: Decimal = Decimal(0)
    in_a_month: Decimal = Decimal(0)

    def add(self, card: IdleCard, now: float) -> None:
        """Count one card."""
        self.cards += 1
        if card.price is None:
            self.unpriced += 1
            return
        self.so_far += card.price * card.periods(now)
        self.in_a_month += card.price * (card.periods(now) + 1)

    def as_dict(self) -> dict[str, Any]:
        """Return the bucket as JSON values."""
        return {
            "cards": self.cards,
            "without_price": self.unpriced,
            "so_far": money(self.so_far),
            "in_a_month": money(self.in_a_month),
        }


@dataclass(slots=True)
class IdleMoney:
    """Idle cards by age, and in all.

    `in_a_month` is what they have cost 30 days from now, if nobody puts them into a unit.
    """

    ages: dict[IdleAge, IdleBucket] = field(default_factory=lambda: {age: IdleBucket() for age in IdleAge})
    all: IdleBucket = field(default_factory=IdleBucket)

    @property
    def words(self) -> str:
        """Words for one line."""
        total = self.all
        if not total.cards:
            return "no idle card"
        known = f"{money(total.so_far)} so far, {money(total.in_a_month)} in 30 days"
        if total.unpriced == total.cards:
            known = "their price is not known"
        elif total.unpriced:
            known += f", without {total.unpriced} of no known price"
        old = sum(self.ages[age].cards for age in (IdleAge.QUARTER, IdleAge.LONGER))
        cards = "1 card is" if total.cards == 1 else f"{total.cards:,} cards are"
        return f"{cards} claimed and never seen ({old:,} for 30 days or more): {known}"

    def as_dict(self) -> dict[str, Any]:
        """Return the meter as JSON values."""
        return {
            "currency": None,  # neither carrier names it
            **self.all.as_dict(),
            "by_age_days": {age.value: self.ages[age].as_dict() for age in IdleAge},
        }


def idle_money(cards: Iterable[IdleCard], now: float) -> IdleMoney:
    """Return the money of idle cards. `now` is in UTC seconds."""
    found = IdleMoney()
    for card in cards:
        days = card.days(now)
        age = next((age for first, age in _FROM_DAY if days >= first), IdleAge.WEEK)
        found.ages[age].add(card, now)
        found.all.add(card, now)
    return found
