"""Hologram's JSON of the account: user, organizations, balance, data plans, tags.

All functions are pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from migrator.carriers.hologram.wire import data_of, records, rows_of
from migrator.carriers.lenient import LARGEST, flag_of, shortened, text_of, whole_of
from migrator.core.fleet.units import Bytes, decimal_of
from migrator.core.plan.plan import Prices
from migrator.errors import Halted
from migrator.ports import DataPlan, Tag, TargetIdentity

__all__ = ["User", "account", "balance", "count", "data_plan", "organization", "organizations", "tags", "user"]


@dataclass(frozen=True, slots=True)
class User:
    """Owner of the API key."""

    user_id: int | None
    email: str
    personal_org: int | None


def user(body: Any) -> User:
    """Read the answer to `GET /users/me`."""
    me = _object(data_of(body))
    return User(whole_of(me.get("id")), text_of(me.get("email")) or "", whole_of(me.get("personal_org")))


def organizations(body: Any) -> list[Mapping[str, Any]]:
    """Return the records of `GET /organizations` that have an id."""
    return [record for record in rows_of(body) if whole_of(record.get("id")) is not None]


def organization(body: Any, org_id: int) -> Mapping[str, Any] | None:
    """Return the record of `GET /organizations/{id}`, or None.

    None means that the record is that of another organization.
    """
    return next((record for record in organizations(body) if whole_of(record["id"]) == org_id), None)


def account(owner: User, record: Mapping[str, Any]) -> TargetIdentity:
    """Build our account in one organization from its record.

    The permissions are listed per user (reference, section 3.1).
    """
    users = {whole_of(member.get("id")): member for member in records(record.get("users"))}
    permissions = None if owner.user_id is None else users.get(owner.user_id, {}).get("permissions")
    return TargetIdentity(
        user_id=owner.user_id,
        email=owner.email,
        org_id=whole_of(record.get("id")) or 0,
        org_name=text_of(record.get("name")) or "",
        permissions=frozenset(map(str, permissions)) if isinstance(permissions, list) else None,
        features=_features(record.get("features")),
    )


def _features(value: Any) -> frozenset[str] | None:
    """Return the feature flags of an organization's record, or None.

    Assumed: the flags that a record shows stand under `features`. No known reply has them.
    """
    return frozenset(map(str, value)) if isinstance(value, list) else None


def balance(body: Any) -> Decimal | None:
    """Read the balance from `GET /organizations/{id}/balance`; None if absent.

    The balance may be below zero.

    Raises: Halted, if there is a balance that cannot be read: that is no organization without a balance.
    """
    told = _object(data_of(body)).get("balance")
    if _is_blank(told):
        return None
    found = _amount(told)
    if found is None:
        words = f"the balance at Hologram cannot be read: it is {_shown(told)}; nothing was sent"
        raise Halted(
            words, code="balance_unreadable", hint="look at the balance in Hologram's dashboard, and ask there"
        )
    return found


def count(body: Any) -> int | None:
    """Read the answer to `GET /devices/count`: a bare number."""
    return whole_of(data_of(body))


def data_plan(record: Mapping[str, Any]) -> DataPlan | None:
    """Read one entry of `GET /plans`; None without an id.

    `enabled` counts as true where the entry does not report it.
    """
    data_plan_id = whole_of(record.get("id"))
    if data_plan_id is None:
        return None
    return DataPlan(
        data_plan_id=data_plan_id,
        name=text_of(record.get("name")) or "",
        enabled=flag_of(record.get("enabled")) is not False,
        included_bytes=Bytes(whole_of(record.get("data")) or 0),
        zones={zone: _prices(record, zone, values) for zone, values in _zones(record).items()},
    )


def _zones(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the zones of a data plan, by name.

    The first source with zones counts: the organization's own tier, BASE, the other tiers in their order, then the
    zones beside the tiers. The names go out exactly as listed: it is unknown if case matters (reference, section 10.1).
    """
    tiers = _object(record.get("tiers"))
    own_tier = text_of(record.get("current_tier")) or ""
    for tier in (own_tier, "BASE", *tiers):
        zones = _object(_object(tiers.get(tier)).get("zones"))
        if zones:
            return zones
    return _object(record.get("zones"))


_PRICES = ("amount", "overage", "sms")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
LONGEST_SHOWN = 40


def _prices(record: Mapping[str, Any], zone: str, values: Any) -> Prices:
    """Read the prices of one zone, which must agree everywhere.

    An entry of a list reports the prices up to three times: in its tier, beside the tiers, and flattened
    (`amountGlobal`). The tier of the last two is not documented (reference, section 10.1). Where there are several
    tiers, the dearest price counts.
    """
    beside = _object(record.get("zones")).get(zone)
    told: list[Decimal | None] = []
    doubts: list[str] = []
    problems = [f"it is {_shown(place)}" for place in (values, beside) if not _may_hold_prices(place)]
    for name in _PRICES:
        places = [_object(values).get(name), _object(beside).get(name), _flat(record, name + zone)]
        shown = [value for value in places if not _is_blank(value)]
        read = [price for price in map(_price, shown) if price is not None]
        told.append(max(read, default=None))
        if len(read) < len(shown):
            problems.append(f"{name} is {', '.join(dict.fromkeys(map(_shown, shown)))}")
        elif len(set(read)) > 1:
            words = f"{name} is both {' and '.join(dict.fromkeys(map(_shown, shown)))}"
            (doubts if _has_several_tiers(record) else problems).append(words)
    per_period, per_mb, per_sms = told
    return Prices(per_period, per_mb, per_sms, problem="; ".join(problems), doubt="; ".join(doubts))


def _has_several_tiers(record: Mapping[str, Any]) -> bool:
    """True if prices beside the tiers may be of another tier.

    Another tier means a tier other than the one that is read.
    """
    tiers = {*_object(record.get("tiers")), text_of(record.get("current_tier"))}
    return len(tiers - {None, ""}) > 1


def _price(value: Any) -> Decimal | None:
    """Read a price of zero or more; None for anything else."""
    amount = _amount(value)
    return None if amount is None or amount < 0 else amount


def _amount(value: Any) -> Decimal | None:
    """Read an amount of money; None for anything else.

    This check is stricter than for other numbers, because a wrong guess costs money.
    """
    text = str(value).strip()
    return decimal_of(text) if not isinstance(value, bool) and _NUMBER.fullmatch(text) else None


def _flat(record: Mapping[str, Any], name: str) -> Any:
    """Return a price beside the zones, found by its flattened key.

    The key ends in the zone, in any case. The result is None if two keys may be meant.
    """
    found = [value for key, value in record.items() if isinstance(key, str) and key.lower() == name.lower()]
    return found[0] if len(found) == 1 else None


def _may_hold_prices(value: Any) -> bool:
    return value is None or value == [] or isinstance(value, Mapping)


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _shown(value: Any) -> str:
    return shortened(repr(value))[:LONGEST_SHOWN]


def tags(body: Any) -> list[Tag]:
    """Read tags from a list, from `tags`, or from one tag.

    Source: reference, section 10.3.
    """
    found = ((whole_of(tag.get("id")), tag.get("name")) for tag in records(data_of(body), "tags"))
    return [
        Tag(tag_id, name)
        for tag_id, name in found
        if tag_id is not None and tag_id != LARGEST and isinstance(name, str)
    ]


def _object(value: Any) -> Mapping[str, Any]:
    """Return the value if it is an object, else an empty object.

    Some writers of JSON send [] for an empty map.
    """
    return value if isinstance(value, Mapping) else {}
