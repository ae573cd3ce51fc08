"""From 1NCE's values to Hologram's: one function per rule, each with its source."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from string import Formatter

from migrator.core.fleet import AccountLimits, QuotaReading, SourceSim, SourceStatus
from migrator.core.plan import DesiredState, Reason
from migrator.core.policy import (
    DataBasis,
    DataLimitPolicy,
    NamePolicy,
    SmsBasis,
    SmsLimitPolicy,
    StatusPolicy,
    StatusRule,
    WhenZero,
)
from migrator.core.units import BYTES_PER_MB, Bytes, megabytes

__all__ = ["NO_LIMIT", "Blocked", "Limit", "data_limit", "desired_state", "device_name", "sms_limit"]

NO_LIMIT = -1
"""How Hologram writes "no limit". Source: "Update SIM's overage limit": -1 disables. Read 2026-11-20."""

SMALLEST_LIMIT = Bytes(BYTES_PER_MB)


@dataclass(frozen=True, slots=True)
class Blocked:
    """A rule that cannot give a value: why, in a code and in words."""

    reason: Reason
    detail: str
    skip: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit and how it came about: bytes or a count, -1 for none, None to leave the carrier's own."""

    value: int | None
    detail: str = ""
    pause: bool = False


def desired_state(sim: SourceSim, policy: StatusPolicy) -> DesiredState | Blocked:
    """The link state a SIM should end in.

    Source: Hologram's migration guide, "SIM states": Enabled is LIVE, Disabled is PAUSED-USER (still billed monthly);
    an expired SIM has no counterpart. The policy decides; a word we do not know is never acted on. Read 2026-11-20.
    """
    rules = {
        SourceStatus.ENABLED: policy.enabled,
        SourceStatus.DISABLED: policy.disabled,
        SourceStatus.EXPIRED: policy.expired,
    }
    rule = rules.get(sim.status)
    if rule is None:
        return Blocked(Reason.STATUS_UNKNOWN, f"1NCE says {sim.status_word!r}, a status this tool does not know")
    if rule is StatusRule.SKIP:
        return Blocked(Reason.STATUS_SKIPPED, f"{sim.status} SIMs are left behind by [status]", skip=True)
    if rule is StatusRule.BLOCK:
        return Blocked(Reason.STATUS_BLOCKED, f"{sim.status} SIMs wait for a person, by [status]")
    return DesiredState.LIVE if rule is StatusRule.LIVE else DesiredState.PAUSE


def data_limit(sim: SourceSim, policy: DataLimitPolicy, account: AccountLimits) -> Limit | Blocked:
    """The overage limit in bytes.

    Source: 1NCE's volume is a lifetime total in MB of 1024 KB, Hologram's overage limit is bytes per billing period
    (reference, 9.2); 0 would pause a link at its first byte, so it is only ever sent when the policy asks for it.
    """
    if policy.basis is DataBasis.UNLIMITED:
        return Limit(NO_LIMIT, "no limit, by [data_limit]")
    volume = _data_volume(sim, policy, account)
    if isinstance(volume, Blocked):
        return volume
    shaped, detail = _shaped(volume, policy)
    size = megabytes(shaped)
    if size > 0:
        return Limit(size, detail)
    return _zero_limit(volume, policy)


def _data_volume(sim: SourceSim, policy: DataLimitPolicy, account: AccountLimits) -> Decimal | Blocked:
    """The volume in MB that the policy's basis names."""
    if policy.basis is DataBasis.FIXED:
        return policy.fixed_mb or Decimal(0)
    if policy.basis is DataBasis.MONTHLY_LIMIT:
        if account.data_mb is None:
            return Blocked(
                Reason.LIMIT_UNKNOWN, "no monthly data limit is known; `inventory pull --limits` reads 1NCE's"
            )
        return account.data_mb
    if policy.basis is DataBasis.REMAINING:
        return _remaining(sim.data_reading, sim.data_remaining_mb, "data")
    if sim.data_quota_mb is None:
        return Blocked(Reason.QUOTA_MISSING, "1NCE gave no booked data volume")
    return sim.data_quota_mb


