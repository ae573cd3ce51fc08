"""Hologram's JSON of the account: who we are, what it can spend, its data plans and tags. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from migrator.core.plan import Prices
from migrator.core.units import Bytes, decimal_of
from migrator.platforms.hologram.wire import data_of, records
from migrator.platforms.lenient import flag_of, text_of, whole_of
from migrator.ports import Account, DataPlan, Tag

__all__ = ["User", "account", "balance", "count", "data_plan", "organization", "organizations", "tags", "user"]


@dataclass(frozen=True, slots=True)
class User:
    """The owner of the API key."""

    user_id: int | None
    email: str
    personal_org: int | None


def user(body: Any) -> User:
    """The answer to `GET /users/me`."""
    me = _object(data_of(body))
    return User(whole_of(me.get("id")), text_of(me.get("email")) or "", whole_of(me.get("personal_org")))


def organizations(body: Any) -> list[Mapping[str, Any]]:
    """The answer to `GET /organizations`: the records that have an id."""
    return [record for record in records(data_of(body)) if whole_of(record.get("id")) is not None]


def organization(body: Any, org_id: int) -> Mapping[str, Any] | None:
    """The answer to `GET /organizations/{id}`; None if it is another's."""
    return next((record for record in organizations(body) if whole_of(record["id"]) == org_id), None)


def account(owner: User, record: Mapping[str, Any]) -> Account:
    """Who we are in an organization. What it may do is listed per user (reference, section 3.1)."""
    users = {whole_of(member.get("id")): member for member in records(record.get("users"))}
    permissions = None if owner.user_id is None else users.get(owner.user_id, {}).get("permissions")
    return Account(
        user_id=owner.user_id,
        email=owner.email,
        org_id=whole_of(record.get("id")) or 0,
        org_name=text_of(record.get("name")) or "",
        permissions=frozenset(map(str, permissions)) if isinstance(permissions, list) else None,
        features=_features(record.get("features")),
    )


def _features(value: Any) -> frozenset[str] | None:
    """Assumed: flags that an organization's record shows stand under `features`. No known reply has them."""
    return frozenset(map(str, value)) if isinstance(value, list) else None


def balance(body: Any) -> Decimal | None:
    """The answer to `GET /organizations/{id}/balance`."""
    return decimal_of(_object(data_of(body)).get("balance"))


def count(body: Any) -> int | None:
    """The answer to `GET /devices/count`: a bare number."""
    return whole_of(data_of(body))


def data_plan(record: Mapping[str, Any]) -> DataPlan | None:
    """One entry of `GET /plans`; None without an id. `enabled` is taken for granted where it is not told."""
    data_plan_id = whole_of(record.get("id"))
    if data_plan_id is None:
        return None
    return DataPlan(
        data_plan_id=data_plan_id,
        name=text_of(record.get("name")) or "",
        enabled=flag_of(record.get("enabled")) is not False,
        included_bytes=Bytes(whole_of(record.get("data")) or 0),
        zones={zone: _prices(values) for zone, values in _zones(record).items()},
    )


def _zones(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The zones of the organization's own tier, else of BASE, else of the first; else those beside the tiers.

    Their keys go out exactly as listed: whether case matters is unknown (reference, section 10.1).
    """
    tiers = _object(record.get("tiers"))
    own_tier = text_of(record.get("current_tier")) or ""
    for tier in (own_tier, "BASE", *tiers):
        zones = _object(_object(tiers.get(tier)).get("zones"))
        if zones:
            return zones
    return _object(record.get("zones"))


def _prices(values: Any) -> Prices:
    told = _object(values)
    return Prices(
        per_period=decimal_of(told.get("amount")),
        per_mb=decimal_of(told.get("overage")),
        per_sms=decimal_of(told.get("sms")),
    )


def tags(body: Any) -> list[Tag]:
    """Tags as a list, under `tags`, or one by itself (reference, section 10.3)."""
    found = ((whole_of(tag.get("id")), tag.get("name")) for tag in records(data_of(body), "tags"))
    return [Tag(tag_id, name) for tag_id, name in found if tag_id is not None and isinstance(name, str)]


def _object(value: Any) -> Mapping[str, Any]:
    """An object; an empty one for anything else (some writers of JSON send [] for an empty map)."""
    return value if isinstance(value, Mapping) else {}
