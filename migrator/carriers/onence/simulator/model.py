"""Simulated SIM in its true state, whatever the API shows."""

from calendar import monthrange
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from migrator.core.fleet.identifiers import luhn_digit

__all__ = ["LIFETIME_MONTHS", "SimStatus", "SimulatedSourceSim", "end_of_life"]

LIFETIME_MONTHS = 123
"""Months from activation to expiry: 10 years and 3 months.

Source: reference, section 6: recorded 2021-08-26 -> 2031-11-26.
"""

TAIL_DIGITS = 8
"""Count of last digits that a SIM's ICCID, IMSI and MSISDN share.

Source: reference, section 4.4.
"""


class SimStatus(StrEnum):
    """Status of a SIM, which decides if the SIM may connect."""

    ENABLED = "Enabled"  # it may
    DISABLED = "Disabled"  # switched off by a person
    EXPIRED = "Expired"  # its lifetime is over; only an extension is taken


def end_of_life(activated_at: datetime) -> datetime:
    """Return midnight of the day on which a SIM expires.

    `activated_at` is the time of its activation.
    """
    months = activated_at.month - 1 + LIFETIME_MONTHS
    year, month = activated_at.year + months // 12, months % 12 + 1
    day = min(activated_at.day, monthrange(year, month)[1])
    return datetime(year, month, day, tzinfo=activated_at.tzinfo)


@dataclass(slots=True)
class SimulatedSourceSim:
    """SIM of the simulated source.

    Fields are named as in `core.fleet.sims.SourceSim`; None is a value that the SIM does not have.

    Args:
        iccid: 19 digits without check digit.
        imei: what the API calls so: 16 digits (IMEISV), sometimes with a trailing f; None: never in a device.
        imsi, msisdn, ip_address: made from the ICCID where left empty.
        imsi_2, current_imsi: for networks that need a second IMSI.
        shows_check_digit: whether `iccid_with_luhn` is shown for this SIM.
        expires_at: None: 10 years and 3 months after activation.
        data_quota_mb, sms_quota: everything ever booked, in MB of 1024 KB and in messages.
        data_remaining_mb, sms_remaining: what is left; may be negative.
        data_since_top_up_mb, sms_since_top_up: the rest at the last top-up plus the top-up; None: never topped up.
        has_quota: whether there is a quota record at all.
        platform2: whether the SIM lives on Platform 2.0.
        silent_from: from this day on nothing is used: another SIM is in its unit.
        used_on: days on which something is used all the same: somebody put the SIM back.
    """

    iccid: str
    status: SimStatus = SimStatus.ENABLED
    label: str | None = None
    imei: str | None = None
    imei_lock: bool = False
    imsi: str = ""
    msisdn: str = ""
    ip_address: str = ""
    imsi_2: str | None = None
    current_imsi: str | None = None
    shows_check_digit: bool = False
    activated_at: datetime = datetime(2021, 8, 26, 12, 13, 6, tzinfo=UTC)
    expires_at: datetime | None = None
    data_quota_mb: Decimal = Decimal(500)
    data_remaining_mb: Decimal = Decimal(500)
    data_since_top_up_mb: Decimal | None = None
    sms_quota: Decimal = Decimal(250)
    sms_remaining: Decimal = Decimal(250)
    sms_since_top_up: Decimal | None = None
    has_quota: bool = True
    platform2: bool = False
    silent_from: date | None = None
    used_on: tuple[date, ...] = ()

    def __post_init__(self) -> None:
        tail = self.iccid[-TAIL_DIGITS:]
        self.imsi = self.imsi or f"9014051{tail}"
        self.msisdn = self.msisdn or f"8822851{tail}"
        self.ip_address = self.ip_address or private_address(int(tail))

    @property
    def iccid_with_luhn(self) -> str:
        """Printed form of the ICCID: 20 digits."""
        return self.iccid + luhn_digit(self.iccid)

    @property
    def expiry(self) -> datetime:
        """Time when the SIM's lifetime is over."""
        return self.expires_at or end_of_life(self.activated_at)

    @property
    def is_expired(self) -> bool:
        """True if the lifetime is over by status, not by date."""
        return self.status == SimStatus.EXPIRED

    def as_dict(self) -> dict[str, Any]:
        """Return every field by name, for JSON.

        Decimals are text, dates are in ISO 8601, and `expires_at` is filled in.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)} | {"expires_at": self.expiry}
        return {name: _plain(value) for name, value in values.items()}


def private_address(number: int) -> str:
    """Return the `number`-th address of 10.0.0.0/8, in a scattered order.

    The order is not the order of numbers.
    """
    spread = number * 7_919_717 & 0xFFFFFF  # an odd factor: no two numbers below 2**24 share an address
    return f"10.{spread >> 16}.{spread >> 8 & 255}.{spread & 255}"


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value
