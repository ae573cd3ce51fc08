"""Mapping of 1NCE's values to Hologram's: one function per rule.

Each rule names its source.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Context, Decimal
from functools import lru_cache, partial
from string import Formatter

from migrator.core.fleet.sims import (
    ONENCE,
    AccountLimits,
    DataLimit,
    LimitPeriod,
    QuotaReading,
    SourceSim,
    SourceStatus,
)
from migrator.core.fleet.units import BYTES_PER_MB, Bytes, megabytes
from migrator.core.plan.plan import DesiredState, Reason
from migrator.core.policy.policy import (
    ClaimPolicy,
    DataBasis,
    DataLimitPolicy,
    NamePolicy,
    OldTags,
    OtherPeriods,
    Policy,
    SmsBasis,
    SmsLimitPolicy,
    StatusPolicy,
    StatusRule,
    WhenZero,
)
from migrator.core.policy.selection import Selector, every_sim, selector

__all__ = [
    "FACT_FIELDS",
    "LARGEST_LIMIT",
    "NO_LIMIT",
    "Blocked",
    "Limit",
    "LimitRule",
    "copied_tags",
    "data_limit_rule",
    "device_name",
    "left_behind",
    "sms_limit_rule",
    "state_of",
    "state_rules",
    "template_fields",
    "too_large",
    "undecided",
]

NO_LIMIT = -1
"""Value by which Hologram writes "no limit".

Source: "Update SIM's overage limit": -1 disables. Read 2026-11-20.
"""

SMALLEST_LIMIT = Bytes(BYTES_PER_MB)

LARGEST_LIMIT = Bytes(2**53 - 1)
"""Largest whole number that every JSON reader keeps exactly.

The largest limit that Hologram takes is not known. A number above this limit might arrive as another number. The limit
is 9 million GB: a larger volume is a slip, or a carrier's sentinel.
"""

PERIODS_OF_30_DAYS = {LimitPeriod.HOURLY: 720, LimitPeriod.DAILY: 30}
"""Number of periods in 30 days, which stand for a month (assumed)."""

REMEMBERED = 4096
"""Number of volumes whose limit is remembered.

Most fleets have a handful of volumes. Where each SIM has its own volume, memory must stay flat.
"""

_EXACT = Context(prec=200)
"""Context for products and quotients of volumes without rounding.

Python's own context stops at 28 digits.
"""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Reason why a rule cannot give a value: code and words."""

    reason: Reason
    detail: str
    skip: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """Limit of a SIM, and how the limit was found.

    `value` is bytes or a count, -1 for no limit, and None to leave the carrier's own limit.
    """

    value: int | None
    detail: str = ""
    pause: bool = False


LimitRule = Callable[[SourceSim], Limit | Blocked]
"""Section of the policy, made ready for many SIMs."""


# --- status -------------------------------------------------------------------------------------------------------


def state_rules(policy: StatusPolicy) -> Mapping[SourceStatus, DesiredState | Blocked]:
    """Return the link state for each known source status.

    Source: Hologram's migration guide, "SIM states": Enabled is LIVE, Disabled is PAUSED-USER (still billed monthly);
    an expired SIM has no counterpart. The policy decides; an unknown word is never acted on. Read 2026-11-20.
    """
    return {
        SourceStatus.ENABLED: _state(SourceStatus.ENABLED, policy.enabled),
        SourceStatus.DISABLED: _state(SourceStatus.DISABLED, policy.disabled),
        SourceStatus.EXPIRED: _state(SourceStatus.EXPIRED, policy.expired),
    }


def _state(status: SourceStatus, rule: StatusRule) -> DesiredState | Blocked:
    if rule is StatusRule.SKIP:
        return Blocked(Reason.STATUS_SKIPPED, f"{status} SIMs are left behind by [status]", skip=True)
    if rule is StatusRule.BLOCK:
        return Blocked(Reason.STATUS_BLOCKED, f"{status} SIMs wait for a person, by [status]")
    return DesiredState.LIVE if rule is StatusRule.LIVE else DesiredState.PAUSE


