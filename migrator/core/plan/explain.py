"""Explanation of the values that a plan gives a SIM.

Each value stands beside its source and the keys of the policy that led to the value.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any

from migrator.core.fleet.sims import ONENCE, SourceStatus, volume_words
from migrator.core.fleet.switched_off import planned_status
from migrator.core.plan.compare import STOCK_TAG
from migrator.core.plan.plan import Change, Reason
from migrator.core.policy.policy import DataBasis, DataLimitPolicy, OnDuplicate, Policy, Rule, SmsBasis, Wave

__all__ = ["Explained", "PolicyKey", "explained", "rule_words"]


@dataclass(frozen=True, slots=True)
class PolicyKey:
    """Key of the policy, with its section, value and rule.

    The value is in words. `rule` is the rule that gives the key; "" for the policy's own keys.
    """

    section: str
    key: str
    value: str
    rule: str = ""

    def __str__(self) -> str:
        where = f'rule "{self.rule}" [rule.{self.section}]' if self.rule else f"[{self.section}]"
        return f"{where} {self.key} = {self.value}"


@dataclass(frozen=True, slots=True)
class Explained:
    """Value of a change, with its source and its keys.

    `source` is what the source has, `before` what Hologram showed when the plan was made, `planned` what the plan
    gives, all in words; None where there is nothing.
    """

    what: str
    source: str | None
    before: str | None
    planned: str | None
    given_by: tuple[PolicyKey, ...]


def explained(change: Change, policy: Policy, source: str = ONENCE) -> list[Explained]:
    """Explain every value of a change, in the order of setting.

    `source` is the name of the carrier of the old SIM.
    """
    return list(_Explaining(change, policy, source).values())


def rule_words(rule: Rule) -> str:
    """Return the conditions of a rule, in words."""
    when = rule.when
    asked = [(field.name, getattr(when, field.name)) for field in fields(when)]
    return " and ".join(
        "listed in its file of ICCIDs" if name == "iccids" else f"{name} = {_value(value)}"
        for name, value in asked
        if value is not None
    )


@dataclass(frozen=True, slots=True)
class _Explaining:
    change: Change
    policy: Policy
    name: str

    @property
    def rule(self) -> Rule | None:
        return self.policy.rule(self.change.rule)

    def values(self) -> Iterator[Explained]:
        """Yield each value with its source."""
        change, claim = self.change, self.policy.claim
        yield self._state()
        yield self._data()
        yield self._sms()
        yield self._name()
        tariff = (
            PolicyKey("claim", "data_plan_id", str(claim.data_plan_id)),
            PolicyKey("claim", "zone", _value(claim.zone)),
        )
        plan = None if change.data_plan_id is None else f"data plan {change.data_plan_id}, zone {change.zone}"
        yield Explained("tariff", None, None, plan, tariff)
        yield Explained(
            "tag", None, change.before.get(STOCK_TAG), change.tag, (PolicyKey("claim", "tag", _value(claim.tag or "")),)
        )
        if change.tags:
            copied = (PolicyKey("claim", "tags", _value(claim.tags)),)
            yield Explained("old tags", ", ".join(change.source["tags"]), None, ", ".join(change.tags), copied)
        yield self._wave()

    def _state(self) -> Explained:
        told = self.change.source
        was = told.get("status_before")
        status = planned_status(told.get("status"), None if was is None else SourceStatus(was))
        given = () if status is SourceStatus.UNKNOWN else self._given("status", status.value)
        state = None if self.change.state is None else self.change.state.value
        source = told.get("status") if was is None else f"{told.get('status')}; {was} before our cutover"
        return Explained("state", source, self._before("state"), state, given)

    def _data(self) -> Explained:
        change, section = self.change, self._section("data_limit")
        source = self._volumes()
        if (own := change.source.get("data_limit_bytes")) is not None:
            source = f"{own} bytes {change.source.get('data_limit_period')}".rstrip()
        keys = ["basis", "other_periods", "fixed_mb", "monthly_cap_mb", "round_up_to_mb", "minimum_mb", "maximum_mb"]
        if section.basis is not DataBasis.UNLIMITED and (change.reason is Reason.LIMIT_ZERO or self._is_used_up()):
            keys.append("when_zero")
        planned = _limit(change.overage_limit_bytes, "bytes past the data plan per billing period")
        before = _limit(change.before.get("overage_limit_bytes"), "bytes")
        return Explained("data limit", source, before, planned, self._given("data_limit", *keys))

    def _volumes(self) -> str | None:
        """Return the data volumes at the source, in words."""
        kinds = (("data_remaining_mb", " left"), ("data_quota_mb", " booked" if self.name == ONENCE else ""))
        volumes = ((self.change.source.get(key), what) for key, what in kinds)
        return " of ".join(volume_words(told, self.name) + what for told, what in volumes if told is not None) or None

    def _is_used_up(self) -> bool:
        basis = self._section("data_limit").basis
        names = {DataBasis.REMAINING: "data_remaining_mb", DataBasis.DATA_LIMIT: "data_limit_bytes"}
        volume = self.change.source.get(names.get(basis, "data_quota_mb"))
        return volume is not None and Decimal(volume) <= 0

    def _sms(self) -> Explained:
        change = self.change
        kinds = (("sms_remaining", "left"), ("sms_quota", "booked"))
        volumes = ((change.source.get(key), what) for key, what in kinds)
        source = " of ".join(f"{told} SMS {what}" for told, what in volumes if told is not None) or None
        keys = ("basis",) if self._section("sms_limit").basis is SmsBasis.KEEP else ("basis", "fixed", "maximum")
        planned = _limit(change.sms_limit, "SMS per billing period")
        if planned is None and change.action.acts:
            planned = "left as Hologram has it"
        return Explained(
            "SMS limit", source, _limit(change.before.get("sms_limit"), "SMS"), planned, self._given("sms_limit", *keys)
        )

    def _name(self) -> Explained:
        """Explain the name of a SIM.

        Only the label shows if `when_missing` was used: a plan keeps no other fields of a name.
        """
        change, section = self.change, self._section("device_name")
        label = change.source.get("label")
        keys = ["template"]
        if not (label or "").strip() or "{label}" not in section.template:
            keys.append("when_missing")
        if section.on_duplicate is not OnDuplicate.KEEP:
            keys.append("on_duplicate")
        return Explained("name", label, self._before("name"), change.name, self._given("device_name", *keys))

    def _wave(self) -> Explained:
        wave = next((wave for wave in self.policy.waves if wave.name == self.change.wave), None)
        given = () if wave is None else (PolicyKey("waves", "name", _value(wave.name)), *_of_wave(wave))
        return Explained("wave", None, None, self.change.wave, given)

    def _before(self, key: str) -> str | None:
        value = self.change.before.get(key)
        return None if value is None else str(value)

    def _section(self, name: str) -> Any:
        """Return a section of the policy as in force for this SIM.

        `name` is the name of the section in a rule.
        """
        part = self.policy if self.rule is None else self.rule
        section = getattr(part, "name" if self.rule is None and name == "device_name" else name)
        if isinstance(section, DataLimitPolicy):  # as it counted, where the policy names no basis
            has_limit = self.change.source.get("data_limit_bytes") is not None
            return replace(section, basis=section.basis_for(has_limit=has_limit))
        return section

    def _given(self, name: str, *keys: str) -> tuple[PolicyKey, ...]:
        """Return the keys of a section that are set.

        Each key names the rule that gave it, or the policy's own section.
        """
        section, gives = self._section(name), () if self.rule is None else self.rule.gives
        own = "name" if name == "device_name" else name
        return tuple(
            PolicyKey(name, key, _value(value), self.change.rule)
            if f"{name}.{key}" in gives
            else PolicyKey(own, key, _value(value))
            for key in keys
            if (value := getattr(section, key)) is not None
        )


def _of_wave(wave: Wave) -> Iterator[PolicyKey]:
    for key in ("count", "share", "label"):
        value = getattr(wave, key)
        if value is not None:
            yield PolicyKey("waves", key, _value(value))
    if wave.iccids is not None:
        yield PolicyKey("waves", "iccids", "its file of ICCIDs")


def _limit(value: int | None, unit: str) -> str | None:
    if value is None:
        return None
    return "no limit" if value < 0 else f"{value} {unit}"


def _value(value: object) -> str:
    """Return a value as the policy file writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
