"""Sections and keys of a policy file, with their checks."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from string import Formatter
from typing import Any
from zoneinfo import ZoneInfo

from migrator.core.fleet.sims import SourceStatus
from migrator.core.plan.mapping import FACT_FIELDS
from migrator.core.policy.outside import HookPrograms
from migrator.core.policy.policy import (
    CampaignPolicy,
    Caps,
    CapsScope,
    ClaimPolicy,
    ClaimWhen,
    CutoverMode,
    CutoverPolicy,
    CutoverProof,
    DataBasis,
    DataLimitPolicy,
    DiscoverMode,
    Gates,
    InTestMode,
    LimitsTiming,
    NamePolicy,
    OldSim,
    OldTags,
    OnDuplicate,
    OtherPeriods,
    OtherUnits,
    PairProof,
    QuietHours,
    SmsBasis,
    SmsLimitPolicy,
    StatusPolicy,
    StatusRule,
    StockPolicy,
    WhenZero,
    WithoutPrice,
)
from migrator.inputs.files.problems import nearest, spelled
from migrator.inputs.files.toml_checks import Described, Unfit, choice, flag, found, number, text, whole
from migrator.inputs.settings.values import as_text, parsed_duration

__all__ = [
    "CODE_BOUND",
    "COMMAND",
    "FIELD_OF",
    "OPTIONAL",
    "OVERRIDES",
    "REQUIRED",
    "RULE_NAME",
    "SECTIONS",
    "WAVE",
    "WHEN",
    "ApprovalsSection",
    "checked_code",
]

LARGEST_VOLUME_MB = Decimal(1_000_000_000)  # a petabyte: only a slip is larger
MOST_SMS = 100
ONE = Decimal(1)
MOST_TAGS = 1000
NAME_FIELDS = ("label", "source_iccid", "target_iccid", "imsi", "msisdn", "ip_address", "tags", *FACT_FIELDS)
STOCK_FIELDS = ("target_iccid",)


def _tag(value: Any) -> str | None:
    """Read a tag's name.

    "" is no tag.
    """
    if value is False:
        raise Unfit("wrong_type", "found false, expected text in quotes", 'for no tag, write tag = ""')
    name: str = text(may_be_empty=True)(value)
    return name or None


def _template(value: Any, known: Sequence[str] = NAME_FIELDS) -> str:
    """Read text with fields in braces.

    Only plain names of known fields are accepted.
    """
    template: str = _any_text(value, known)
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise Unfit("bad_template", f"found {found(value)}: {error}", "a brace itself is written {{ or }}") from None
    for _, name, spec, conversion in parts:
        if name is not None and name not in known:
            raise Unfit("bad_template", f"unknown field {{{name}}}", nearest(name, known))
        if spec or conversion:
            raise Unfit("bad_template", f"field {{{name}}} has a format", f"write {{{name}}} alone")
    return template


def _any_text(value: Any, known: Sequence[str]) -> str:
    if not isinstance(value, str):
        raise Unfit("wrong_type", f"found {found(value)}, expected text in quotes", f"fields: {spelled(known)}")
    return value


def _stock_name(value: Any) -> str:
    """Read the name of a card whose unit nobody knows yet."""
    name = _template(value, STOCK_FIELDS)
    if not name.strip():
        raise Unfit("bad_template", "a name needs something that can be seen", "e.g. stock {target_iccid}")
    return name


def _duration(value: Any) -> float:
    """Read a duration, in seconds.

    The value is text as `--wait` takes it, or a whole number of seconds.
    """
    return parsed_duration(as_text(value))


def _some_time(value: Any) -> float:
    """Read a duration above zero, in seconds, as `_duration` does."""
    seconds = _duration(value)
    if not seconds:
        raise Unfit("bad_duration", f"found {found(value)}: no SIM could meet that", "write a longer one, such as 14d")
    return seconds


def _command(value: Any) -> tuple[str, ...]:
    """Read a program and its arguments."""
    if not isinstance(value, list) or not value or not all(isinstance(part, str) for part in value):
        hint = 'such as ["./change-window.sh", "--now"]: no shell is asked, so each argument is a text of its own'
        raise Unfit("wrong_type", f"found {found(value)}, expected a list of texts: a program and its arguments", hint)
    if not value[0].strip() or any("\0" in part for part in value):
        raise Unfit("out_of_range", "names no program", 'such as ["./change-window.sh"]')
    return tuple(value)


def _day(value: Any) -> date:
    """Read a day, written without quotes or with them."""
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    elif isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise Unfit("wrong_type", f"found {found(value)}, expected a day", "such as 2027-03-31")


def _hours(value: Any) -> QuietHours:
    """Read hours of a day, such as "22:00-06:00"."""
    told = re.fullmatch(_HOURS, value) if isinstance(value, str) else None
    if told is None:
        raise Unfit("bad_hours", f"found {found(value)}, expected hours of a day", 'such as "22:00-06:00"')
    at = [int(part) for part in told.groups()]
    hours = QuietHours(at[0] * 60 + at[1], at[2] * 60 + at[3])
    if hours.from_minute == hours.to_minute:
        raise Unfit("bad_hours", f"found {found(value)}: no hours", "leave the key out, if there are none")
    return hours


def _zone(value: Any) -> str:
    """Read the name of a time zone that this system knows."""
    name: str = text()(value)
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        hint = "a name such as Europe/Berlin or UTC; on Windows install the package tzdata"
        raise Unfit("bad_zone", f"found {found(value)}: no such time zone is known here", hint) from None
    return name


def checked_code(code: str) -> str:
    """Return the code if it is an error code.

    Raises: Unfit.
    """
    if not re.fullmatch(_CODE, code):
        raise Unfit("bad_code", f"found {found(code)}, expected an error code", "`migrator status` lists them by code")
    return code


@dataclass(frozen=True, slots=True)
class ApprovalsSection:
    """`[approvals]`."""

    required: int = 0
    database_users: bool | None = None


_CODE = r"[a-z0-9_]{1,60}"
_CLOCK = r"([01]\d|2[0-3]):([0-5]\d)"
_HOURS = f"{_CLOCK}-{_CLOCK}"
CODE_BOUND = whole(least=0)
_CODES = Described(
    lambda value: value,  # each code is checked by itself, so that each has its own line
    {"type": "object", "propertyNames": {"pattern": f"^{_CODE}$"}, "additionalProperties": CODE_BOUND.schema},
)
_FIELD = "|".join(NAME_FIELDS)
_NAME_TEMPLATE = Described(_template, {"type": "string", "pattern": rf"^([^{{}}]|\{{\{{|\}}\}}|\{{({_FIELD})\}})*$"})
_STOCK_NAME = Described(
    _stock_name, {"type": "string", "minLength": 1, "pattern": r"^([^{}]|\{\{|\}\}|\{target_iccid\})*$"}
)
_DURATION = Described(
    _duration,
    {
        "anyOf": [
            {"type": "string", "pattern": r"^\s*[0-9]{1,9}(\.[0-9]{1,9})? ?[smhdSMHD]?\s*$"},
            {"type": "integer", "minimum": 0},
        ]
    },
)
_SOME_TIME = Described(
    _some_time,
    {
        "anyOf": [
            {"type": "string", "pattern": r"^\s*(?=[0-9.]*[1-9])[0-9]{1,9}(\.[0-9]{1,9})? ?[smhdSMHD]?\s*$"},
            {"type": "integer", "minimum": 1},
        ]
    },
)
COMMAND = Described(_command, {"type": "array", "minItems": 1, "items": {"type": "string"}})
_VOLUME = number(most=LARGEST_VOLUME_MB)
_VOLUME_ABOVE_ZERO = number(above=True, most=LARGEST_VOLUME_MB)
_SHARE = number(most=ONE, what="a share (0.99 is 99 %)")
_STATUS = choice(StatusRule)

SECTIONS: Mapping[str, tuple[type[Any], Mapping[str, Described]]] = {
    "claim": (
        ClaimPolicy,
        {
            "data_plan_id": whole(least=1),
            "zone": text(),
            "tag": Described(_tag, {"type": "string"}),
            "limits": choice(LimitsTiming),
            "test_mode": choice(InTestMode),
            "when": choice(ClaimWhen),
            "ahead": _SOME_TIME,
            "tags": choice(OldTags),
            "most_tags": whole(least=1, most=MOST_TAGS),
        },
    ),
    "status": (StatusPolicy, {"enabled": _STATUS, "disabled": _STATUS, "expired": _STATUS}),
    "data_limit": (
        DataLimitPolicy,
        {
            "basis": choice(DataBasis),
            "fixed_mb": _VOLUME,
            "monthly_cap_mb": _VOLUME_ABOVE_ZERO,
            "minimum_mb": _VOLUME,
            "maximum_mb": _VOLUME_ABOVE_ZERO,
            "round_up_to_mb": _VOLUME_ABOVE_ZERO,
            "when_zero": choice(WhenZero),
            "other_periods": choice(OtherPeriods),
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
    "name": (
        NamePolicy,
        {"template": _NAME_TEMPLATE, "when_missing": _NAME_TEMPLATE, "on_duplicate": choice(OnDuplicate)},
    ),
    "gates": (
        Gates,
        {
            "verified_share": _SHARE,
            "max_failures": whole(least=0),
            "max_failure_share": _SHARE,
            "min_sample": whole(least=0),
            "max_failures_by_code": _CODES,
        },
    ),
    "caps": (
        Caps,
        {
            "max_sims": whole(least=0),
            "max_spend_now": number(),
            "without_price": choice(WithoutPrice),
            "scope": choice(CapsScope),
        },
    ),
    "approvals": (ApprovalsSection, {"required": whole(least=0, most=100), "database_users": flag()}),
    "cutover": (
        CutoverPolicy,
        {
            "require": choice(CutoverProof),
            "rest": _DURATION,
            "verified_share": _SHARE,
            "other_units": choice(OtherUnits),
            "old_sim": choice(OldSim),
            "alive_within": _SOME_TIME,
            "pairs": choice(PairProof),
        },
    ),
    "stock": (
        StockPolicy,
        {
            "max_cards": whole(least=0),
            "data_limit_mb": _VOLUME_ABOVE_ZERO,
            "sms_limit": whole(least=0, most=MOST_SMS),
            "tag": Described(_tag, {"type": "string"}),
            "name": _STOCK_NAME,
        },
    ),
    "hooks": (HookPrograms, {"before_claim": COMMAND, "before_cutover": COMMAND, "timeout": _SOME_TIME}),
    "campaign": (
        CampaignPolicy,
        {
            "until": Described(_day, {"type": "string"}),
            "claims_per_day": whole(least=1),
            "claims_total": whole(least=1),
            "spend_per_day": number(),
            "spend_total": number(),
            "cutover": choice(CutoverMode),
            "cutover_rest": _DURATION,
            "quiet_hours": Described(_hours, {"type": "string", "pattern": f"^{_HOURS}$"}),
            "time_zone": Described(_zone, {"type": "string", "pattern": r"\S"}),
            "approvals": whole(least=1, most=100),
            "discover": choice(DiscoverMode),
            "silent_after": _SOME_TIME,
            "last_units": whole(least=1, most=100_000),
            "error_budget": _SHARE,
        },
    ),
}
"""Record of each section, and the check of each key.