def state_of(
    sim: SourceSim, rules: Mapping[SourceStatus, DesiredState | Blocked], source: str = ONENCE
) -> DesiredState | Blocked:
    """Return the link state a SIM should end in, by `state_rules`.

    `source` is the name of the source, for words; so it is below.
    """
    state = rules.get(sim.status)
    if state is None:
        return Blocked(Reason.STATUS_UNKNOWN, f"{source} says {sim.status_word!r}, a status this tool does not know")
    return state


def undecided(policy: Policy) -> Selector:
    """Return a selector of disabled SIMs for which no rule gives `disabled`.

    The first rule that fits decides, as in the planner. The selector is for a policy whose `[status]` does not say it.
    """
    parts = [(selector(rule.when), "status.disabled" in rule.gives) for rule in policy.rules]

    def is_open(sim: SourceSim) -> bool:
        return sim.status is SourceStatus.DISABLED and not next((given for fits, given in parts if fits(sim)), False)

    return is_open


def left_behind(policy: Policy) -> Selector:
    """Return a selector of SIMs that the policy skips by status.

    The first rule that fits decides, as in the planner.
    """
    parts = [(selector(rule.when), state_rules(rule.status)) for rule in policy.rules]
    parts.append((every_sim, state_rules(policy.status)))

    def is_left(sim: SourceSim) -> bool:
        state = state_of(sim, next(states for fits, states in parts if fits(sim)))
        return isinstance(state, Blocked) and state.skip

    return is_left


# --- data ---------------------------------------------------------------------------------------------------------


def data_limit_rule(policy: DataLimitPolicy, account: AccountLimits, source: str = ONENCE) -> LimitRule:
    """Return a function that gives each SIM its overage limit in bytes.

    The result for one volume is worked out once.

    Source: a monthly limit of the source is Hologram's limit per billing period, byte for byte. 1NCE's volume
    is a lifetime total in MB of 1024 KB, Hologram's overage limit is bytes per billing period (reference, 9.2). A limit
    of 0 would pause a link at its first byte, so 0 is only sent when the policy asks for it.
    """
    if policy.basis is DataBasis.UNLIMITED:
        return _always(Limit(NO_LIMIT, "no limit, by [data_limit]"))
    if policy.basis is DataBasis.FIXED:
        return _always(_limit_of(policy.fixed_mb or Decimal(0), policy))
    if policy.basis is DataBasis.MONTHLY_LIMIT:
        return _always(_capped(policy, account.data_mb, source))
    limit_of = lru_cache(maxsize=REMEMBERED)(partial(_limit_of, policy=policy))
    if policy.basis is DataBasis.REMAINING:
        return partial(_left_limit, limit_of, source)
    booked = partial(_booked_limit, limit_of, source)
    if policy.basis is DataBasis.TOTAL:
        return booked
    of_period = lru_cache(maxsize=REMEMBERED)(partial(_period_limit, policy=policy, source=source))
    return partial(_own_limit, of_period, source, None if policy.basis is DataBasis.DATA_LIMIT else booked)


def _always(outcome: Limit | Blocked) -> LimitRule:
    return lambda _sim: outcome


def _own_limit(
    of_period: Callable[[DataLimit], Limit | Blocked], source: str, booked: LimitRule | None, sim: SourceSim
) -> Limit | Blocked:
    """Return the limit by the SIM's own at the source.

    `booked` is for a SIM that has a booked volume and no limit, where the policy names no basis.
    """
    if sim.data_limit is not None:
        return of_period(sim.data_limit)
    if booked is not None and (sim.data_quota_mb is not None or source == ONENCE):
        return booked(sim)
    if sim.data_reading is QuotaReading.NOT_READ:
        return Blocked(
            Reason.QUOTA_NOT_READ,
            "its data limit is not known: `inventory pull --quotas` reads it, or its file tells it",
        )
    if sim.data_reading is QuotaReading.FAILED:
        return Blocked(Reason.QUOTA_READ_FAILED, "reading its data limit failed; pull again")
    return Blocked(Reason.QUOTA_MISSING, f"{source} told no data limit of it that can be read")


