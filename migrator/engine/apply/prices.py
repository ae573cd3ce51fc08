"""Reliable price of the policy's data plan and zone."""

from collections.abc import Sequence

from migrator.core.fleet.units import money
from migrator.core.plan.plan import Prices
from migrator.core.policy.policy import ClaimPolicy
from migrator.errors import Halted, InputError
from migrator.ports import DataPlan

__all__ = ["prices_of"]

NOT_SURE = "ask Hologram what this data plan costs; nothing is claimed at a price that nobody can tell"


def prices_of(plans: Sequence[DataPlan], claim: ClaimPolicy) -> Prices:
    """Return the prices of a policy's data plan and zone.

    A part is None where the carrier shows no price.

    Args:
        plans: as the carrier lists them. A plan that is listed twice must say the same twice.
        claim: the policy's data plan and zone.

    Raises: InputError, if there is no such plan or zone; the message lists what there is. Halted, if the price is there
        and cannot be read, is negative, or contradicts itself.
    """
    data_plan_id, zone = claim.data_plan_id, claim.zone
    mine = [plan for plan in plans if plan.data_plan_id == data_plan_id]
    if not mine:
        known = ", ".join(dict.fromkeys(f"{plan.data_plan_id} ({plan.name})" for plan in plans)) or "none"
        raise InputError(
            f"the organization has no data plan {data_plan_id}",
            code="unknown_data_plan",
            hint=f"set [claim] data_plan_id to one of: {known}",
        )
    name = mine[0].name
    if not all(plan.enabled for plan in mine):
        raise InputError(
            f"data plan {data_plan_id} ({name}) is closed for new subscriptions",
            code="closed_data_plan",
            hint="set [claim] data_plan_id to one that is open",
        )
    found = list(dict.fromkeys(plan.zones[zone] for plan in mine if zone in plan.zones))
    if not found:
        zones = dict.fromkeys(repr(known) for plan in mine for known in plan.zones)
        raise InputError(
            f"data plan {data_plan_id} ({name}) has no zone {zone!r}",
            code="unknown_zone",
            hint=f"set [claim] zone to one of these, letter for letter: {', '.join(zones) or 'none'}",
        )
    what = f"the price of data plan {data_plan_id} ({name}), zone {zone!r},"
    if problem := next((prices.problem for prices in found if prices.problem), ""):
        raise Halted(f"{what} cannot be relied on: {problem}; nothing was sent", code="price_unreadable", hint=NOT_SURE)
    if len(found) > 1:
        told = " and ".join(_told(prices) for prices in found)
        words = f"{what} contradicts itself: the plan is listed {len(found)} times, at {told}; nothing was sent"
        raise Halted(words, code="price_contradicts", hint=NOT_SURE)
    return found[0]


def _told(prices: Prices) -> str:
    parts = (("a SIM", prices.per_period), ("a MB", prices.per_mb), ("an SMS", prices.per_sms))
    return " / ".join(f"{'no price' if price is None else money(price)} {what}" for what, price in parts)
