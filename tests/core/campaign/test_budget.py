"""The bounds of a standing approval."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from migrator.core.campaign.budget import Bound, Spent, ahead_of_swaps, allowance, is_budget_spent
from migrator.core.policy.policy import CampaignPolicy

PRICE = Decimal("1.50")
POLICY = CampaignPolicy(date(2027, 3, 31), 10, 100, Decimal(12), Decimal(120))


@pytest.mark.parametrize(
    ("spent", "price", "sims", "bound", "person"),
    [
        (Spent(), None, 10, Bound.DAY, False),
        (Spent(), PRICE, 8, Bound.SPEND_DAY, False),
        (Spent(sims_today=10, sims=10), None, 0, Bound.DAY, False),
        (Spent(sims=95), None, 5, Bound.TOTAL, True),
        (Spent(sims=101), None, 0, Bound.TOTAL, True),
        (Spent(money=Decimal(119)), PRICE, 0, Bound.SPEND_TOTAL, True),
        (Spent(money_today=Decimal(11)), PRICE, 0, Bound.SPEND_DAY, False),
        (Spent(), Decimal(13), 0, Bound.SPEND_DAY, True),
        (Spent(sims_today=10, sims=100), None, 0, Bound.TOTAL, True),
    ],
)
def test_the_narrowest_bound_holds(
    spent: Spent, price: Decimal | None, sims: int, bound: Bound, *, person: bool
) -> None:
    found = allowance(POLICY, spent, price)
    assert (found.sims, found.bound, found.needs_a_person) == (sims, bound, person)


def test_cards_wait_for_no_more_swaps_than_were_seen() -> None:
    assert ahead_of_swaps(3 * 86_400, 0, 14 * 86_400, first=7) == 7
    assert ahead_of_swaps(3 * 86_400, 140, 14 * 86_400, first=7) == 30
    assert ahead_of_swaps(3 * 86_400, 1, 14 * 86_400, first=7) == 1


def test_the_newest_units_alone_count() -> None:
    policy = replace(POLICY, last_units=20, error_budget=Decimal("0.10"))
    assert not is_budget_spent([False, False, *[True] * 18], policy)
    assert is_budget_spent([False, False, False, *[True] * 17], policy)
    assert not is_budget_spent([*[True] * 18, False, False, False], policy)