def _period_limit(told: DataLimit, policy: DataLimitPolicy, source: str) -> Limit | Blocked:
    """Return the limit for a limit of some period, to the byte.

    Only a month is like a billing period. What becomes of other periods is the policy's choice, and is said.
    """
    if told.period is LimitPeriod.MONTHLY:
        return _limit_of(_in_mb(told.volume), policy)
    words = f"{told.volume} bytes {told.word}" if told.word else f"{told.volume} bytes of a period that is not told"
    times = PERIODS_OF_30_DAYS.get(told.period)
    if policy.other_periods is OtherPeriods.FIXED:
        return _noted(_limit_of(policy.fixed_mb or Decimal(0), policy), f"fixed, in place of {words} at {source}")
    if policy.other_periods is OtherPeriods.THIRTY_DAYS and times is not None:
        limit = _limit_of(_in_mb(Bytes(told.volume * times)), policy)
        return _noted(limit, f"{words} at {source}, times {times}: assumes that all of 30 days may be used at once")
    told_why = f"{source} limits it to {words}, and Hologram's limit is for a billing period"
    return Blocked(Reason.LIMIT_PERIOD, f"{told_why}: see [data_limit] other_periods")


def _in_mb(volume: Bytes) -> Decimal:
    """Return bytes in MB, exactly."""
    return _EXACT.divide(Decimal(volume), Decimal(BYTES_PER_MB))


def _noted(limit: Limit | Blocked, note: str) -> Limit | Blocked:
    return replace(limit, detail=f"{limit.detail}; {note}" if limit.detail else note)


def _capped(policy: DataLimitPolicy, told_mb: Decimal | None, source: str) -> Limit | Blocked:
    """Return the limit by 1NCE's monthly cap of the account.

    What 1NCE tells comes first. Its newer API has no call for the cap, so that the policy may state it.
    """
    if told_mb is not None:
        return _limit_of(told_mb, policy)
    if policy.monthly_cap_mb is None:
        ways = "`inventory pull --limits` reads the account's where an API tells it, or state it"
        return Blocked(Reason.LIMIT_UNKNOWN, f"no monthly data limit is known; {ways}: [data_limit] monthly_cap_mb")
    return _noted(
        _limit_of(policy.monthly_cap_mb, policy), f"{source} tells no monthly cap; it is as the policy states it"
    )


def _booked_limit(limit_of: Callable[[Decimal], Limit | Blocked], source: str, sim: SourceSim) -> Limit | Blocked:
    if sim.data_quota_mb is None:
        return Blocked(Reason.QUOTA_MISSING, f"{source} gave no booked data volume that can be read")
    return _noting_top_up(limit_of(sim.data_quota_mb), source, sim)


def _left_limit(limit_of: Callable[[Decimal], Limit | Blocked], source: str, sim: SourceSim) -> Limit | Blocked:
    volume = _remaining(sim.data_reading, sim.data_remaining_mb, "data", source)
    return volume if isinstance(volume, Blocked) else _noting_top_up(limit_of(volume), source, sim)


def _noting_top_up(limit: Limit | Blocked, source: str, sim: SourceSim) -> Limit | Blocked:
    """Add a note where more is left than was booked.

    1NCE then counts several volumes, or the total did not grow.

    Source: whether `current_quota` grows with a top-up is unknown (reference, section 5); a limit by the total is then
    the smaller one.
    """
    left, booked = sim.data_remaining_mb, sim.data_quota_mb
    if left is None or booked is None or left <= booked or isinstance(limit, Blocked):
        return limit
    return _noted(limit, f"topped up at {source}: {_plain(left)} MB are left, {_plain(booked)} MB are told as booked")


def _remaining(reading: QuotaReading, volume: Decimal | None, service: str, source: str) -> Decimal | Blocked:
    """Return the volume that is left, without guessing.

    A failed or missing read blocks the SIM. A negative volume is used up.
    """
    if reading is QuotaReading.NOT_READ:
        return Blocked(Reason.QUOTA_NOT_READ, f"what remains of its {service} was not read: `inventory pull --quotas`")
    if reading is QuotaReading.FAILED:
        return Blocked(Reason.QUOTA_READ_FAILED, f"reading what remains of its {service} failed; pull again")
    if reading is QuotaReading.NO_RECORD or volume is None:
        return Blocked(Reason.QUOTA_MISSING, f"{source} has no {service} quota record for it")
    return volume


