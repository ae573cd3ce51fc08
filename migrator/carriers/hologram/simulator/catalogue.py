"""Data plans on offer: invented, except the one in the reference (2096)."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

__all__ = ["PLANS", "SimulatedPlan", "Tariff", "zone_of"]


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices of one zone, in dollars.

    The prices are per SIM and billing period, per SMS, and per MB beyond the included data.
    """

    amount: Decimal
    sms: Decimal
    overage: Decimal


@dataclass(frozen=True, slots=True)
class SimulatedPlan:
    """Data plan of the simulated carrier.

    `data` is the included volume in bytes; 0 is flat rate, not a cap.
    """

    plan_id: int
    name: str
    zones: Mapping[str, Tariff]
    data: int = 0
    enabled: bool = True


def _tariff(amount: str, sms: str, overage: str) -> Tariff:
    return Tariff(Decimal(amount), Decimal(sms), Decimal(overage))


_ON_OFFER = (
    SimulatedPlan(2096, "Global G3 Standard Flat Rate", {"global": _tariff("1.000000", "0.190000", "0.030000")}),
    SimulatedPlan(
        2041,
        "Regional Flat Rate",
        {
            "US": _tariff("0.800000", "0.190000", "0.025000"),
            "EU": _tariff("0.950000", "0.190000", "0.028000"),
            "Global": _tariff("1.500000", "0.190000", "0.090000"),
        },
    ),
    SimulatedPlan(1850, "Retired Pilot", {"global": _tariff("0.500000", "0.190000", "0.400000")}, enabled=False),
    SimulatedPlan(1402, "Global 1 MB", {"global": _tariff("2.500000", "0.190000", "0.400000")}, data=1_000_000),
)
PLANS: Mapping[int, SimulatedPlan] = MappingProxyType({plan.plan_id: plan for plan in _ON_OFFER})
"""Data plans by id.

Plan 2041 has several zones, 1850 takes no new SIMs, 1402 includes 1 MB.
"""


def zone_of(plan: SimulatedPlan, zone: str, *, case_matters: bool) -> str | None:
    """Return the plan's own spelling of `zone`, or None if absent."""
    if case_matters:
        return zone if zone in plan.zones else None
    return next((key for key in plan.zones if key.lower() == zone.lower()), None)
