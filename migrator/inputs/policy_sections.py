"""Which sections and keys a policy file may have, what each may hold, and what cannot stand together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from string import Formatter
from typing import Any

from migrator.core.policy import (
    Caps,
    ClaimPolicy,
    DataBasis,
    DataLimitPolicy,
    Gates,
    LimitsTiming,
    NamePolicy,
    OnDuplicate,
    SmsBasis,
    SmsLimitPolicy,
    StatusPolicy,
    StatusRule,
    WhenZero,
)
from migrator.core.units import megabytes
from migrator.inputs.problems import nearest, spelled
from migrator.inputs.toml_checks import Check, Unfit, choice, found, number, text, whole

__all__ = ["LATER_SECTIONS", "LATER_WAVE_KEYS", "REQUIRED", "RULES", "SECTIONS", "WAVE", "Rule"]

LARGEST_VOLUME_MB = Decimal(1_000_000_000)  # a petabyte: only a slip is larger
MOST_SMS = 100
ONE = Decimal(1)
NAME_FIELDS = ("label", "source_iccid", "target_iccid", "imsi", "msisdn", "ip_address")


def _tag(value: Any) -> str | None:
    """A tag's name; "" is no tag."""
    if value is False:
        raise Unfit("wrong_type", "found false, expected text in quotes", 'for no tag, write tag = ""')
    name: str = text(may_be_empty=True)(value)
    return name or None


def _template(value: Any) -> str:
    """Text with fields in braces; only plain names of fields we know."""
    template: str = _any_text(value)
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise Unfit("bad_template", f"found {found(value)}: {error}", "a brace itself is written {{ or }}") from None
    for _, name, spec, conversion in parts:
        if name is not None and name not in NAME_FIELDS:
            raise Unfit("bad_template", f"unknown field {{{name}}}", nearest(name, NAME_FIELDS))
        if spec or conversion:
            raise Unfit("bad_template", f"field {{{name}}} has a format", f"write {{{name}}} alone")
    return template


def _any_text(value: Any) -> str:
    if not isinstance(value, str):
        raise Unfit("wrong_type", f"found {found(value)}, expected text in quotes", f"fields: {spelled(NAME_FIELDS)}")
    return value


_VOLUME = number(most=LARGEST_VOLUME_MB)
_VOLUME_ABOVE_ZERO = number(above=True, most=LARGEST_VOLUME_MB)
_SHARE = number(most=ONE, what="a share (0.99 is 99 %)")
_STATUS = choice(StatusRule)

SECTIONS: Mapping[str, tuple[type[Any], Mapping[str, Check]]] = {
    "claim": (
        ClaimPolicy,
        {"data_plan_id": whole(least=1), "zone": text(), "tag": _tag, "limits": choice(LimitsTiming)},
    ),
    "status": (StatusPolicy, {"enabled": _STATUS, "disabled": _STATUS, "expired": _STATUS}),
    "data_limit": (
        DataLimitPolicy,
        {
            "basis": choice(DataBasis),
            "fixed_mb": _VOLUME,
            "minimum_mb": _VOLUME,
            "maximum_mb": _VOLUME_ABOVE_ZERO,
            "round_up_to_mb": _VOLUME_ABOVE_ZERO,
            "when_zero": choice(WhenZero),
        },
    ),
    "sms_limit": (
        SmsLimitPolicy,
        {
            "basis": choice(SmsBasis),
            "fixed": whole(least=0, most=MOST_SMS),
            "maximum": whole(least=0, most=MOST_SMS),
        },
    ),
    "name": (NamePolicy, {"template": _template, "when_missing": _template, "on_duplicate": choice(OnDuplicate)}),
    "gates": (Gates, {"verified_share": _SHARE, "max_failures": whole(least=0), "max_failure_share": _SHARE}),
    "caps": (Caps, {"max_sims": whole(least=0), "max_spend_now": number()}),
}
"""Each section's record and the check of each of its keys; a key that is absent has the record's default.

Source of the SMS bound: Hologram, "Set a SIM's SMS limit": at most 100 without a contract. Read 2026-11-20.
"""

WAVE: Mapping[str, Check] = {"name": text(), "count": whole(least=1)}

