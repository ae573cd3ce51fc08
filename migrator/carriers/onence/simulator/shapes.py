"""JSON of a SIM and its quotas."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from migrator.carriers.onence.simulator.behaviour import OnenceBehaviour
from migrator.carriers.onence.simulator.choices import (
    LabelForm,
    Missing,
    OptionalIdentifiers,
    QuotaDates,
    StatusWords,
    TopUpTotal,
)
from migrator.carriers.onence.simulator.model import SimStatus, SimulatedSourceSim
from migrator.carriers.simulation.messages import BROKEN

__all__ = ["Volume", "number", "quota_v1", "quota_v2", "sim_object", "volume_of"]

THRESHOLD_PERCENT = 20
DATA_TOP_UP, SMS_TOP_UP = Decimal(500), Decimal(250)  # what one top-up adds (reference, section 10.2)
PEAK_BITS_PER_S = 128_000
LEVELS = ("More than 20% available", "Less than 20% available", "No volume available")
SINGLE_CALL_EARLIER = timedelta(seconds=4)
QUOTA_AFTER_ACTIVATION = timedelta(seconds=16)
THRESHOLD_AFTER, EXCEEDED_AFTER = timedelta(hours=6), timedelta(hours=8)
"""Time from activation until most of a volume, or all, was used."""


@dataclass(frozen=True, slots=True)
class Volume:
    """Volume of one service of a SIM.

    Data is in MB, SMS in messages. `since_top_up` equals `booked` without a top-up.
    """

    booked: Decimal
    remaining: Decimal
    since_top_up: Decimal
    last_added: Decimal

    def total(self, choice: TopUpTotal) -> Decimal:
        """Return the total as the option `choice` counts top-ups."""
        if choice is TopUpTotal.SINCE_TOP_UP:
            return self.since_top_up
        was_topped_up = self.since_top_up != self.booked
        return self.booked - self.last_added if choice is TopUpTotal.FIRST and was_topped_up else self.booked

    @property
    def level(self) -> int:
        """Level of the rest: 0 above a fifth, 1 below, 2 nothing."""
        if self.remaining <= 0:
            return 2
        return 0 if self.remaining * 100 > self.since_top_up * THRESHOLD_PERCENT else 1


def volume_of(sim: SimulatedSourceSim, service: str) -> Volume:
    """Return the volume of `data` or `sms`."""
    booked, remaining, since, added = sim.sms_quota, sim.sms_remaining, sim.sms_since_top_up, SMS_TOP_UP
    if service == "data":
        booked, remaining, since = sim.data_quota_mb, sim.data_remaining_mb, sim.data_since_top_up_mb
        added = DATA_TOP_UP
    if since is None:
        return Volume(booked, remaining, booked, booked)
    return Volume(booked, remaining, since, added)


def number(value: Decimal, behaviour: OnenceBehaviour) -> int | float | str:
    """Return a volume as a number, or as text by option.

    The number is whole where the volume is whole, else it has up to six decimals.
    """
    is_whole = value == value.to_integral_value()
    if behaviour.numbers_as_strings:
        return str(int(value)) if is_whole else f"{value.normalize():f}"
    return int(value) if is_whole else float(value)


def sim_object(
    sim: SimulatedSourceSim, behaviour: OnenceBehaviour, *, words: StatusWords, single: bool
) -> dict[str, Any]:
    """Return a SIM as the list or the single call writes it.

    `single` selects the form of the call for one SIM (reference, section 4.4).
    """
    shifted = single and words is StatusWords.MIXED
    activated_at = sim.activated_at - SINGLE_CALL_EARLIER if shifted else sim.activated_at
    row: dict[str, Any] = {"iccid": sim.iccid}
    row |= _optional_identifiers(sim, behaviour)
    row |= {
        "imsi": sim.imsi,
        "msisdn": sim.msisdn,
        "imei": sim.imei,
        "imei_lock": sim.imei_lock,
        "status": _status_word(sim.status, behaviour, words, single=single),
        "activation_date": activated_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
        "ip_address": sim.ip_address,
    }
    for service, suffix in (("data", ""), ("sms", "_SMS")):
        volume = volume_of(sim, service)
        row[f"current_quota{suffix}"] = number(volume.total(behaviour.top_up_total), behaviour)
        row[f"quota_status{suffix}"] = _quota_status(sim, volume, behaviour)
    forms = behaviour.single_labels if single else behaviour.listed_labels
    row["label"] = _label(sim.label, forms.get(sim.iccid))
    row |= {field: value for iccid, field, value in behaviour.said if iccid == sim.iccid}
    return {
        key: _filler(behaviour) if value is None else value for key, value in row.items() if _kept(value, behaviour)
    }


def _label(label: str | None, form: LabelForm | None) -> Any:
    odd: dict[LabelForm | None, Any] = {
        None: label,
        LabelForm.OMITTED: None,
        LabelForm.OBJECT: {"text": label},
        LabelForm.NUMBER: 7.5,
        LabelForm.BROKEN: f"{label}{BROKEN}",
        LabelForm.REPLACED: f"{label}\ufffd",
    }
    return odd[form]


def quota_v1(sim: SimulatedSourceSim, service: str, behaviour: OnenceBehaviour) -> dict[str, Any]:
    """Return a quota as recorded (reference, section 6)."""
    volume, form = volume_of(sim, service), behaviour.v1_quota_dates
    quota = {
        "volume": number(volume.remaining, behaviour),
        "total_volume": number(volume.total(_v1_total(behaviour)), behaviour),
        "expiry_date": _quota_date(sim.expiry, form),
        "peak_throughput": PEAK_BITS_PER_S,
        "last_volume_added": number(volume.last_added, behaviour),
        "last_status_change_date": _quota_date(sim.activated_at + QUOTA_AFTER_ACTIVATION, form),
        "threshold_percentage": THRESHOLD_PERCENT,
    }
    if service != "data":
        del quota["peak_throughput"]
    return quota


def quota_v2(sim: SimulatedSourceSim, service: str, behaviour: OnenceBehaviour) -> dict[str, Any]:
    """Return a quota as v2's contract has it (reference, section 14)."""
    volume, form = volume_of(sim, service), behaviour.v2_quota_dates
    status = {"id": 1, "description": "ACTIVE"} if volume.remaining > 0 else {"id": 0, "description": "EXHAUSTED"}
    if sim.is_expired:
        status = {"id": 2, "description": "EXPIRED"}
    return {
        "id": 1 if service == "data" else 2,
        "status": status,
        "volume": number(volume.remaining, behaviour),
        "total_volume": number(volume.since_top_up, behaviour),
        "accumulated_total_volume": number(volume.booked, behaviour),
        "last_volume_added": number(volume.last_added, behaviour),
        "service": service,
        "threshold_percentage": THRESHOLD_PERCENT,
        "threshold_volume": number(volume.since_top_up * THRESHOLD_PERCENT / 100, behaviour),
        "expiry_date": _quota_date(sim.expiry, form),
        "created_at": _quota_date(sim.activated_at + QUOTA_AFTER_ACTIVATION, form),
    }