A key that is absent has the record's default.

Source of the SMS bound: Hologram, "Set a SIM's SMS limit": at most 100 without a contract. Read 2026-11-20.
"""

_SOME_SHARE = number(above=True, most=ONE, what="a share (0.1 is 10 %)")

WAVE: Mapping[str, Described] = {
    "name": text(),
    "count": whole(least=1),
    "share": _SOME_SHARE,
    "label": text(),
    "iccids": text(),
    "soak": _DURATION,
}

RULE_NAME = text()
WHEN: Mapping[str, Described] = {
    "status": choice(SourceStatus, but=SourceStatus.UNKNOWN),
    "status_before": choice(SourceStatus, but=SourceStatus.UNKNOWN),
    "switched_off_by_us": flag(),
    "label": text(),
    "iccids": text(),
    "data_quota_mb": _VOLUME,
    "data_quota_mb_min": _VOLUME,
    "data_quota_mb_max": _VOLUME,
}
OPTIONAL = frozenset({"campaign"})
"""Sections that may be missing though they have keys without a default."""

OVERRIDES: Mapping[str, str] = {
    "status": "status",
    "data_limit": "data_limit",
    "sms_limit": "sms_limit",
    "device_name": "name",
}
"""Keys of a rule, each with the section that it overrides.

A rule's `name` is its own name.
"""

FIELD_OF = {
    "timeout": "timeout_s",
    "soak": "soak_s",
    "rest": "rest_s",
    "alive_within": "alive_within_s",
    "ahead": "ahead_s",
    "cutover_rest": "cutover_rest_s",
    "silent_after": "silent_after_s",
}
"""Keys with another name in the core.

There, the name of a duration has its unit.
"""

REQUIRED: Mapping[str, Mapping[str, str]] = {
    "claim": {"data_plan_id": "2096", "zone": '"global"'},
    "campaign": {
        "until": "2027-03-31",
        "claims_per_day": "500",
        "claims_total": "50000",
        "spend_per_day": "600.00",
        "spend_total": "60000.00",
    },
}
"""Keys without a default, each with an example."""
