"""Part of `[caps]` that claimed SIMs use up.

Every SIM counts that a journal shows as claimed, or perhaps claimed. The code is pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from migrator.core.fleet.units import money
from migrator.core.policy.policy import Caps, CapsScope, WithoutPrice

__all__ = ["Claimed", "Used", "caps_from", "past_caps", "used_of", "used_values"]

SHOWN = 3
"""Number of plans that are named separately."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """SIMs that one plan has claimed, or may have claimed.

    SIMs that were ours already (ADOPT) do not count. `price` is that of a SIM as the plan was confirmed, and so the
    most that each SIM can have cost; None where the plan has no price.
    """

    plan_id: str
    sims: int
    price: Decimal | None


@dataclass(frozen=True, slots=True)
class Used:
    """Use of the caps by a plan and its organization's other plans.

    Only money that is known counts.
    """

    own_sims: int = 0
    own_spend: Decimal = Decimal(0)
    others: tuple[Claimed, ...] = ()

    @property
    def sims(self) -> int:
        """Number of SIMs claimed by any of these plans."""
        return self.own_sims + sum(one.sims for one in self.others)

    @property
    def spend(self) -> Decimal:
        """Cost of the claimed SIMs, as far as prices are known."""
        return self.own_spend + self.others_spend

    @property
    def others_spend(self) -> Decimal:
        """Cost of other plans' SIMs, as far as prices are known."""
        return sum((one.price * one.sims for one in self.others if one.price is not None), Decimal(0))

    @property
    def unpriced(self) -> int:
        """Number of other plans' SIMs whose price is not known here."""
        return sum(one.sims for one in self.others if one.price is None)


def caps_from(canonical: Mapping[str, Any]) -> Caps:
    """Return the caps of a policy as kept with its plan.

    A policy of an earlier version lacks some caps.
    """
    told, usual = canonical.get("caps", {}), Caps()
    return Caps(
        max_sims=told.get("max_sims", usual.max_sims),
        max_spend_now=Decimal(told.get("max_spend_now", usual.max_spend_now)),
        without_price=WithoutPrice(told.get("without_price", usual.without_price)),
        scope=CapsScope(told.get("scope", usual.scope)),
    )


def used_of(claimed: Iterable[Claimed], caps: Caps, plan_id: str | None, price: Decimal | None = None) -> Used:
    """Return what counts against a plan's caps.

    Args:
        claimed: by each plan of the organization.
        caps: with their scope.
        plan_id: the plan; None for a plan that is still being made.
        price: of a SIM of this plan, where the plan was confirmed without a price.
    """
    parts = [one for one in claimed if one.sims]
    own = next((one for one in parts if one.plan_id == plan_id), Claimed("", 0, None))
    others = () if caps.scope is CapsScope.PLAN else tuple(one for one in parts if one.plan_id != plan_id)
    own_price = price if own.price is None else own.price
    return Used(own.sims, (own_price or Decimal(0)) * own.sims, others)


def past_caps(caps: Caps, used: Used, sims: int, price: Decimal | None) -> tuple[str, str] | None:
    """Return code and words if `sims` more SIMs pass a cap.

    None while both caps are kept. Without a price, only `max_sims` is checked.
    """
    total = used.sims + sims
    if total > caps.max_sims:
        words = f"claiming {sims} more would make {total} SIMs, past [caps] max_sims = {caps.max_sims}"
        return "cap_sims", words + _shares(used)
    if price is not None and (spend := used.spend + price * sims) > caps.max_spend_now:
        words = f"claiming {sims} more would cost {money(spend)} in all, past [caps] max_spend_now = "
        return "cap_spend", words + money(caps.max_spend_now) + _shares(used)
    return None


def _shares(used: Used) -> str:
    """Describe the share of other plans in the caps.

    The text is empty where other plans have no share.
    """
    if not used.others:
        return ""
    largest = sorted(used.others, key=lambda one: (-one.sims, one.plan_id))
    named = ", ".join(f"{one.plan_id}: {one.sims}" for one in largest[:SHOWN])
    more = f", and {len(largest) - SHOWN} more plans" if len(largest) > SHOWN else ""
    unknown = f", and {used.unpriced} of them at a price that is not known" if used.unpriced else ""
    claimed = used.sims - used.own_sims
    return (
        f"; it holds over the organization: this plan has claimed {used.own_sims}, and other plans {claimed} for "
        f"{money(used.others_spend)} ({named}{more}){unknown}"
    )


def used_values(caps: Caps, used: Used) -> dict[str, Any]:
    """Return caps, used amounts and remaining amounts as JSON values."""
    left = max(Decimal(0), caps.max_spend_now - used.spend)
    return {
        "scope": caps.scope.value,
        "max_sims": caps.max_sims,
        "used_sims": used.sims,
        "left_sims": max(0, caps.max_sims - used.sims),
        "max_spend_now": money(caps.max_spend_now),
        "used_spend": money(used.spend),
        "left_spend": money(left),
        "unpriced_sims": used.unpriced,
        "by_plan": _by_plan(used.others),
    }


def _by_plan(others: Sequence[Claimed]) -> list[dict[str, Any]]:
    return [
        {"plan_id": one.plan_id, "sims": one.sims, "price": None if one.price is None else money(one.price)}
        for one in others
    ]
