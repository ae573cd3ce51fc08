"""Values of a policy that cannot stand together.

The values are in a section of the policy, or in a section that a rule overrides.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from migrator.core.fleet.units import megabytes
from migrator.core.policy.policy import DataBasis, OldTags, OtherPeriods, SmsBasis, WhenZero
from migrator.inputs.files.toml import KeyPath
from migrator.inputs.files.toml_checks import Findings
from migrator.inputs.policy.sections import SECTIONS

__all__ = ["COMBINATIONS", "Combination", "check_section", "overridden"]


@dataclass(frozen=True, slots=True)
class Combination:
    """Values of one section that cannot stand together.

    Args:
        section: its name.
        at: the key that the problem is reported at.
        others: the other keys of the check; no check is made while one of them has a problem of its own.
        breaks: takes the value of `at`, then those of `others`, defaults included; True where they do not fit.
        words: the problem, with {at} and {0}, {1} for the values.
        hint: what to do.
        is_idle: whether the value merely has no use there; one that a rule inherits is then dropped, not refused.
    """

    section: str
    at: str
    others: tuple[str, ...]
    breaks: Callable[..., bool]
    words: str
    hint: str
    is_idle: bool = False


def _no_bytes(volume_mb: Decimal | None) -> bool:
    return volume_mb is None or megabytes(volume_mb) == 0


def _unused_when_unlimited(key: str) -> Combination:
    return Combination(
        "data_limit",
        key,
        ("basis",),
        lambda value, basis: value is not None and basis is DataBasis.UNLIMITED,
        'has no meaning with basis = "unlimited"',
        "remove it, or choose another basis",
        is_idle=True,
    )


COMBINATIONS: tuple[Combination, ...] = (
    Combination(
        "data_limit",
        "basis",
        ("fixed_mb",),
        lambda basis, fixed: basis is DataBasis.FIXED and fixed is None,
        '"fixed" needs fixed_mb, which is missing',
        "add fixed_mb = 50, in MB of 1,048,576 bytes",
    ),
    Combination(
        "data_limit",
        "fixed_mb",
        ("basis", "other_periods"),
        lambda fixed, basis, periods: (
            fixed is not None and basis is not DataBasis.FIXED and periods is not OtherPeriods.FIXED
        ),
        "found {at}, but basis is {0} and does not use it",
        'write basis = "fixed", or remove fixed_mb',
        is_idle=True,
    ),
    Combination(
        "data_limit",
        "other_periods",
        ("fixed_mb",),
        lambda periods, fixed: periods is OtherPeriods.FIXED and fixed is None,
        '"fixed" needs fixed_mb, which is missing',
        "add fixed_mb = 50, in MB of 1,048,576 bytes",
    ),
    Combination(
        "data_limit",
        "other_periods",
        ("basis",),
        lambda periods, basis: periods is not None and basis not in {None, DataBasis.DATA_LIMIT},
        'found "{at}", but basis is {0} and knows no periods',
        'write basis = "data_limit", or remove other_periods',
        is_idle=True,
    ),
    Combination(
        "data_limit",
        "monthly_cap_mb",
        ("basis",),
        lambda cap, basis: cap is not None and basis is not DataBasis.MONTHLY_LIMIT,
        "found {at}, but basis is {0} and does not use it",
        'write basis = "monthly_limit", or remove monthly_cap_mb',
        is_idle=True,
    ),
    Combination(
        "data_limit",
        "maximum_mb",
        (),
        lambda maximum: maximum is not None and megabytes(maximum) == 0,
        "found {at}, which is less than a byte",
        "a limit of 0 bytes would stop the SIM at once; write at least 0.000001",
    ),
    _unused_when_unlimited("minimum_mb"),
    _unused_when_unlimited("maximum_mb"),
    _unused_when_unlimited("round_up_to_mb"),
    Combination(
        "data_limit",
        "minimum_mb",
        ("maximum_mb",),
        lambda minimum, maximum: minimum is not None and maximum is not None and minimum > maximum,
        "found {at}, which is above maximum_mb = {0}",
        "lower minimum_mb or raise maximum_mb",
    ),
    Combination(
        "data_limit",
        "when_zero",
        ("minimum_mb", "basis"),
        lambda when_zero, minimum, basis: (
            when_zero is WhenZero.MINIMUM and basis is not DataBasis.UNLIMITED and _no_bytes(minimum)
        ),
        '"minimum" needs a minimum_mb of a byte or more, and it is {0}',
        "add minimum_mb = 1: a limit of 0 bytes would stop the SIM at once",
    ),
    Combination(
        "data_limit",
        "when_zero",
        ("basis",),
        lambda when_zero, basis: when_zero is not WhenZero.BLOCK and basis is DataBasis.UNLIMITED,
        'found "{at}", which has no meaning with basis = "unlimited"',
        "remove it, or choose another basis",
        is_idle=True,
    ),
    Combination(
        "claim",
        "most_tags",
        ("tags",),
        lambda most, tags: most is not None and tags is not OldTags.COPY,
        "found {at}, but no tags are copied",
        'write tags = "copy", or remove most_tags',
    ),
    Combination(
        "sms_limit",
        "basis",
        ("fixed",),
        lambda basis, fixed: basis is SmsBasis.FIXED and fixed is None,
        '"fixed" needs the key fixed, which is missing',
        "add fixed = 10, in SMS per billing period",
    ),
    Combination(
        "sms_limit",
        "fixed",
        ("basis",),
        lambda fixed, basis: fixed is not None and basis is not SmsBasis.FIXED,
        "found {at}, but basis is {0} and does not use it",
        'write basis = "fixed", or remove fixed',
        is_idle=True,
    ),
    Combination(
        "sms_limit",
        "fixed",
        ("maximum",),
        lambda fixed, maximum: fixed is not None and fixed > maximum,
        "found {at}, which is above maximum = {0}",
        "lower fixed or raise maximum (at most 100)",
    ),
    Combination(
        "name",
        "template",
        ("when_missing",),
        lambda template, when_missing: not template.strip() and not when_missing.strip(),
        "empty, and when_missing is empty too: no SIM would get a name",
        'write when_missing = "sim-{source_iccid}"',
    ),
)


def check_section(section: str, values: Mapping[str, Any], path: KeyPath, findings: Findings) -> None:
    """Note values of a section that cannot stand together.

    Only values without a problem of their own are checked.

    Args:
        section: its name in `SECTIONS`.
        values: its checked values; for a rule, with those that it inherits.
        path: the place of the section.
        findings: where problems are noted. A problem of the policy's own section is not noted again for a rule.
    """
    for one in _of(section):
        keys = (one.at, *one.others)
        if any({(section, key), (*path, key)} & findings.faulty for key in keys):
            continue
        value, *others = _in_force(section, values, keys)
        if one.breaks(value, *others):
            shown = [_shown(key, other) for key, other in zip(one.others, others, strict=True)]
            findings.add((*path, one.at), "impossible", one.words.format(*shown, at=value), one.hint)


def _shown(key: str, value: Any) -> str:
    """Return a value as words have it."""
    if key == "basis":
        return "left out" if value is None else f'"{value}"'
    return "missing" if value is None else str(value)


def overridden(section: str, inherited: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that apply where a rule gives `given`.

    An inherited value without a use is dropped.
    """
    merged = {**inherited, **given}
    for one in _of(section):
        if one.is_idle and one.at in merged and one.at not in given:
            value, *others = _in_force(section, merged, (one.at, *one.others))
            if one.breaks(value, *others):
                del merged[one.at]
    return merged


def _of(section: str) -> list[Combination]:
    return [one for one in COMBINATIONS if one.section == section]


def _in_force(section: str, values: Mapping[str, Any], keys: tuple[str, ...]) -> list[Any]:
    """Return the values of `keys`, with defaults for missing keys."""
    defaults = {field.name: field.default for field in fields(SECTIONS[section][0])}
    return [values.get(key, defaults[key]) for key in keys]