def _remaining(reading: QuotaReading, volume: Decimal | None, service: str) -> Decimal | Blocked:
    """What is left, never guessed: a failed or missing read blocks the SIM, negative counts as used up."""
    if reading is QuotaReading.NOT_READ:
        return Blocked(Reason.QUOTA_NOT_READ, f"what remains of its {service} was not read: `inventory pull --quotas`")
    if reading is QuotaReading.FAILED:
        return Blocked(Reason.QUOTA_READ_FAILED, f"reading what remains of its {service} failed; pull again")
    if reading is QuotaReading.NO_RECORD or volume is None:
        return Blocked(Reason.QUOTA_MISSING, f"1NCE has no {service} quota record for it")
    return max(volume, Decimal(0))


def _shaped(volume: Decimal, policy: DataLimitPolicy) -> tuple[Decimal, str]:
    """`volume` after rounding, minimum and maximum, and what was done to it. A zero is left for `when_zero`."""
    if volume <= 0:
        return Decimal(0), ""
    shaped, notes = volume, []
    if policy.round_up_to_mb:
        shaped = (volume / policy.round_up_to_mb).to_integral_value(rounding=ROUND_CEILING) * policy.round_up_to_mb
        if shaped != volume:
            notes.append(f"rounded up from {volume:f} MB")
    if policy.minimum_mb is not None and shaped < policy.minimum_mb:
        notes.append(f"raised from {shaped:f} MB to the minimum")
        shaped = policy.minimum_mb
    if policy.maximum_mb is not None and shaped > policy.maximum_mb:
        notes.append(f"cut from {shaped:f} MB to the maximum")
        shaped = policy.maximum_mb
    return shaped, "; ".join(notes)


def _zero_limit(volume: Decimal, policy: DataLimitPolicy) -> Limit | Blocked:
    if policy.when_zero is WhenZero.MINIMUM and policy.minimum_mb:
        return Limit(megabytes(policy.minimum_mb), "nothing left; given the minimum")
    if policy.when_zero is WhenZero.PAUSE:
        return Limit(SMALLEST_LIMIT, "nothing left; paused with a limit of 1 MB", pause=True)
    return Blocked(Reason.LIMIT_ZERO, f"its data limit comes out as {max(volume, Decimal(0)):f} MB; see when_zero")


def sms_limit(sim: SourceSim, policy: SmsLimitPolicy, account: AccountLimits) -> Limit | Blocked:
    """The SMS limit per billing period, clamped to what Hologram allows.

    Source: "Set a SIM's SMS limit": default 100, may be lowered, not raised or removed without a contract; the
    reference page documents -1 all the same, so -1 is never sent. Read 2026-11-20.
    """
    if policy.basis is SmsBasis.KEEP:
        return Limit(None)
    if policy.basis is SmsBasis.FIXED:
        volume: Decimal | Blocked = Decimal(policy.fixed or 0)
    elif policy.basis is SmsBasis.REMAINING:
        volume = _remaining(sim.sms_reading, sim.sms_remaining, "SMS")
    elif policy.basis is SmsBasis.MONTHLY_LIMIT:
        volume = account.sms_mo if account.sms_mo is not None else Blocked(Reason.LIMIT_UNKNOWN, "no monthly SMS limit")
    elif sim.sms_quota is None:
        return Blocked(Reason.QUOTA_MISSING, "1NCE gave no booked SMS volume")
    else:
        volume = sim.sms_quota
    if isinstance(volume, Blocked):
        return volume
    count = max(0, int(volume.to_integral_value(rounding=ROUND_FLOOR)))
    if count > policy.maximum:
        return Limit(policy.maximum, f"SMS limit cut from {count} to {policy.maximum}")
    return Limit(count)


def device_name(sim: SourceSim, target_iccid: str, policy: NamePolicy) -> str | None:
    """The exact name, or None where the templates give nothing. A label goes out as it came, spaces and all."""
    values = {
        "label": sim.label or "",
        "source_iccid": sim.iccid.digits,
        "target_iccid": target_iccid,
        "imsi": sim.imsi or "",
        "msisdn": sim.msisdn or "",
        "ip_address": sim.ip_address or "",
    }
    return _filled(policy.template, values) or _filled(policy.when_missing, values)


def _filled(template: str, values: Mapping[str, str]) -> str | None:
    """`template` with its fields filled in; None if one of them is missing, or nothing visible comes out."""
    fields = [field for _, field, _, _ in Formatter().parse(template) if field]
    if any(not values[field].strip() for field in fields):
        return None
    name = template.format_map(values)
    return name if name.strip() else None
