"""Costs, calls and time of a plan.

All are added up change by change, so that a million changes need no memory.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Context, Decimal
from typing import Any

from migrator.core.fleet.sims import ONENCE, LimitPeriod, LinkState, link_state
from migrator.core.fleet.units import PRICE_BYTES_PER_MB, grouped, megabytes, money, sized
from migrator.core.money.calls import KINDS, PAGE, USUAL_SIZES, CallSizes, WaveCalls
from migrator.core.money.caps import Used, used_values
from migrator.core.money.prices import told_prices
from migrator.core.plan.mapping import NO_LIMIT
from migrator.core.plan.plan import Action, Change, DesiredState, Prices
from migrator.core.policy.policy import DataBasis, LimitsTiming, Policy, Rule, Wave, WithoutPrice

__all__ = ["DEFAULT_GROUP", "PlanTally"]

DEFAULT_GROUP = "default"
"""Name of the group of SIMs that no rule fits."""

USUAL_SMS = 100
"""SMS that a SIM may send while its limit is left alone.

Source: Hologram, "Set a SIM's SMS limit". Read 2026-11-20.
"""

_CENT = Decimal("0.01")
_EXACT = Context(prec=200)
_VOLUMES = ("data_quota_mb", "data_remaining_mb")

Kind = tuple[str, str, str | None, str]
"""Action, reason, wave and rule."""


@dataclass(slots=True)
class _Cell:
    """Sums over the SIMs of one kind.

    Volumes are in MB of 1,048,576 bytes: booked, and what is left as far as the volume was read. `with_own` of the SIMs
    have a limit at the source: those of `not_monthly` for another period than a month, the others `own_bytes` in all.
    """

    acts: bool
    sims: int = 0
    limited_bytes: int = 0
    unlimited: int = 0
    sms: int = 0
    paused: int = 0
    booked_mb: Decimal = Decimal(0)
    left_mb: Decimal = Decimal(0)
    own_bytes: int = 0
    with_own: int = 0
    not_monthly: int = 0

    def add(self, change: Change) -> None:
        """Add the planned and the old values of one SIM.

        The plan acts on this SIM.
        """
        limit = change.overage_limit_bytes
        if limit is None or limit == NO_LIMIT:
            self.unlimited += 1
        else:
            self.limited_bytes += limit
        sms = change.sms_limit
        self.sms += USUAL_SMS if sms is None or sms == NO_LIMIT else sms
        self.paused += change.state is DesiredState.PAUSE
        booked, left = map(change.source.get, _VOLUMES)
        if booked is not None:
            self.booked_mb = _EXACT.add(self.booked_mb, Decimal(booked))
        if left is not None:
            self.left_mb = _EXACT.add(self.left_mb, Decimal(left))
        own = change.source.get("data_limit_bytes")
        if own is not None:
            self.with_own += 1
            if change.source.get("data_limit_period") == LimitPeriod.MONTHLY:
                self.own_bytes += int(own)
            else:
                self.not_monthly += 1


@dataclass(slots=True)
class PlanTally:
    """Counter of changes as they pass by.

    `sizes` are those of the requests that `apply` will send. `source` is the name of the source, for words.
    """

    sizes: CallSizes = USUAL_SIZES
    source: str = ONENCE
    _cells: dict[Kind, _Cell] = field(default_factory=dict)
    _calls: dict[str, WaveCalls] = field(default_factory=dict)
    wakes: int = 0  # SIMs that are paused at Hologram now, and that the plan switches on
    live_pauses: int = 0  # SIMs that are live at Hologram now, and that the plan pauses

    def counting(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Pass `changes` through, and count each."""
        for change in changes:
            self.add(change)
            yield change

    def add(self, change: Change) -> None:
        """Count one change."""
        kind = (change.action._value_, change.reason._value_, change.wave, change.rule)  # `value` costs a call
        cell = self._cells.get(kind)
        if cell is None:
            cell = self._cells[kind] = _Cell(change.action.acts)
        cell.sims += 1
        if cell.acts:
            cell.add(change)
            if change.state is DesiredState.PAUSE and change.before:
                self.live_pauses += link_state(change.before.get("state")) is LinkState.LIVE
            elif change.before:
                self.wakes += link_state(change.before.get("state")) is LinkState.PAUSED_USER
            wave = change.wave or ""
            calls = self._calls.get(wave)
            if calls is None:
                calls = self._calls[wave] = WaveCalls()
            calls.add(change)

    @property
    def actions(self) -> Counter[str]:
        """Number of SIMs by action."""
        return self._counted(lambda kind: kind[0])

    @property
    def reasons(self) -> Counter[str]:
        """Number of SIMs by reason."""
        return self._counted(lambda kind: kind[1])

    @property
    def claims(self) -> int:
        """Number of SIMs that will be claimed: the number to confirm."""
        return self.actions[Action.CLAIM.value]

    def _counted(self, part: Callable[[Kind], str]) -> Counter[str]:
        counts: Counter[str] = Counter()
        for kind, cell in self._cells.items():
            counts[part(kind)] += cell.sims
        return counts

    def summary(
        self, policy: Policy, prices: Prices, *, balance: Decimal | None, max_rps: float, used: Used | None = None
    ) -> dict[str, Any]:
        """Return money, calls, time and warnings, as JSON values.

        `used` is what other plans have of the caps.
        """
        used = used or Used()
        waves = [self._wave(wave, policy, prices, max_rps) for wave in policy.waves]
        calls = {kind: sum(wave["calls"][kind] for wave in waves) for kind in KINDS}
        if any("tags" in wave["calls"] for wave in waves):  # of the old SIMs, where they are copied
            calls["tags"] = sum(wave["calls"].get("tags", 0) for wave in waves)
        calls["reads"] += max(1, -(-self._acting().sims // PAGE))  # what is there before anything is decided
        parts: tuple[Policy | Rule, ...] = (*policy.rules, policy)
        groups = [self._group(part, prices) for part in parts]
        return {
            "sims": sum(cell.sims for cell in self._cells.values()),
            "reasons": dict(sorted(self.reasons.items())),
            "waves": {wave["wave"]: wave["sims"] for wave in waves},
            "by_wave": waves,
            "groups": [group for group in groups if group["sims"]],
            "money": self._money(prices, balance),
            "caps": used_values(policy.caps, used),
            "calls": calls,
            "live_pauses": self.live_pauses,
            "minutes": round(sum(calls.values()) / max_rps / 60, 1),
            "max_rps": max_rps,
            **({} if self.source == ONENCE else {"source": self.source}),
            "warnings": list(self._warnings(policy, prices, balance, groups, used)),
        }

    def _acting(self, fits: Callable[[Kind], bool] = lambda _: True) -> _Cell:
        """Sum up all SIMs of some kinds that the plan acts on."""
        total = _Cell(acts=True)
        for kind, cell in self._cells.items():
            if cell.acts and fits(kind):
                total.sims += cell.sims
                total.limited_bytes += cell.limited_bytes
                total.unlimited += cell.unlimited
                total.sms += cell.sms
                total.paused += cell.paused
                total.booked_mb = _EXACT.add(total.booked_mb, cell.booked_mb)
                total.left_mb = _EXACT.add(total.left_mb, cell.left_mb)
                total.own_bytes += cell.own_bytes
                total.with_own += cell.with_own
                total.not_monthly += cell.not_monthly
        return total

    # --- by wave ------------------------------------------------------------------------------------------------

    def _wave(self, wave: Wave, policy: Policy, prices: Prices, max_rps: float) -> dict[str, Any]:
        """Return one wave: SIMs, requests, hours and money."""
        counted = self._calls.get(wave.name, WaveCalls())
        calls = counted.calls(with_claim=policy.claim.limits is LimitsTiming.WITH_CLAIM, sizes=self.sizes)
        return {
            "wave": wave.name,
            "sims": counted.sims,
            "claims": counted.claims,
            "calls": calls,
            "hours": round(sum(calls.values()) / max_rps / 3600, 2),
            "soak_hours": round(wave.soak_s / 3600, 2),
            "charged_now": _told(prices.per_period, counted.claims),
            "per_period_at_most": _largest_bill(prices, self._acting(lambda kind: kind[2] == wave.name)),
        }

    # --- by rule ------------------------------------------------------------------------------------------------

    def _group(self, part: Policy | Rule, prices: Prices) -> dict[str, Any]:
        """Compare what one rule's SIMs have at the source with their limits.

        The policy counts as the rule for all other SIMs.
        """
        rule = part.name if isinstance(part, Rule) else ""
        cell = self._acting(lambda kind: kind[3] == rule)
        basis = part.data_limit.basis_for(has_limit=cell.with_own > 0)
        group = {
            "rule": rule or DEFAULT_GROUP,
            "basis": basis.value,
            "sims": cell.sims,
            **self._at_source(cell, basis),
            "limit_bytes": cell.limited_bytes,
            "unlimited": cell.unlimited,
            "sms": cell.sms,
            "per_period_at_most": _largest_bill(prices, cell),
        }
        return {**group, "warning": _lifetime_words(group, self.source)}

    def _at_source(self, cell: _Cell, basis: DataBasis) -> dict[str, Any]:
        """Return what SIMs have at the source, in the source's own unit.

        That is 1NCE's MB. Of another source it is bytes, as nobody tells what a MB is there: what is left of a volume,
        or the limits for a month, or volumes of a file.
        """
        volume = cell.left_mb if basis is DataBasis.REMAINING else cell.booked_mb
        if self.source == ONENCE:
            return {"onence_mb": f"{volume:f}"}
        if cell.with_own and basis not in {DataBasis.TOTAL, DataBasis.REMAINING}:
            monthly = cell.with_own - cell.not_monthly
            return {"source_bytes": cell.own_bytes, "monthly": monthly, "not_monthly": cell.not_monthly}
        return {"source_bytes": megabytes(volume)}

    # --- over all -----------------------------------------------------------------------------------------------

    def _money(self, prices: Prices, balance: Decimal | None) -> dict[str, Any]:
        """Return the costs at the claim and per period.

        Per period the costs are the least, and the most that the limits allow. A cost is None where unknown.
        """
        everybody = self._acting()
        return {
            "charged_now": _told(prices.per_period, self.claims),
            "per_period_at_least": _told(prices.per_period, everybody.sims),
            "per_period_at_most": _largest_bill(prices, everybody),
            **told_prices(
                prices,
                uses_data=bool(everybody.limited_bytes or everybody.unlimited),
                uses_sms=bool(everybody.sms),
            ),
            "balance": None if balance is None else money(balance),
        }

    def _warnings(
        self,
        policy: Policy,
        prices: Prices,
        balance: Decimal | None,
        groups: Iterable[Mapping[str, Any]],
        used: Used,
    ) -> Iterator[str]:
        told = list(groups)
        yield from (group["warning"] for group in told if group["warning"])
        yield from (
            f"{group['rule']}: SIMs whose limit at {self.source} is not for a month: {group['not_monthly']}; what it "
            "is here is by [data_limit] other_periods, and is said with each"
            for group in told
            if group.get("not_monthly")
        )
        yield from self._idle_words(policy)
        everybody = self._acting()
        if everybody.unlimited:
            yield f"{everybody.unlimited} SIMs will have no data limit: there is no largest bill"
        paused = self._acting(lambda kind: kind[0] == Action.CLAIM).paused
        if paused:
            cost = "" if prices.per_period is None else f": {money(prices.per_period * paused)}"
            yield f"{paused} SIMs will be claimed and paused; paused SIMs are billed every period at Hologram{cost}"
        if self.live_pauses:
            yield f"{self.live_pauses} SIMs are live at Hologram now and will be PAUSED: their units fall silent"
        if self.wakes:
            yield f"SIMs that somebody paused at Hologram, and that will be LIVE again: {self.wakes}"
        yield from _unknown_prices(prices, everybody)
        yield from self._money_words(policy, prices, balance, used)

    def _idle_words(self, policy: Policy) -> Iterator[str]:
        """Warn of rules and waves without SIMs.

        A wave without SIMs lets the next wave through at once.
        """
        fitting = self._counted(lambda kind: kind[3])
        yield from (f"rule {rule.name!r} fits no SIM" for rule in policy.rules if not fitting[rule.name])
        for wave in policy.waves[:-1]:
            if wave.name not in self._calls:
                yield f"wave {wave.name!r} holds no SIM: the next wave opens without it"

    def _money_words(self, policy: Policy, prices: Prices, balance: Decimal | None, used: Used) -> Iterator[str]:
        """Warn of every obstacle to claiming all SIMs."""
        need = None if prices.per_period is None else prices.per_period * self.claims
        if need is None and self.claims:
            stops = policy.caps.without_price is WithoutPrice.STOP
            then = "claims nothing" if stops else f"is bound by max_sims = {policy.caps.max_sims} alone"
            yield f"[caps] max_spend_now cannot be checked without a price: `apply` {then} (without_price)"
        if need is not None and balance is not None and balance < need:
            yield f"the balance is {money(balance)}, and claiming {self.claims} SIMs costs {money(need)}"
        before = f", with {used.sims} that other plans have claimed for {money(used.spend)}," if used.others else ""
        if need is not None and self.claims and need + used.spend > policy.caps.max_spend_now:
            cap = money(policy.caps.max_spend_now)
            yield f"claiming all costs {money(need)}{before or ','} past [caps] max_spend_now = {cap}"
        if self.claims and self.claims + used.sims > policy.caps.max_sims:
            yield f"{self.claims} claims{before} are past [caps] max_sims = {policy.caps.max_sims}"
        if self.claims and used.unpriced:
            yield f"SIMs of other plans that max_spend_now does not count, as their price is not known: {used.unpriced}"


def _told(price: Decimal | None, times: int) -> str | None:
    return None if price is None else money(price * times)


def _largest_bill(prices: Prices, cell: _Cell) -> str | None:
    """Return the bill if every SIM uses all that is allowed.

    The bill is rounded up to a cent. None where a price is unknown or some SIM has no limit.
    """
    if prices.per_period is None or cell.unlimited:
        return None
    if (prices.per_mb is None and cell.limited_bytes) or (prices.per_sms is None and cell.sms):
        return None
    data = (prices.per_mb or Decimal(0)) * cell.limited_bytes / PRICE_BYTES_PER_MB
    sms = (prices.per_sms or Decimal(0)) * cell.sms
    return money((prices.per_period * cell.sims + data + sms).quantize(_CENT, rounding=ROUND_CEILING))


def _unknown_prices(prices: Prices, everybody: _Cell) -> Iterator[str]:
    if prices.doubt:
        yield f"Hologram shows two prices, and one may be of another tier: {prices.doubt}. The dearer one counts here"
    if prices.per_period is None:
        yield "Hologram shows no price for this plan (invoiced organization?): the cost is not known here"
        return
    unknown = [
        what
        for what, price, used in (
            ("data past the plan", prices.per_mb, everybody.limited_bytes),
            ("SMS", prices.per_sms, everybody.sms),
        )
        if price is None and used
    ]
    if unknown:
        yield f"Hologram shows no price for {' and '.join(unknown)}: the largest bill is not known here"


def _lifetime_words(group: Mapping[str, Any], source: str) -> str | None:
    """Warn that volumes are per lifetime, but limits per billing period.

    A person must have understood this difference before money moves. None where nothing is limited.
    """
    if not group["limit_bytes"]:
        return None
    bill = group["per_period_at_most"]
    each = "a bill that is not known here" if bill is None else f"a bill of up to {grouped(bill)}"
    limits, sims = group["limit_bytes"], f"these {grouped(group['sims'])} SIMs"
    told = _at_source_words(group, source, sims)
    return (
        f"{group['rule']}: {told}Hologram's limits, {grouped(limits)} bytes ({sized(limits)}) in all"
        f"{'' if told else f' for {sims}'}, start anew every billing period: {each} may come every period"
    )


def _at_source_words(group: Mapping[str, Any], source: str, sims: str) -> str:
    """Return the volumes at the source in words, or ""."""
    if "onence_mb" in group:
        volume = group["onence_mb"]
        return "" if volume == "0" else f"{grouped(volume)} MB at {source} are for the lifetime of {sims}; "
    volume = group["source_bytes"]
    if not volume:
        return ""
    monthly = group.get("monthly")
    whose = f"the limits of {sims}"
    if monthly is not None:
        whose = f"the monthly limits of {sims if monthly == group['sims'] else f'{grouped(monthly)} of {sims}'}"
    return f"{grouped(volume)} bytes ({sized(volume)}) at {source} are {whose}; "
