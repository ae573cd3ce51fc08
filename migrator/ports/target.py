"""Port of the target carrier, which SIMs are moved to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import TargetLink
from migrator.core.fleet.units import Bytes
from migrator.core.plan.plan import Prices
from migrator.ports.orders import Tag, TakesOrders, TargetOrder

__all__ = [
    "CarrierJob",
    "DataPlan",
    "DataSession",
    "DevicePage",
    "TargetIdentity",
    "TargetPlatform",
]


@dataclass(frozen=True, slots=True)
class TargetIdentity:
    """Our identity at the target.

    `permissions` and `features` are None where the carrier does not report them.
    """

    user_id: int | None
    email: str
    org_id: int
    org_name: str
    permissions: frozenset[str] | None
    features: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class DataPlan:
    """Data plan with its prices.

    `zones` maps each zone's exact key to its prices. `included_bytes` 0 is a flat rate, not a zero cap.
    """

    data_plan_id: int
    name: str
    enabled: bool
    included_bytes: Bytes
    zones: Mapping[str, Prices]


@dataclass(frozen=True, slots=True)
class DevicePage:
    """Page of devices, newest first.

    `cursor` is the cursor of the page after (None at the end).
    """

    links: Sequence[TargetLink]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class CarrierJob:
    """Entry of the carrier's job list.

    `status` is the carrier's free text.
    """

    job_id: str
    status: str
    action: str


@dataclass(frozen=True, slots=True)
class DataSession:
    """Data session of a link.

    `at_s` is when the session began (UTC seconds). `imei` is that of the hardware, if reported.
    """

    link_id: int
    at_s: float
    bytes_used: int | None = None
    imei: str | None = None


class TargetPlatform(TakesOrders[TargetOrder], Protocol):
    """Carrier that SIMs are moved to."""

    @property
    def max_lookup(self) -> int:
        """Most ICCIDs or device ids in one look-up."""
        ...

    @property
    def page_size(self) -> int:
        """Devices on one page of the list."""
        ...

    async def account(self) -> TargetIdentity:
        """Read our identity, in two exchanges.

        Raises: NotAuthorised; InputError, if the organization is not ours.
        """
        ...

    async def balance(self) -> Decimal | None:
        """Read the money that the account can spend.

        None where there is no balance to read (invoiced organizations).
        """
        ...

    async def data_plans(self) -> Sequence[DataPlan]:
        """Read every data plan of the organization (follows pages)."""
        ...

    async def tags(self) -> Sequence[Tag]:
        """Read every tag of the organization."""
        ...

    async def device_count(self) -> int | None:
        """Read the number of devices that the organization has.

        None where the carrier does not report the number.
        """
        ...

    async def devices(self, cursor: str | None = None) -> DevicePage:
        """Read one page of the organization's devices, newest first."""
        ...

    async def links_by_iccid(self, iccids: Sequence[Iccid]) -> Sequence[TargetLink]:
        """Read the links of at most `max_lookup` ICCIDs.

        The result has only links that we may see, and names no tags.
        """
        ...

    async def devices_by_id(self, device_ids: Sequence[int]) -> Sequence[TargetLink]:
        """Read the devices of at most `max_lookup` ids, with tags."""
        ...

    async def jobs(self) -> Sequence[CarrierJob] | None:
        """Read the carrier's job list.

        None where the list is not ours to read (403), which is no trouble.
        """
        ...

    async def data_sessions(self, link_id: int, *, since_s: float) -> Sequence[DataSession] | None:
        """Read the newest data sessions of a link; one page, no more.

        The sessions began at `since_s` (UTC seconds) or later. None where usage is not ours to read.
        """
        ...
