"""Fleets from a seed, with every shape that the reference describes.

The shares of the shapes are such that even a small fleet shows all shapes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TypeVar

from migrator.carriers.onence.simulator import traits
from migrator.carriers.onence.simulator.model import SimStatus, SimulatedSourceSim
from migrator.carriers.simulation.chance import Draws
from migrator.core.fleet.identifiers import luhn_digit

__all__ = ["FleetGenerator"]

T = TypeVar("T")

LARGEST_FLEET = 10_000_000
BATCH = 10
"""Number of SIMs that were provisioned in the same second.

Nine of the ten recorded SIMs were provisioned so.
"""
MICRO = 1_000_000
SMS_PER_TOP_UP = 250
DAYS_SURELY_EXPIRED = 3760  # a little more than 10 years and 3 months


@dataclass(frozen=True, slots=True)
class FleetGenerator:
    """Maker of the SIM of a serial number.

    The same seed and epoch make the same SIM. Each trait takes its turn through its table, from a start that the seed
    names: 101 SIMs in a row show every entry.

    Args:
        seed: a whole number.
        epoch: the simulator's today; nothing was activated after it.
    """

    seed: int
    epoch: datetime

    def sim(self, serial: int) -> SimulatedSourceSim:
        """Make the SIM of `serial`, which counts from 0."""
        draws = Draws("sim", self.seed, serial)
        status = self._turn("status", traits.STATUSES, serial)
        platform2 = self._turn("platform2", traits.PLATFORM2, serial) and status is not SimStatus.EXPIRED
        sim = SimulatedSourceSim(
            iccid=self.iccid(serial),
            status=status,
            label=self._label(serial, draws),
            imei=self._imei(serial, draws),
            imei_lock=self._turn("lock", traits.LOCKS, serial),
            activated_at=self._activated_at(serial, status, platform2=platform2),
            platform2=platform2,
        )
        self._add_volumes(sim, serial, draws)
        self._add_extras(sim, serial)
        return sim

    def iccid(self, serial: int) -> str:
        """Return the 19 digits of the ICCID of a serial number.

        The last eight digits are the SIM's own.
        """
        prefix = self._turn("prefix", traits.ICCID_PREFIXES, serial)
        return f"{prefix}{self._first_tail + serial:08d}"

    def serial(self, iccid: str) -> int | None:
        """Return the serial number that goes with `iccid`, or None.

        None means that no SIM of this seed can have this ICCID.
        """
        if not (iccid.isascii() and iccid.isdigit()):
            return None
        serial = int(iccid[-8:]) - self._first_tail
        return serial if serial >= 0 and self.iccid(serial) == iccid else None

    @property
    def _first_tail(self) -> int:
        return self.seed * 1_000_003 % (10**8 - LARGEST_FLEET) + 1

    def _turn(self, trait: str, table: Sequence[T], serial: int) -> T:
        return table[(serial + _offset(trait) * (self.seed + 1)) % len(table)]

    def _label(self, serial: int, draws: Draws) -> str | None:
        template = self._turn("label", traits.LABELS, serial)
        line, box = draws.below(1000), draws.below(40) + 1
        return None if template is None else template.format(unit=serial, line=line, box=box)

    def _imei(self, serial: int, draws: Draws) -> str | None:
        template = self._turn("imei", traits.IMEIS, serial)
        body, version = draws.below(10**12), draws.below(100)
        if template is None:
            return None
        return template.format(body=body, version=version, check=luhn_digit(f"35{body:012d}"))

    def _activated_at(self, serial: int, status: SimStatus, *, platform2: bool) -> datetime:
        """Return the date of activation.

        SIMs of Platform 2.0 are less than 46 days old. Expired SIMs are older than a lifetime. The rest is in between.
        """
        draws = Draws("batch", self.seed, serial // BATCH)
        days, seconds = 60 + draws.below(2900), draws.below(86_400)
        if status is SimStatus.EXPIRED:
            days = DAYS_SURELY_EXPIRED + days % 500
        elif platform2:
            days = 1 + days % 45
        return self.epoch - timedelta(days=days, seconds=seconds)

    def _add_volumes(self, sim: SimulatedSourceSim, serial: int, draws: Draws) -> None:
        data, sms, top_up = self._turn("quota", traits.QUOTAS, serial)
        data_total, sms_total = data * MICRO, sms
        if top_up:
            data_total, sms_total = top_up * MICRO + draws.below(99 * MICRO), SMS_PER_TOP_UP + draws.below(50)
            sim.data_since_top_up_mb, sim.sms_since_top_up = _from_millionths(data_total), Decimal(sms_total)
        data_left, sms_left = data_total, sms_total
        if sim.imei is not None:  # what was never in a device has used nothing
            data_left = _data_left(self._turn("data left", traits.DATA_LEFT, serial), data_total, draws)
            sms_left = _sms_left(self._turn("sms left", traits.SMS_LEFT, serial), sms_total, draws)
        sim.data_quota_mb, sim.data_remaining_mb = Decimal(data), _from_millionths(data_left)
        sim.sms_quota, sim.sms_remaining = Decimal(sms), Decimal(sms_left)

    def _add_extras(self, sim: SimulatedSourceSim, serial: int) -> None:
        extra = self._turn("extra", traits.EXTRAS, serial)
        sim.shows_check_digit = extra != ""
        if extra == "second imsi":
            sim.imsi_2 = f"4600751{sim.iccid[-8:]}"
            sim.current_imsi = sim.imsi_2 if serial % 2 else sim.imsi


@cache
def _offset(trait: str) -> int:
    """Return a number for the name of a trait.

    So not all tables are entered at the same place.
    """
    return sum(trait.encode())


def _data_left(kind: str, total: int, draws: Draws) -> int:
    """Return the rest of `total`, both in millionths of a MB."""
    fifth = total // 5
    if kind == "fraction":
        return fifth + 1 + draws.below(total - fifth)
    if kind == "whole":
        return (fifth // MICRO + 1 + draws.below((total - fifth) // MICRO)) * MICRO
    if kind == "low":
        return 1 + draws.below(fifth - 1)
    return 0 if kind == "none" else -1 - draws.below(3 * MICRO)


def _sms_left(kind: str, total: int, draws: Draws) -> int:
    fifth = total // 5
    if kind == "whole":
        return fifth + 1 + draws.below(total - fifth)
    if kind == "low":
        return 1 + draws.below(fifth - 1)
    return total if kind == "full" else 0


def _from_millionths(amount: int) -> Decimal:
    return Decimal(amount) / MICRO
