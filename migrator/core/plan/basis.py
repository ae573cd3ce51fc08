"""Values of a SIM that a plan used, as the policy shows.

Status, label and booked volumes are not among these values.
"""

from dataclasses import dataclass, replace

from migrator.core.fleet.sims import SourceSim
from migrator.core.plan.mapping import FACT_FIELDS, device_name, template_fields
from migrator.core.plan.plan import Change, Reason
from migrator.core.policy.policy import DataBasis, NamePolicy, OldTags, OnDuplicate, Policy, Rule, SmsBasis

__all__ = ["Uses", "name_change", "names_for", "uses_of"]

NOT_IN_THE_PLAN = {"imsi", "msisdn", "ip_address", "tags", *FACT_FIELDS}
"""Fields of a name that the plan does not hold.

A change of such a field shows in the name alone.
"""


_OWN = (None, DataBasis.DATA_LIMIT)
"""Bases by which a SIM's own limit counts."""


@dataclass(frozen=True, slots=True)
class Uses:
    """Names of the rules for whose SIMs a value counted.

    The name "" stands for the SIMs that no rule fits.

    Args:
        data_remaining: rules whose limit came from what is left of the data volume.
        sms_remaining: rules whose limit came from what is left of the SMS volume.
        data_limits: rules whose limit may have come from the SIM's own at the source.
        booked_data: rules for whose SIMs the booked data volume was checked: even a missing volume is then an answer.
        names: rules whose names have a field that the plan does not hold.
        switched_off: whether a rule asks for what cutovers of ours switched off.
        tags: whether the old SIMs' tags are copied.
    """

    data_remaining: frozenset[str] = frozenset()
    sms_remaining: frozenset[str] = frozenset()
    data_limits: frozenset[str] = frozenset()
    booked_data: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    switched_off: bool = False
    tags: bool = False


def uses_of(policy: Policy) -> Uses:
    """Return the values that plans by this policy use."""
    parts: dict[str, Policy | Rule] = {rule.name: rule for rule in policy.rules} | {"": policy}
    names = {name: part.name if isinstance(part, Policy) else part.device_name for name, part in parts.items()}
    return Uses(
        data_remaining=frozenset(n for n, part in parts.items() if part.data_limit.basis is DataBasis.REMAINING),
        sms_remaining=frozenset(n for n, part in parts.items() if part.sms_limit.basis is SmsBasis.REMAINING),
        data_limits=frozenset(n for n, part in parts.items() if part.data_limit.basis in _OWN),
        booked_data=_asked_for_volume(policy),
        names=frozenset(n for n, name in names.items() if _fields(name) & NOT_IN_THE_PLAN),
        switched_off=any(
            rule.when.status_before is not None or rule.when.switched_off_by_us is not None for rule in policy.rules
        ),
        tags=policy.claim.tags is OldTags.COPY,
    )


def _asked_for_volume(policy: Policy) -> frozenset[str]:
    """Return the first rule that selects by volume, and all later rules.

    The name "" for the SIMs that no rule fits is among the later rules.
    """
    found: set[str] = set()
    for rule in policy.rules:
        when = rule.when
        volumes = (when.data_quota_mb, when.data_quota_mb_min, when.data_quota_mb_max)
        if found or any(volume is not None for volume in volumes):
            found |= {rule.name, ""}
    return frozenset(found)


def _fields(names: NamePolicy) -> set[str]:
    return {*template_fields(names.template), *template_fields(names.when_missing)}


def names_for(policy: Policy, rule: str) -> NamePolicy:
    """Return the naming of a rule's SIMs.

    The rule "" stands for the SIMs that no rule fits.
    """
    found = policy.rule(rule)
    return policy.name if found is None else found.device_name


def name_change(change: Change, sim: SourceSim, names: NamePolicy) -> str | None:
    """Describe the difference between the planned name and the name now.

    None if the names do not differ. Label and ICCIDs count as they were planned: changes of these are reported on their
    own.
    """
    if change.target_iccid is None:
        return None
    as_planned = replace(sim, iccid=change.source_iccid, label=change.source.get("label"))
    now = device_name(as_planned, change.target_iccid.digits, names)
    if change.name is not None:
        same = now is not None and (change.name == now or _is_suffixed(change.name, now, names))
        return None if same else f"its name was planned as {change.name!r} and would be {_shown(now)}"
    if change.reason is Reason.NAME_EMPTY and now is not None:
        return f"it had no name and would be {now!r}"
    if change.reason is Reason.NAME_DUPLICATE and (now is None or repr(now) not in change.detail):
        return f"its name was one of several that are equal and would be {_shown(now)}"
    return None


def _is_suffixed(name: str, plain: str, names: NamePolicy) -> bool:
    return names.on_duplicate is OnDuplicate.SUFFIX and name.startswith(f"{plain} (")


def _shown(name: str | None) -> str:
    return "none" if name is None else repr(name)
