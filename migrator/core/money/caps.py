"""How much of `[caps]` is used up: every SIM that a journal shows as claimed, or perhaps claimed. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from migrator.core.fleet.units import money
from migrator.core.policy.policy import Caps, CapsScope, WithoutPrice

__all__ = ["Claimed", "Used", "caps_from", "past_caps", "used_of", "used_values"]

SHOWN = 3
"""Plans that are named one by one."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """What one plan has claimed, or may have. SIMs that were ours already (ADOPT) are none of them.

    `price` is that of a SIM as the plan was confirmed, and so the most that each can have cost; None where it told
    none.
    """

    plan_id: str
    sims: int
    price: Decimal | None


@dataclass(frozen=True, slots=True)
class Used:
    """What counts against the caps: by this plan, and by others of its organization. Money is that which is known."""

    own_sims: int = 0
    own_spend: Decimal = Decimal(0)
    others: tuple[Claimed, ...] = ()

    @property
    def sims(self) -> int:
        """SIMs claimed, by whichever plan."""
        return self.own_sims + sum(one.sims for one in self.others)

    @property
    def spend(self) -> Decimal:
        """What they cost, as far as the prices are known."""
        return self.own_spend + self.others_spend

    @property
    def others_spend(self) -> Decimal:
        """What the SIMs of other plans cost, as far as the prices are known."""
        return sum((one.price * one.sims for one in self.others if one.price is not None), Decimal(0))

    @property
    def unpriced(self) -> int:
        """SIMs of other plans whose price nobody knows here."""
        return sum(one.sims for one in self.others if one.price is None)


def caps_from(canonical: Mapping[str, Any]) -> Caps:
    """The caps of a policy as it is kept with its plan; one of an earlier version lacks some of them."""
    told, usual = canonical.get("caps", {}), Caps()
    return Caps(
        max_sims=told.get("max_sims", usual.max_sims),
        max_spend_now=Decimal(told.get("max_spend_now", usual.max_spend_now)),
        without_price=WithoutPrice(told.get("without_price", usual.without_price)),
        scope=CapsScope(told.get("scope", usual.scope)),
    )


def used_of(claimed: Iterable[Claimed], caps: Caps, plan_id: str | None, price: Decimal | None = None) -> Used:
    """What counts against a plan's caps.

    Args:
        claimed: by each plan of the organization.
        caps: with their scope.
        plan_id: the plan; None for one that is still being made.
        price: of a SIM of this plan, where it was confirmed without one.
    """
    parts = [one for one in claimed if one.sims]
    own = next((one for one in parts if one.plan_id == plan_id), Claimed("", 0, None))
    others = () if caps.scope is CapsScope.PLAN else tuple(one for one in parts if one.plan_id != plan_id)
    own_price = price if own.price is None else own.price
    return Used(own.sims, (own_price or Decimal(0)) * own.sims, others)


def past_caps(caps: Caps, used: Used, sims: int, price: Decimal | None) -> tuple[str, str] | None:
    """Code and words, if `sims` more are past a cap; None while both hold. Without a price only the first is asked."""
    total = used.sims + sims
    if total > caps.max_sims:
        words = f"claiming {sims} more would make {total} SIMs, past [caps] max_sims = {caps.max_sims}"
        return "cap_sims", words + _shares(used)
    if price is not None and (spend := used.spend + price * sims) > caps.max_spend_now:
        words = f"claiming {sims} more would cost {money(spend)} in all, past [caps] max_spend_now = "
        return "cap_spend", words + money(caps.max_spend_now) + _shares(used)
    return None


def _shares(used: Used) -> str:
    """What other plans have of it, in words; nothing where they have none."""
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
    """Caps, what is used up and what is left, as JSON values."""
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