REQUIRED: Mapping[str, Mapping[str, str]] = {"claim": {"data_plan_id": "2096", "zone": '"global"'}}
"""Keys without a default, each with an example."""

LATER_SECTIONS = frozenset({"rule", "approvals", "cutover"})
LATER_WAVE_KEYS = frozenset({"share", "label", "iccids", "file", "soak"})
"""What is designed and not built: refused in so many words, so that nobody relies on it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Values of one section that cannot stand together.

    Args:
        section: its name.
        at: the key that the problem is told at.
        others: the other keys it looks at; the rule rests while one of them has a problem of its own.
        breaks: takes the value of `at`, then those of `others`, defaults included; True where they do not fit.
        words: the problem, with {at} and {0}, {1} for the values.
        hint: what to do.
    """

    section: str
    at: str
    others: tuple[str, ...]
    breaks: Callable[..., bool]
    words: str
    hint: str


def _no_bytes(volume_mb: Decimal | None) -> bool:
    return volume_mb is None or megabytes(volume_mb) == 0


def _unused_when_unlimited(key: str) -> Rule:
    return Rule(
        "data_limit",
        key,
        ("basis",),
        lambda value, basis: value is not None and basis is DataBasis.UNLIMITED,
        'has no meaning with basis = "unlimited"',
        "remove it, or choose another basis",
    )


RULES: tuple[Rule, ...] = (
    Rule(
        "data_limit",
        "basis",
        ("fixed_mb",),
        lambda basis, fixed: basis is DataBasis.FIXED and fixed is None,
        '"fixed" needs fixed_mb, which is missing',
        "add fixed_mb = 50, in MB of 1,048,576 bytes",
    ),
    Rule(
        "data_limit",
        "fixed_mb",
        ("basis",),
        lambda fixed, basis: fixed is not None and basis is not DataBasis.FIXED,
        'found {at}, but basis is "{0}" and does not use it',
        'write basis = "fixed", or remove fixed_mb',
    ),
    _unused_when_unlimited("minimum_mb"),
    _unused_when_unlimited("maximum_mb"),
    _unused_when_unlimited("round_up_to_mb"),
    Rule(
        "data_limit",
        "minimum_mb",
        ("maximum_mb",),
        lambda minimum, maximum: minimum is not None and maximum is not None and minimum > maximum,
        "found {at}, which is above maximum_mb = {0}",
        "lower minimum_mb or raise maximum_mb",
    ),
    Rule(
        "data_limit",
        "when_zero",
        ("minimum_mb", "basis"),
        lambda when_zero, minimum, basis: (
            when_zero is WhenZero.MINIMUM and basis is not DataBasis.UNLIMITED and _no_bytes(minimum)
        ),
        '"minimum" needs a minimum_mb of a byte or more, and it is {0}',
        "add minimum_mb = 1: a limit of 0 bytes would stop the SIM at once",
    ),
    Rule(
        "data_limit",
        "when_zero",
        ("basis",),
        lambda when_zero, basis: when_zero is not WhenZero.BLOCK and basis is DataBasis.UNLIMITED,
        'found "{at}", which has no meaning with basis = "unlimited"',
        "remove it, or choose another basis",
    ),
    Rule(
        "sms_limit",
        "basis",
        ("fixed",),
        lambda basis, fixed: basis is SmsBasis.FIXED and fixed is None,
        '"fixed" needs the key fixed, which is missing',
        "add fixed = 10, in SMS per billing period",
    ),
    Rule(
        "sms_limit",
        "fixed",
        ("basis",),
        lambda fixed, basis: fixed is not None and basis is not SmsBasis.FIXED,
        'found {at}, but basis is "{0}" and does not use it',
        'write basis = "fixed", or remove fixed',
    ),
    Rule(
        "sms_limit",
        "fixed",
        ("maximum",),
        lambda fixed, maximum: fixed is not None and fixed > maximum,
        "found {at}, which is above maximum = {0}",
        "lower fixed or raise maximum (at most 100)",
    ),
    Rule(
        "name",
        "template",
        ("when_missing",),
        lambda template, when_missing: not template.strip() and not when_missing.strip(),
        "empty, and when_missing is empty too: no SIM would get a name",
        'write when_missing = "1nce-{source_iccid}"',
    ),
)