def _limit_of(volume: Decimal, policy: DataLimitPolicy) -> Limit | Blocked:
    """Return the limit for a volume in MB.

    Equal volumes give equal words, however the volumes were written.
    """
    if volume <= 0:
        return _zero_limit(volume, policy)
    shaped, detail = _shaped(volume, policy)
    size = megabytes(shaped)
    return Limit(size, detail) if size > 0 else _zero_limit(volume, policy)


def too_large(limit: Limit) -> Blocked:
    """Block a SIM whose data limit is above `LARGEST_LIMIT`.

    A smaller limit would be a guess.
    """
    words = f"its data limit would be {limit.value} bytes, more than the {LARGEST_LIMIT} that are sent exactly"
    return Blocked(Reason.LIMIT_TOO_LARGE, f"{limit.detail}; {words}" if limit.detail else words)


def _shaped(volume: Decimal, policy: DataLimitPolicy) -> tuple[Decimal, str]:
    """Return a volume within rounding, minimum and maximum, with notes.

    The volume is above zero. The notes say what was done to the volume.
    """
    shaped, notes = volume, []
    if policy.round_up_to_mb:
        shaped = _rounded_up(volume, policy.round_up_to_mb)
        if shaped != volume:
            notes.append(f"rounded up from {_plain(volume)} MB")
    if policy.minimum_mb is not None and shaped < policy.minimum_mb:
        notes.append(f"raised from {_plain(shaped)} MB to the minimum")
        shaped = policy.minimum_mb
    if policy.maximum_mb is not None and shaped > policy.maximum_mb:
        notes.append(f"cut from {_plain(shaped)} MB to the maximum")
        shaped = policy.maximum_mb
    return shaped, "; ".join(notes)


def _rounded_up(volume: Decimal, step: Decimal) -> Decimal:
    """Return the smallest multiple of `step` not below `volume`, exactly."""
    times, rest = _EXACT.divmod(volume, step)
    return _EXACT.multiply(times + 1 if rest else times, step)


def _plain(volume: Decimal) -> str:
    """Return a volume as people write it.

    The text has no exponent, and no zeros at its end.
    """
    text = f"{volume:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _zero_limit(volume: Decimal, policy: DataLimitPolicy) -> Limit | Blocked:
    """Return the result for a volume of less than one byte.

    A limit is never more than the maximum, and never 0 bytes.
    """
    least = megabytes(policy.minimum_mb or Decimal(0))
    if policy.when_zero is WhenZero.MINIMUM and least > 0:
        return Limit(least, f"{_gone(volume)}; given the minimum")
    if policy.when_zero is WhenZero.PAUSE:
        most = SMALLEST_LIMIT if policy.maximum_mb is None else megabytes(policy.maximum_mb)
        size = max(1, min(SMALLEST_LIMIT, most))
        words = "1 MB" if size == SMALLEST_LIMIT else f"{size} bytes"
        return Limit(size, f"{_gone(volume)}; paused with a limit of {words}", pause=True)
    return Blocked(Reason.LIMIT_ZERO, f"{_gone(volume)}: its data limit would be 0 bytes; see when_zero")


def _gone(volume: Decimal) -> str:
    return "nothing left" if volume == 0 else f"nothing left ({_plain(volume)} MB)"


# --- SMS ----------------------------------------------------------------------------------------------------------


