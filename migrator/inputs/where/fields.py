"""Fields that `--where` can read, of source SIMs and pairs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from operator import attrgetter
from types import MappingProxyType
from typing import Any, TypeAlias

from migrator.core.fleet.sims import Candidate, QuotaReading, SourceStatus
from migrator.inputs.files.problems import spelled

__all__ = ["FIELDS", "TAKES", "Field", "Get", "ValueKind"]

Get: TypeAlias = Callable[[Candidate], Any]


class ValueKind(Enum):
    """Kind of a field's value.

    The kind decides the values that the field can be compared with.
    """

    TEXT = auto()  # with text, character by character
    ICCID = auto()  # with an ICCID in either form
    STATUS = auto()  # with a word for a status
    NUMBER = auto()  # with a decimal
    FLAG = auto()  # with true and false


TAKES = {
    ValueKind.TEXT: 'a text: write it in quotes, as "..."',
    ValueKind.ICCID: "an ICCID in quotes",
    ValueKind.STATUS: f"a status in quotes: {spelled(status.value for status in SourceStatus)}",
    ValueKind.NUMBER: "a number: write it without quotes, as 12.5",
    ValueKind.FLAG: "true or false",
}
"""Words for the values that a field of each kind takes."""


@dataclass(frozen=True, slots=True)
class Field:
    """Value of a candidate.

    `shown` gives the value for order and patterns, where equality uses another value.
    """

    kind: ValueKind
    get: Get
    shown: Get | None = None


def _target(name: str) -> Get:
    of_target = attrgetter(name)
    return lambda candidate: None if candidate.pair is None else of_target(candidate.pair.target)


def _if_read(reading: str, value: str) -> Get:
    """Build a reader of a remaining volume.

    The volume is a value only after a successful read: a failed read is no number.
    """
    get_reading, get_value = attrgetter(reading), attrgetter(value)
    return lambda candidate: get_value(candidate) if get_reading(candidate) is QuotaReading.READ else None


def _fact(name: str) -> Get:
    of_facts = attrgetter(name)
    return lambda candidate: None if candidate.sim.facts is None else of_facts(candidate.sim.facts)


def _scanned_at(candidate: Candidate) -> str | None:
    """Return the time of the scan as ISO 8601 in UTC."""
    at = None if candidate.sim.facts is None else candidate.sim.facts.scanned_at
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        "iccid": Field(ValueKind.ICCID, attrgetter("sim.iccid.key"), attrgetter("sim.iccid.digits")),
        "status": Field(ValueKind.STATUS, attrgetter("sim.status")),
        "status_before": Field(ValueKind.STATUS, attrgetter("sim.status_before")),
        "switched_off_by_us": Field(ValueKind.FLAG, lambda candidate: candidate.sim.status_before is not None),
        "label": Field(ValueKind.TEXT, attrgetter("sim.label")),
        "imsi": Field(ValueKind.TEXT, attrgetter("sim.imsi")),
        "msisdn": Field(ValueKind.TEXT, attrgetter("sim.msisdn")),
        "imei": Field(ValueKind.TEXT, attrgetter("sim.imei")),
        "imei_lock": Field(ValueKind.FLAG, attrgetter("sim.imei_lock")),
        "ip_address": Field(ValueKind.TEXT, attrgetter("sim.ip_address")),
        "activated_at": Field(ValueKind.TEXT, attrgetter("sim.activated_at")),
        "expires_at": Field(ValueKind.TEXT, attrgetter("sim.expires_at")),
        "data_quota_mb": Field(ValueKind.NUMBER, attrgetter("sim.data_quota_mb")),
        "data_remaining_mb": Field(ValueKind.NUMBER, _if_read("sim.data_reading", "sim.data_remaining_mb")),
        "sms_quota": Field(ValueKind.NUMBER, attrgetter("sim.sms_quota")),
        "sms_remaining": Field(ValueKind.NUMBER, _if_read("sim.sms_reading", "sim.sms_remaining")),
        "unit": Field(ValueKind.TEXT, _fact("unit")),
        "site": Field(ValueKind.TEXT, _fact("site")),
        "ticket": Field(ValueKind.TEXT, _fact("ticket")),
        "scanned_at": Field(ValueKind.TEXT, _scanned_at),
        "scanned_by": Field(ValueKind.TEXT, _fact("scanned_by")),
        "paired": Field(ValueKind.FLAG, lambda candidate: candidate.pair is not None),
        "target_iccid": Field(ValueKind.ICCID, _target("key"), _target("digits")),
    }
)
"""Names that an expression may use."""