def _v1_total(behaviour: OnenceBehaviour) -> TopUpTotal:
    """Return the total that v1's quota shows.

    `FIRST` is about the list only: a quota that reports what is left cannot hide what was added.
    """
    return TopUpTotal.LIFETIME if behaviour.top_up_total is TopUpTotal.FIRST else behaviour.top_up_total


def _optional_identifiers(sim: SimulatedSourceSim, behaviour: OnenceBehaviour) -> dict[str, str | None]:
    if behaviour.optional_identifiers is OptionalIdentifiers.NEVER:
        return {}
    if behaviour.optional_identifiers is OptionalIdentifiers.ALWAYS:
        second = sim.imsi_2 or f"4600751{sim.imsi[-8:]}"
        return {"iccid_with_luhn": sim.iccid_with_luhn, "imsi_2": second, "current_imsi": sim.current_imsi or sim.imsi}
    shown = sim.iccid_with_luhn if sim.shows_check_digit else None
    return {"iccid_with_luhn": shown, "imsi_2": sim.imsi_2, "current_imsi": sim.current_imsi}


def _status_word(status: SimStatus, behaviour: OnenceBehaviour, words: StatusWords, *, single: bool) -> str:
    if status == SimStatus.EXPIRED:
        return behaviour.expired_word
    if status == SimStatus.DISABLED:
        return "Deactivated" if words is StatusWords.ACTIVATED else "Disabled"
    says_activated = words is StatusWords.ACTIVATED or (single and words is StatusWords.MIXED)
    return "Activated" if says_activated else "Enabled"


def _quota_status(sim: SimulatedSourceSim, volume: Volume, behaviour: OnenceBehaviour) -> dict[str, Any]:
    status: dict[str, Any] = {"id": volume.level, "description": LEVELS[volume.level]}
    if volume.level >= 1:
        status["threshold_reached_date"] = _quota_date(sim.activated_at + THRESHOLD_AFTER, behaviour.v1_quota_dates)
    if volume.level == 2:  # noqa: PLR2004 - the carrier's number for "nothing left"
        status["quota_exceeded_date"] = _quota_date(sim.activated_at + EXCEEDED_AFTER, behaviour.v1_quota_dates)
    return status


def _quota_date(moment: datetime, form: QuotaDates) -> str:
    utc = moment.astimezone(UTC)
    if form is QuotaDates.ISO_Z:
        return utc.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return utc.strftime("%Y-%m-%d %H:%M:%S")


def _kept(value: Any, behaviour: OnenceBehaviour) -> bool:
    return value is not None or behaviour.missing is not Missing.OMITTED


def _filler(behaviour: OnenceBehaviour) -> str | None:
    return "" if behaviour.missing is Missing.EMPTY_TEXT else None