def sms_limit_rule(policy: SmsLimitPolicy, account: AccountLimits, source: str = ONENCE) -> LimitRule:
    """Return a function that gives each SIM its SMS limit.

    The limit is per billing period, and at most what Hologram allows.

    Source: "Set a SIM's SMS limit": default 100, may be lowered, not raised or removed without a contract; the
    reference page documents -1 all the same, so -1 is never sent. Read 2026-11-20.
    """
    if policy.basis is SmsBasis.KEEP:
        return _always(Limit(None))
    if policy.basis is SmsBasis.FIXED:
        return _always(_sms_limit_of(Decimal(policy.fixed or 0), policy.maximum))
    if policy.basis is SmsBasis.MONTHLY_LIMIT:
        unknown = "no monthly SMS limit is known; `inventory pull --limits` reads the account's"
        known = None if account.sms_mo is None else _sms_limit_of(account.sms_mo, policy.maximum)
        return _always(known or Blocked(Reason.LIMIT_UNKNOWN, unknown))
    limit_of = lru_cache(maxsize=REMEMBERED)(partial(_sms_limit_of, maximum=policy.maximum))
    return partial(_left_sms if policy.basis is SmsBasis.REMAINING else _booked_sms, limit_of, source)


def _booked_sms(limit_of: Callable[[Decimal], Limit], source: str, sim: SourceSim) -> Limit | Blocked:
    if sim.sms_quota is None:
        return Blocked(Reason.QUOTA_MISSING, f"{source} gave no booked SMS volume that can be read")
    return limit_of(sim.sms_quota)


def _left_sms(limit_of: Callable[[Decimal], Limit], source: str, sim: SourceSim) -> Limit | Blocked:
    volume = _remaining(sim.sms_reading, sim.sms_remaining, "SMS", source)
    if isinstance(volume, Blocked):
        return volume
    limit = limit_of(volume)
    return limit if limit.value or limit.detail else replace(limit, detail="no SMS left: its SMS limit is 0")


def _sms_limit_of(volume: Decimal, maximum: int) -> Limit:
    """Return the SMS limit of a volume, rounded down.

    A negative volume gives 0, since -1 would mean no limit.
    """
    count = max(0, int(volume.to_integral_value(rounding=ROUND_FLOOR)))
    if count > maximum:
        return Limit(maximum, f"SMS limit cut from {count} to {maximum}")
    return Limit(count)


# --- tags ---------------------------------------------------------------------------------------------------------


def copied_tags(sim: SourceSim, claim: ClaimPolicy) -> tuple[str, ...] | Blocked:
    """Return the old SIM's tags that go along, sorted.

    There are none without the policy's word. The tag of the whole migration is on every SIM anyway.
    """
    if claim.tags is not OldTags.COPY:
        return ()
    if sim.tags is None:
        return Blocked(Reason.TAGS_UNKNOWN, 'its tags were not told, and [claim] tags = "copy" copies them')
    return tuple(sorted({tag for tag in sim.tags if tag != claim.tag}))


# --- name ---------------------------------------------------------------------------------------------------------


FACT_FIELDS = ("unit", "site", "ticket")
"""Facts of the unit that a name may have."""


def device_name(sim: SourceSim, target_iccid: str, policy: NamePolicy) -> str | None:
    """Return the exact name, or None where the templates give nothing.

    A label goes out as 1NCE has it, with all its spaces.
    """
    if policy.template == "{label}" and sim.label and sim.label.strip():  # most fleets, a million times
        return sim.label
    values = {
        "label": sim.label or "",
        "source_iccid": sim.iccid.digits,
        "target_iccid": target_iccid,
        "imsi": sim.imsi or "",
        "msisdn": sim.msisdn or "",
        "ip_address": sim.ip_address or "",
        "tags": ", ".join(sim.tags or ()),
    }
    if sim.facts is not None:
        values |= {name: getattr(sim.facts, name) or "" for name in FACT_FIELDS}
    return _filled(policy.template, values) or _filled(policy.when_missing, values)


def _filled(template: str, values: Mapping[str, str]) -> str | None:
    """Return `template` with its fields filled in, or None.

    None if a field is missing, or if the name would have nothing visible.
    """
    for field in template_fields(template):
        if not values.get(field, "").strip():
            return None
    name = template.format_map(values)
    return name if name.strip() else None


@lru_cache(maxsize=64)
def template_fields(template: str) -> tuple[str, ...]:
    """Return the fields of a template.

    The result is remembered, since a fleet has one or two templates.
    """
    return tuple(field for _, field, _, _ in Formatter().parse(template) if field)
