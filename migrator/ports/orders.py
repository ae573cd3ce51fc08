"""Orders: one record for each write at a carrier.

No answer to an order is proof: only a later read proves its effect.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.units import Bytes
from migrator.core.plan.plan import DesiredState

__all__ = [
    "LONGEST_CLAIM_S",
    "AddTag",
    "Answer",
    "Claim",
    "MakeTag",
    "RemoveTag",
    "Request",
    "SetLimits",
    "SetName",
    "SetNames",
    "SetSourceState",
    "SetState",
    "SourceSimState",
    "Tag",
    "TakesOrders",
    "TargetOrder",
    "Vouch",
]

LONGEST_CLAIM_S = 180.0
"""Seconds that a claim of up to 2,500 SIMs may take.

This is the default of `MIGRATOR_CLAIM_TIMEOUT_S`.

We wait so long for its answer, and expect its effect for so long.
"""

Vouch = Callable[[], None]
"""Check that is called at the very moment when an order leaves.

Raises: Outdated, if what the order rests on was learned too long ago.
"""


# --- orders to the target -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """Bulk claim of at most 2,500 SIMs on one data plan.

    A claim bills at once and cannot be undone. An adapter never retries a claim, not even after a refusal.

    Limits are -1 for no limit, None to leave the limit out.
    """

    iccids: Sequence[Iccid]
    org_id: int
    data_plan_id: int
    zone: str
    tag_id: int | None = None
    overage_limit_bytes: Bytes | None = None
    sms_limit: int | None = None


@dataclass(frozen=True, slots=True)
class MakeTag:
    """Make a tag. Search for its exact name among the tags first.

    The answer has the tag. An answer that does not show the tag counts as lost.
    """

    name: str


@dataclass(frozen=True, slots=True)
class SetState:
    """Order devices live or paused.

    The order takes effect minutes later, or not: only the record proves the effect.
    """

    device_ids: Sequence[int]
    state: DesiredState


@dataclass(frozen=True, slots=True)
class SetLimits:
    """Set limits: -1 for no limit, None to leave a limit alone."""

    device_ids: Sequence[int]
    overage_limit_bytes: Bytes | None
    sms_limit: int | None


@dataclass(frozen=True, slots=True)
class AddTag:
    """Put a tag on devices."""

    tag_id: int
    device_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class RemoveTag:
    """Take a tag off devices; the tag itself stays."""

    tag_id: int
    device_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class SetName:
    """Name one device exactly."""

    device_id: int
    name: str


@dataclass(frozen=True, slots=True)
class SetNames:
    """Give one exact name to several devices.

    Organizations without the feature are refused.
    """

    device_ids: Sequence[int]
    name: str


TargetOrder = Claim | MakeTag | SetState | SetLimits | AddTag | RemoveTag | SetName | SetNames
"""Any order to the target."""


# --- orders to the source -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SourceSimState:
    """State that one SIM is to have at the source.

    `label` and `imei_lock` are as they were read just now, and are sent with the order.
    """

    iccid: Iccid
    enabled: bool
    label: str | None
    imei_lock: bool


@dataclass(frozen=True, slots=True)
class SetSourceState:
    """Order to switch SIMs on or off at the source.

    The order takes effect later, or not: only a read proves the effect.
    """

    sims: Sequence[SourceSimState]


# --- what leaves, and what comes back -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """Exact request of an order, for the journal and the dry run.

    A request for a list has a list for a body.
    """

    method: str
    path: str
    body: Mapping[str, Any] | Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Tag:
    """Label of the organization."""

    tag_id: int
    name: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer of a carrier to an order; not proof.

    Args:
        job_id: the carrier's job, if the order became one.
        modified: the devices that a bulk change changed; None where the reply does not name them.
        warnings: the carrier's words on devices that a bulk change left alone.
        claimed: the device id of each claimed ICCID, as the carrier wrote it.
        reasons: the carrier's words on ICCIDs that it did not claim; the source's on SIMs, by key, whose switching it
            told of as failed, or not at all.
        tag: the tag that was made.
    """

    job_id: str | None = None
    modified: frozenset[int] | None = None
    warnings: Mapping[int, str] = field(default_factory=dict)
    claimed: Mapping[str, int | None] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    tag: Tag | None = None


OrderT_contra = TypeVar("OrderT_contra", contravariant=True)


class TakesOrders(Protocol[OrderT_contra]):
    """Carrier that takes orders. No other method of a port writes."""

    def request(self, order: OrderT_contra) -> Request:
        """Return the very request that `send` will send.

        Raises: InputError, for an order that must not leave.
        """
        ...

    async def send(self, order: OrderT_contra, *, vouch: Vouch | None = None) -> Answer:
        """Send an order.

        It is sent again here only after a refusal that surely did nothing, and a claim never.

        Raises: Permanent, where the whole order was refused, NotAuthorised also where the organization lacks the
            feature; OutcomeUnknown; what `vouch` raises.
        """
        ...
