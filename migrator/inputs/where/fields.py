"""Fields that `--where` can read, of source SIMs and pairs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from operator import attrgetter
from types import MappingProxyType
from typing import Any, TypeAlias

from migrator.core.fleet.candidates import Candidate
from migrator.core.fleet.sims import QuotaReading, SourceStatus
from migrator.inputs.files.problems import spelled

__all__ = ["FIELDS", "TAKES", "Field", "Get", "Kind"]

Get: TypeAlias = Callable[[Candidate], Any]


class Kind(Enum):
    """Kind of a field's value.

    The kind decides the values that the field can be compared with.
    """

    TEXT = auto()  # with text, character by character
    ICCID = auto()  # with an ICCID in either form
    STATUS = auto()  # with a word for a status
    NUMBER = auto()  # with a decimal
    FLAG = auto()  # with true and false


TAKES = {
    Kind.TEXT: 'a text: write it in quotes, as "..."',
    Kind.ICCID: "an ICCID in quotes",
    Kind.STATUS: f"a status in quotes: {spelled(status.value for status in SourceStatus)}",
    Kind.NUMBER: "a number: write it without quotes, as 12.5",
    Kind.FLAG: "true or false",
}
"""Words for the values that a field of each kind takes."""


@dataclass(frozen=True, slots=True)
class Field:
    """Value of a candidate.

    `shown` gives the value for order and patterns, where equality uses another value.
    """

    kind: Kind
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


FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        "iccid": Field(Kind.ICCID, attrgetter("sim.iccid.key"), attrgetter("sim.iccid.digits")),
        "status": Field(Kind.STATUS, attrgetter("sim.status")),
        "status_before": Field(Kind.STATUS, attrgetter("sim.status_before")),
        "switched_off_by_us": Field(Kind.FLAG, lambda candidate: candidate.sim.status_before is not None),
        "label": Field(Kind.TEXT, attrgetter("sim.label")),
        "imsi": Field(Kind.TEXT, attrgetter("sim.imsi")),
        "msisdn": Field(Kind.TEXT, attrgetter("sim.msisdn")),
        "imei": Field(Kind.TEXT, attrgetter("sim.imei")),
        "imei_lock": Field(Kind.FLAG, attrgetter("sim.imei_lock")),
        "ip_address": Field(Kind.TEXT, attrgetter("sim.ip_address")),
        "activated_at": Field(Kind.TEXT, attrgetter("sim.activated_at")),
        "expires_at": Field(Kind.TEXT, attrgetter("sim.expires_at")),
        "data_quota_mb": Field(Kind.NUMBER, attrgetter("sim.data_quota_mb")),
        "data_remaining_mb": Field(Kind.NUMBER, _if_read("sim.data_reading", "sim.data_remaining_mb")),
        "sms_quota": Field(Kind.NUMBER, attrgetter("sim.sms_quota")),
        "sms_remaining": Field(Kind.NUMBER, _if_read("sim.sms_reading", "sim.sms_remaining")),
        "paired": Field(Kind.FLAG, lambda candidate: candidate.pair is not None),
        "target_iccid": Field(Kind.ICCID, _target("key"), _target("digits")),
    }
)
"""Names that an expression may use."""
