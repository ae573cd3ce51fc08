"""Ports of the source carrier, which SIMs are moved away from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

from migrator.core.cutover.rules import Sight
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import AccountLimits, QuotaReading, SourceSim
from migrator.ports.orders import SetSourceState, TakesOrders

__all__ = [
    "Reading",
    "Remaining",
    "SourceControl",
    "SourcePage",
    "SourcePlatform",
    "SourceReads",
    "SourceRow",
    "SourceSight",
    "SourceUsage",
    "SourceWrites",
]


@dataclass(frozen=True, slots=True)
class SourceRow:
    """SIM as listed: parsed, beside the raw reply.

    `raw` is without PIN and PUK. `sim` is None and `problem` is set where the SIM cannot be read. `label_trouble` says
    why the label is not as it is at the carrier; empty if it is.
    """

    raw: Mapping[str, Any]
    sim: SourceSim | None
    problem: str = ""
    label_trouble: str = ""


@dataclass(frozen=True, slots=True)
class SourcePage:
    """Page of the list.

    `total_sims` and `total_pages` are None where the reply did not report them.

    `is_full`: the page has as many rows as a page can have, so that more may follow.
    """

    number: int
    rows: Sequence[SourceRow]
    total_sims: int | None = None
    total_pages: int | None = None
    is_full: bool = False


@dataclass(frozen=True, slots=True)
class Remaining:
    """Volume that is left of one service.

    The volume is in MB or a count. `expires_at` is the end of the volume as the carrier wrote it.
    """

    reading: QuotaReading
    volume: Decimal | None = None
    expires_at: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """Answer about one SIM to what the list does not tell.

    `data` and `sms` are its remaining volumes; None stands for a service that was not read. `sim` is the SIM by its own
    record, None where the carrier has no record that tells more than the list.
    """

    iccid: Iccid
    data: Remaining | None = None
    sms: Remaining | None = None
    sim: SourceSim | None = None


class SourcePlatform(Protocol):
    """Carrier that SIMs are moved away from. Read-only by construction."""

    @property
    def name(self) -> str:
        """Name of the carrier for people."""
        ...

    @property
    def warning(self) -> str:
        """Warning about the API version in use; empty if there is none."""
        ...

    @property
    def capless(self) -> str:
        """Words for an account whose monthly data cap is not told."""
        ...

    @property
    def calls_per_reading(self) -> int:
        """Requests that the reading of one SIM takes."""
        ...

    async def open(self) -> str:
        """Log in, settle the API version, and return its name.

        Raises: NotAuthorised, with the carrier's words.
        """
        ...

    async def page(self, number: int) -> SourcePage:
        """Read page `number` of the list.

        Pages count from 1. An empty page is past the end. Every row's raw record has its ICCID as `iccid`, by which the
        reader knows the row again.
        """
        ...

    async def reading(self, iccid: Iccid) -> Reading:
        """Read of one SIM what the list does not tell.

        A failed read is reported as such, never as zero. The trouble of one SIM stays with that SIM.

        Raises: NotAuthorised, for a login that fails, which is everybody's trouble.
        """
        ...

    async def account_limits(self) -> AccountLimits:
        """Read the monthly caps of every SIM of the account.

        A carrier without such caps has none.
        """
        ...


class SourceUsage(Protocol):
    """Usage of single SIMs of the source. Read-only."""

    @property
    def uses_by_day(self) -> bool:
        """True if the use of a SIM takes a request a day."""
        ...

    async def used_days(self, iccid: Iccid, first: date, last: date) -> Mapping[date, bool] | None:
        """Read by day whether a SIM used anything.

        None where no usable answer came.
        """
        ...


class SourceSight(SourceUsage, Protocol):
    """Reads of single SIMs of the source, as they are now."""

    async def open(self) -> str:
        """Log in, settle the API version, and return its name.

        Raises: NotAuthorised.
        """
        ...

    async def look(self, iccid: Iccid) -> Sight:
        """Read one SIM as it is now.

        Raises: Transient and kin, where no usable answer came.
        """
        ...

    async def session(self, iccid: Iccid) -> str | None:
        """Read the carrier's word for the SIM's session.

        A network may show a session for some time after it ended. None where no usable answer came.
        """
        ...


class SourceReads(SourcePlatform, SourceUsage, Protocol):
    """Reads of a source, but for single SIMs as they are now."""


class SourceControl(TakesOrders[SetSourceState], Protocol):
    """Port that switches SIMs at the source.

    No other port writes at the source. Only cutover and rollback have this port.
    """

    @property
    def most(self) -> int:
        """Most SIMs in one order."""
        ...

    @property
    def writes_back(self) -> bool:
        """True if an order carries label and IMEI lock, too.

        Then a SIM is not ordered whose label or lock was not read. Else an order changes the status alone.
        """
        ...

    async def open(self) -> str:
        """Log in, settle the API version, and return its name.

        Raises: NotAuthorised.
        """
        ...

    async def look(self, iccid: Iccid) -> Sight:
        """Read one SIM as it is now.

        Raises: Transient and kin, where no usable answer came.
        """
        ...

    async def used_days(
        self, iccid: Iccid, first: date, last: date, *, insists: bool = False
    ) -> Mapping[date, bool] | None:
        """Read by day whether a SIM used anything.

        None where no usable answer came. With `insists`, trouble that may pass does not give None.

        Raises: Transient, for such trouble, with `insists`.
        """
        ...


class SourceWrites(SourceControl, SourceSight, Protocol):
    """Questions and orders of a cutover about single SIMs."""
