"""Money of idle cards: by age, by the price of each card's plan, and never guessed."""

from decimal import Decimal

import pytest

from migrator.core.campaign.idle import IdleAge, IdleCard, idle_money

DAY_S = 86_400.0
NOW = 1_800_000_000.0


def card(days: float | None, price: str | None = "1.50") -> IdleCard:
    claimed_s = None if days is None else NOW - days * DAY_S
    return IdleCard("8944500000000000001", None, 7, claimed_s, None if price is None else Decimal(price), "p1")


@pytest.mark.parametrize(
    ("days", "age", "periods"),
    [
        (0, IdleAge.WEEK, 1),
        (6.9, IdleAge.WEEK, 1),
        (7, IdleAge.MONTH, 1),
        (29.9, IdleAge.MONTH, 1),
        (30, IdleAge.QUARTER, 2),
        (89.9, IdleAge.QUARTER, 3),
        (90, IdleAge.LONGER, 4),
        (-1, IdleAge.WEEK, 1),  # a clock that is behind
    ],
)
def test_age_and_periods(days: float, age: IdleAge, periods: int) -> None:
    found = idle_money([card(days)], NOW)
    assert found.ages[age].cards == found.all.cards == 1
    assert found.all.so_far == periods * Decimal("1.50")
    assert found.all.in_a_month == found.all.so_far + Decimal("1.50")


def test_a_price_that_nobody_knows_is_said_and_not_guessed() -> None:
    found = idle_money([card(10), card(10, None), card(None)], NOW)
    assert (found.all.cards, found.all.unpriced) == (3, 1)
    assert found.all.so_far == Decimal("3.00")
    assert "without 1 of no known price" in found.words
    assert "price is not known" in idle_money([card(10, None)], NOW).words
    assert idle_money([], NOW).words == "no idle card"
