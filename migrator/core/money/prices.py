"""Comparison of a data plan's prices now with the confirmed prices.

The code is pure.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from migrator.core.fleet.units import money
from migrator.core.plan.plan import Prices

__all__ = ["confirmed_prices", "price_rises", "told_prices"]

_TOLD = (  # name in a plan's summary, field, what it is for
    ("price_per_sim", "per_period", "a SIM"),
    ("price_per_mb", "per_mb", "a MB past the data plan"),
    ("price_per_sms", "per_sms", "an SMS"),
)


def told_prices(prices: Prices, *, uses_data: bool, uses_sms: bool) -> dict[str, str | None]:
    """Return the prices that a plan shows and is confirmed with.

    These are the price of a SIM, and the other prices that the plan used for the largest bill.
    """
    used = {"per_period": True, "per_mb": uses_data, "per_sms": uses_sms}
    return {
        name: None if price is None or not used[field] else money(price)
        for name, field, _ in _TOLD
        for price in (getattr(prices, field),)
    }


def confirmed_prices(summary: Mapping[str, Any]) -> Prices:
    """Return the prices in a plan's summary.

    A price is None where the summary has none. Plans of earlier versions have no prices of data and SMS.
    """
    told = summary.get("money", {})
    per_period, per_mb, per_sms = (_price(told.get(name)) for name, _, _ in _TOLD)
    return Prices(per_period, per_mb, per_sms)


def _price(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def price_rises(confirmed: Prices, now: Prices) -> Iterator[str]:
    """Yield every price above the confirmed price, in words.

    A price that is not shown any more may be any price, so it counts.
    """
    for _, field, what in _TOLD:
        was, price = getattr(confirmed, field), getattr(now, field)
        if was is not None and price is None:
            yield f"{what} cost {money(was)} when the plan was made, and no price is shown now"
        elif was is not None and price > was:
            yield f"{what} costs {money(price)} now, and cost {money(was)} when the plan was made"
