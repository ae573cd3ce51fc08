"""What a plan will cost, call and take: added up change by change, so that a million of them need no memory."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from migrator.core.mapping import NO_LIMIT
from migrator.core.packing import smallest
from migrator.core.plan import Action, Change, DesiredState, Prices
from migrator.core.policy import Policy
from migrator.core.units import PRICE_BYTES_PER_MB, money

__all__ = ["Tally"]

CLAIM_MOST, BULK_MOST, PAGE = 2500, 500, 1000


@dataclass(slots=True)
class Tally:
    """Counts changes as they pass by."""

    actions: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    waves: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    claimed: Counter[str] = field(default_factory=Counter)
    limits: Counter[tuple[str, int]] = field(default_factory=Counter)
    names: int = 0
    billed: int = 0
    limited_bytes: int = 0
    unlimited: int = 0
    sms: int = 0
    sms_open: int = 0

    def counting(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Pass `changes` through, counted."""
        for change in changes:
            self.add(change)
            yield change

    def add(self, change: Change) -> None:
        """Count one change."""
        self.actions[change.action.value] += 1
        self.reasons[change.reason.value] += 1
        if not change.action.acts:
            return
        self.billed += 1
        self.waves[change.wave or ""] += 1
        if change.action is Action.CLAIM:
            self._claim(change)
        limit = change.overage_limit_bytes
        if limit is None or limit == NO_LIMIT:
            self.unlimited += 1
        else:
            self.limited_bytes += limit
        if change.sms_limit is None or change.sms_limit == NO_LIMIT:
            self.sms_open += 1
        else:
            self.sms += change.sms_limit

    def _claim(self, change: Change) -> None:
        self.states[change.state.value if change.state else ""] += 1
        wave = change.wave or ""
        self.claimed[wave] += 1
        self.limits[wave, NO_LIMIT if change.overage_limit_bytes is None else change.overage_limit_bytes] += 1
        self.names += change.name is not None

    @property
    def claims(self) -> int:
        """SIMs that will be claimed: the number to confirm."""
        return self.actions[Action.CLAIM.value]

    def summary(self, policy: Policy, prices: Prices, *, balance: Decimal | None, max_rps: float) -> dict[str, Any]:
        """Money, calls, time and warnings, as JSON values."""
        calls = self._calls(policy)
        return {
            "sims": sum(self.actions.values()),
            "reasons": dict(sorted(self.reasons.items())),
            "waves": {wave.name: self.waves[wave.name] for wave in policy.waves},
            "money": self._money(prices, balance),
            "calls": calls,
            "minutes": round(sum(calls.values()) / max_rps / 60, 1),
            "max_rps": max_rps,
            "warnings": self._warnings(policy, prices, balance),
        }

    def _calls(self, policy: Policy) -> dict[str, int]:
        """Requests to Hologram, about: shared names take fewer, pending states and refusals more."""
        pages = math.ceil(self.billed / PAGE)
        return {
            "claims": sum(math.ceil(count / CLAIM_MOST) for count in self.claimed.values()),
            "limits": self._limit_calls(),
            "states": math.ceil(self.states[DesiredState.PAUSE.value] / BULK_MOST),
            "names": self.names,
            "reads": (2 + len(policy.waves)) * pages + math.ceil(self.claims / CLAIM_MOST),
        }

    def _limit_calls(self) -> int:
        """A wave's claims carry its smallest limit; every larger one takes a call for each 500 SIMs."""
        calls = 0
        for wave in self.claimed:
            of_wave = {limit: count for (name, limit), count in self.limits.items() if name == wave}
            carried = smallest(of_wave)
            calls += sum(math.ceil(count / BULK_MOST) for limit, count in of_wave.items() if limit != carried)
        return calls

    def _money(self, prices: Prices, balance: Decimal | None) -> dict[str, Any]:
        """Charged at the claim, per period at the least, and the most that the limits allow; None where unknown."""
        fees = None if prices.per_period is None else prices.per_period * self.billed
        now = None if prices.per_period is None else prices.per_period * self.claims
        return {
            "charged_now": None if now is None else money(now),
            "per_period_at_least": None if fees is None else money(fees),
            "per_period_at_most": self._largest_bill(prices, fees),
            "price_per_sim": None if prices.per_period is None else money(prices.per_period),
            "balance": None if balance is None else money(balance),
        }

    def _largest_bill(self, prices: Prices, fees: Decimal | None) -> str | None:
        """Every SIM using all it may; None where a price is unknown or some SIM has no limit."""
        if fees is None or prices.per_mb is None or self.unlimited:
            return None
        data = prices.per_mb * self.limited_bytes / PRICE_BYTES_PER_MB
        sms = Decimal(0) if prices.per_sms is None else prices.per_sms * self.sms
        return money((fees + data + sms).quantize(Decimal("0.01")))

    def _warnings(self, policy: Policy, prices: Prices, balance: Decimal | None) -> list[str]:
        return list(self._each_warning(policy, prices, balance))

    def _each_warning(self, policy: Policy, prices: Prices, balance: Decimal | None) -> Iterator[str]:
        if self.limited_bytes:
            yield (
                "1NCE's volume is for a SIM's lifetime; Hologram's limit starts anew every billing period: "
                "the largest bill above may come every period"
            )
        if self.unlimited:
            yield f"{self.unlimited} SIMs will have no data limit: there is no largest bill"
        paused = self.states[DesiredState.PAUSE.value]
        if paused:
            yield f"{paused} SIMs will be claimed and paused; paused SIMs are billed every period at Hologram"
        if prices.per_period is None:
            yield "Hologram shows no price for this plan (invoiced organization?): the cost is not known here"
            return
        need = prices.per_period * self.claims
        if balance is not None and balance < need:
            yield f"the balance is {money(balance)}, and claiming {self.claims} SIMs costs {money(need)}"
        if need > policy.caps.max_spend_now:
            yield f"claiming all costs {money(need)}, past [caps] max_spend_now = {money(policy.caps.max_spend_now)}"
        if self.claims > policy.caps.max_sims:
            yield f"{self.claims} claims are past [caps] max_sims = {policy.caps.max_sims}"
