"""Bounds of a standing approval, against what the journal counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from migrator.core.policy.policy import CampaignPolicy

__all__ = ["Allowance", "Bound", "BoundUsed", "Spent", "ahead_of_swaps", "allowance", "bounds_used", "is_budget_spent"]

DAY_S = 86_400.0


class Bound(StrEnum):
    """Bound that holds back further claims."""

    DAY = "claims_per_day"
    TOTAL = "claims_total"
    SPEND_DAY = "spend_per_day"
    SPEND_TOTAL = "spend_total"

    @property
    def opens_by_itself(self) -> bool:
        """True for a bound that the next day lifts."""
        return self in {Bound.DAY, Bound.SPEND_DAY}


@dataclass(frozen=True, slots=True)
class Spent:
    """Claims of a campaign that were sent, or may have been.

    A claim whose outcome is not known counts. The money is at the prices of the plans.
    """

    sims_today: int = 0
    sims: int = 0
    money_today: Decimal = Decimal(0)
    money: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Allowance:
    """Most SIMs to claim now, and the bound behind it."""

    sims: int
    bound: Bound
    needs_a_person: bool


@dataclass(frozen=True, slots=True)
class BoundUsed:
    """Use of one bound: of cards, or of money."""

    bound: Bound
    used: Decimal
    at_most: Decimal

    @property
    def is_money(self) -> bool:
        """True for a bound of money, False for one of cards."""
        return self.bound in {Bound.SPEND_DAY, Bound.SPEND_TOTAL}

    @property
    def left(self) -> Decimal:
        """Return what may still be used."""
        return max(Decimal(0), self.at_most - self.used)


def bounds_used(policy: CampaignPolicy, spent: Spent) -> tuple[BoundUsed, ...]:
    """Return the use of each bound: today, then in all."""
    return (
        BoundUsed(Bound.DAY, Decimal(spent.sims_today), Decimal(policy.claims_per_day)),
        BoundUsed(Bound.SPEND_DAY, spent.money_today, policy.spend_per_day),
        BoundUsed(Bound.TOTAL, Decimal(spent.sims), Decimal(policy.claims_total)),
        BoundUsed(Bound.SPEND_TOTAL, spent.money, policy.spend_total),
    )


def allowance(policy: CampaignPolicy, spent: Spent, price: Decimal | None) -> Allowance:
    """Return how many SIMs may be claimed now.

    Without a price, or at no price, only the numbers bound. A day's money that is too little for one SIM needs a
    person, as waiting does not help.
    """
    left = {
        Bound.DAY: policy.claims_per_day - spent.sims_today,
        Bound.TOTAL: policy.claims_total - spent.sims,
    }
    if price:
        left[Bound.SPEND_DAY] = int((policy.spend_per_day - spent.money_today) // price)
        left[Bound.SPEND_TOTAL] = int((policy.spend_total - spent.money) // price)
    bound = min(left, key=lambda one: (left[one], one.opens_by_itself))
    is_too_dear = bound is Bound.SPEND_DAY and price is not None and price > policy.spend_per_day
    return Allowance(max(0, left[bound]), bound, is_too_dear or not bound.opens_by_itself)


def ahead_of_swaps(ahead_s: float, swaps: int, over_s: float, first: int) -> int:
    """Return how many claimed cards may wait for their swap.

    Args:
        ahead_s: how long they must last.
        swaps: swaps that were seen lately.
        over_s: in how many seconds.
        first: cards for a beginning, when no swap was seen yet.
    """
    if not swaps:
        return first
    return max(1, -int(-(swaps * ahead_s) // max(over_s, DAY_S)))


def is_budget_spent(outcomes: Sequence[bool], policy: CampaignPolicy) -> bool:
    """True if too many of the newest units failed.

    `outcomes` has the newest units that were begun: True for one that did not fail.
    """
    return list(outcomes[: policy.last_units]).count(False) > policy.most_failures
