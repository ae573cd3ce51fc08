"""Simulated SIM of Onomondo in its true state, whatever the API shows."""

from dataclasses import dataclass, fields
from datetime import date, datetime
from functools import cache
from typing import Any

from migrator.carriers.simulation.chance import Draws
from migrator.core.fleet.identifiers import luhn_digit

__all__ = ["ICCID_PREFIX", "OnomondoTag", "SimulatedOnomondoSim", "made_sim"]

ICCID_PREFIX = "8945738730"
"""First ten digits of an ICCID.

Source: the examples of the vendor's page.
"""

DEFAULT_LIMIT_BYTES = 10_000_000_000
IDLE_PERCENT = 60
LABELS = (None, "Meter {unit}", "Zähler {unit:05d}", "pump-{unit}", "  spaced {unit} ", "Unit {unit}, line 2")
LIMITS = (
    ("monthly", DEFAULT_LIMIT_BYTES),
    ("monthly", 50_000_000),
    ("monthly", 500_000),
    ("daily", 1_000_000),
    ("hourly", 1_000_000),
)


@cache
def _tag_id(name: str) -> str:
    draws = Draws("tag", name)
    return "-".join(f"{draws.below(16**size):0{size}x}" for size in (8, 4, 4, 4, 12))


@dataclass(frozen=True, slots=True)
class OnomondoTag:
    """Tag on a SIM. `can_write`: whether this account may take it off."""

    name: str
    can_write: bool = True

    @property
    def tag_id(self) -> str:
        """Id of the tag, made from its name."""
        return _tag_id(self.name)

    def as_json(self) -> dict[str, Any]:
        """Return the tag as records have it."""
        return {"name": self.name, "id": self.tag_id, "can_write": self.can_write, "color": "#5ba571"}


TAGS = ((), (OnomondoTag("Supplier", can_write=False),), (OnomondoTag("Nordics"), OnomondoTag("Product A")))


@dataclass(slots=True)
class SimulatedOnomondoSim:
    """SIM of the simulated Onomondo.

    None is a value that the SIM does not have.

    Args:
        iccid: 20 digits with check digit.
        imei: of the hardware that it was last seen in; None: never in a device.
        imei_lock: the hardware that it is locked to.
        sim_id, imsi, msisdn, ipv4: made from the ICCID where left empty.
        limit_bytes, limit_type: the limit of its data.
        silent_from: from this day on nothing is used: another SIM is in its unit.
        used_on: days on which something is used all the same: somebody put the SIM back.
    """

    iccid: str
    activated: bool = True
    label: str | None = None
    imei: str | None = None
    imei_lock: str | None = None
    tags: tuple[OnomondoTag, ...] = ()
    limit_bytes: int = DEFAULT_LIMIT_BYTES
    limit_type: str = "monthly"
    used_bytes: int = 248
    silent_from: date | None = None
    used_on: tuple[date, ...] = ()
    sim_id: str = ""
    imsi: str = ""
    msisdn: str = ""
    ipv4: str = ""

    def __post_init__(self) -> None:
        self.sim_id = self.sim_id or self.iccid[10:19]
        number = int(self.sim_id)
        self.imsi = self.imsi or f"234500{number:09d}"
        self.msisdn = self.msisdn or f"882360{number:09d}"
        self.ipv4 = self.ipv4 or f"100.{64 + (number >> 16 & 63)}.{number >> 8 & 255}.{number & 255}"

    def used_by_day(self, day: date) -> int:
        """Return the bytes of one day."""
        if day in self.used_on:
            return 1_024
        draws = Draws("onomondo usage", self.iccid, day.isoformat())
        is_replaced = self.silent_from is not None and day >= self.silent_from
        is_idle = self.imei is None or is_replaced or draws.below(100) < IDLE_PERCENT
        return 0 if is_idle else 1 + draws.below(900_000)

    def is_online(self, day: date) -> bool:
        """True if the network sees the SIM on that day."""
        is_replaced = self.silent_from is not None and day >= self.silent_from
        return self.activated and self.imei is not None and (not is_replaced or day in self.used_on)

    def limit(self, now: datetime) -> dict[str, Any]:
        """Return the limit as records have it."""
        period = {"hourly": f"{now:%Y%m%d%H}", "daily": f"{now:%Y%m%d}"}.get(self.limit_type, f"{now:%Y%m}")
        told = {"used": self.used_bytes, "total": self.limit_bytes, "type": self.limit_type, "period": period}
        return told | {"alert_threshold": None, "resets_at": None}

    def as_dict(self) -> dict[str, Any]:
        """Return every field by name, for JSON."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        days = {"silent_from": self.silent_from and self.silent_from.isoformat()}
        lists = {"tags": [tag.name for tag in self.tags], "used_on": [day.isoformat() for day in self.used_on]}
        return values | days | lists


def made_sim(seed: int, serial: int) -> SimulatedOnomondoSim:
    """Make the SIM of a serial number, which a seed names."""
    draws = Draws("onomondo sim", seed, serial)
    body = f"{ICCID_PREFIX}{(seed * 10_007 + serial) % 10**9:09d}"
    hardware = f"35{draws.below(10**12):012d}"
    label, imei = LABELS[serial % len(LABELS)], hardware + luhn_digit(hardware)
    limit_type, limit_bytes = LIMITS[serial % len(LIMITS)]
    return SimulatedOnomondoSim(
        iccid=body + luhn_digit(body),
        activated=serial % 7 != 6,  # noqa: PLR2004 - every seventh is off
        label=None if label is None else label.format(unit=serial),
        imei=None if serial % 11 == 10 else imei,  # noqa: PLR2004 - every eleventh was never in a device
        imei_lock=imei if serial % 13 == 12 else None,  # noqa: PLR2004 - every thirteenth is locked
        tags=TAGS[serial % len(TAGS)],
        limit_bytes=limit_bytes,
        limit_type=limit_type,
        used_bytes=draws.below(limit_bytes),
    )
