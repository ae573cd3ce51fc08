"""SIMs of 1NCE, SIMs of Hologram, and pairs, in carrier-neutral words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from migrator.core.fleet.identifiers import Eid, Iccid
from migrator.core.fleet.records import record
from migrator.core.fleet.unit_facts import UnitFacts
from migrator.core.fleet.units import Bytes, megabytes

__all__ = [
    "NO_NEWS",
    "ONENCE",
    "AccountLimits",
    "Candidate",
    "DataLimit",
    "LimitPeriod",
    "LinkState",
    "Pair",
    "PairValues",
    "QuotaReading",
    "Selects",
    "SourceAccount",
    "SourceSim",
    "SourceStatus",
    "TargetLink",
    "ToldVolumes",
    "Unread",
    "data_limit",
    "link_state",
    "source_status",
    "volume_words",
]


ONENCE = "1NCE"
"""Name of the source of stores and plans that name none."""


@dataclass(frozen=True, slots=True)
class SourceAccount:
    """Carrier whose SIMs an inventory lists, and its account there.

    Args:
        name: the carrier's name for people.
        account: tells one account from another, and holds no secret; None where nobody told it, as for a file.
    """

    name: str
    account: str | None = None


class SourceStatus(StrEnum):
    """On/off status at the source: one value for many spellings."""

    ENABLED = "enabled"  # may connect
    DISABLED = "disabled"  # switched off by a person
    EXPIRED = "expired"  # its lifetime is over
    UNKNOWN = "unknown"  # a word we do not know: never acted on


_SOURCE_STATUS = {
    "enabled": SourceStatus.ENABLED,
    "activated": SourceStatus.ENABLED,
    "disabled": SourceStatus.DISABLED,
    "deactivated": SourceStatus.DISABLED,
    "expired": SourceStatus.EXPIRED,
}


def source_status(word: str | None) -> SourceStatus:
    """Return the status that a kept word stands for.

    Files, filters, plans and journals have such words; replies are read by each carrier's wire.py. A carrier whose
    words are none of these gives its SIMs ours ("enabled") for `status_word`.

    Source: list and single-SIM replies and the portal disagree (Enabled, Activated; Disabled, Deactivated; Expired);
    the reference's section 16.1 maps them so, in any case. Read 2026-11-20.
    """
    return _SOURCE_STATUS.get((word or "").strip().lower(), SourceStatus.UNKNOWN)


class LinkState(StrEnum):
    """Meaning of the `state` of a Hologram link."""

    LIVE = "live"  # can pass data
    PAUSED_USER = "paused"  # paused by a person; billed; `live` brings it back
    PAUSED_SYSTEM = "paused_by_system"  # balance or a limit; leaves by itself, not through the API
    PENDING_LIVE = "pending_live"  # being activated or resumed: locked
    PENDING_PAUSE = "pending_pause"  # being paused: locked
    PENDING_OTHER = "pending_other"  # some other move: locked
    TEST = "test_mode"  # Test Mode: not claimed for live use yet
    RETIRED = "retired"  # DEAD, for ever
    INVENTORY = "inventory"  # never activated
    UNKNOWN = "unknown"  # a word we do not know: never acted on

    @property
    def is_pending(self) -> bool:
        """True while the carrier is still moving the link.

        The link takes no orders meanwhile.
        """
        return self in {LinkState.PENDING_LIVE, LinkState.PENDING_PAUSE, LinkState.PENDING_OTHER}


_LINK_STATE_PREFIXES = (  # the first that fits wins
    ("PAUSED-SYS", LinkState.PAUSED_SYSTEM),
    ("PAUSED-BY-SYS", LinkState.PAUSED_SYSTEM),
    ("PAUSED", LinkState.PAUSED_USER),
    ("LIVE", LinkState.LIVE),
    ("TEST", LinkState.TEST),
    ("FACTORY", LinkState.TEST),
    ("DEAD", LinkState.RETIRED),
    ("INACTIVE", LinkState.INVENTORY),
)


@lru_cache(maxsize=256)  # a carrier has a dozen words, and a fleet a million SIMs
def link_state(word: str | None) -> LinkState:
    """Return the state that one of Hologram's words stands for.

    Source: the robust classifier of the reference's section 8. PENDING anywhere is transitional, and the first word
    gives its target; else the prefix decides; else the state is unknown, which is never acted on. Read 2026-11-20.
    """
    state = (word or "").strip().upper().replace("_", "-")
    if "PENDING" in state:
        if state.startswith("LIVE"):
            return LinkState.PENDING_LIVE
        return LinkState.PENDING_PAUSE if state.startswith("PAUSE") else LinkState.PENDING_OTHER
    return next((meaning for prefix, meaning in _LINK_STATE_PREFIXES if state.startswith(prefix)), LinkState.UNKNOWN)


class QuotaReading(StrEnum):
    """Result of reading what *remains* of a SIM's volume.

    A failed read is never a zero.
    """

    NOT_READ = "not_read"  # nobody asked
    READ = "read"  # the remaining values are the carrier's
    NO_RECORD = "no_record"  # the carrier answered that it has none
    FAILED = "failed"  # asked, and no usable answer came


NO_NEWS = (QuotaReading.NOT_READ, QuotaReading.FAILED)
"""Readings that say nothing of what remains.

An earlier reading still counts then.
"""


class LimitPeriod(StrEnum):
    """Period after which a source's data limit begins anew."""

    HOURLY = "hourly"
    DAILY = "daily"
    MONTHLY = "monthly"
    OTHER = "other"  # a word we do not know: no limit is made of it


@dataclass(frozen=True, slots=True)
class DataLimit:
    """Limit of one SIM's data at the source, in bytes a period.

    `word` is our word for the period; the carrier's, where we do not know it. A monthly limit is one of Hologram's,
    byte for byte; what becomes of the others is the policy's choice.
    """

    volume: Bytes
    period: LimitPeriod
    word: str


_PERIODS = {period.value: period for period in LimitPeriod if period is not LimitPeriod.OTHER}


def data_limit(volume: Bytes, word: str) -> DataLimit:
    """Return a limit, by a word for its period.

    The word is ours, or the carrier's.
    """
    period = _PERIODS.get(word.strip().lower())
    return DataLimit(volume, LimitPeriod.OTHER, word) if period is None else DataLimit(volume, period, period.value)


def volume_words(volume_mb: Decimal | str, source: str) -> str:
    """Return a volume in words: in 1NCE's MB, or in bytes.

    `volume_mb` is in MB of 1,048,576 bytes, which another source may not mean by a MB.
    """
    return f"{volume_mb} MB" if source == ONENCE else f"{megabytes(Decimal(volume_mb))} bytes"


@record
class SourceSim:
    """SIM of the source fleet.

    `None` is a value that the carrier did not give. `status_word` is a word that `source_status` reads as `status`, or
    any word where that is unknown.

    Volumes are in 1NCE's MB (decimal, up to six digits). `data_quota_mb` and `sms_quota` are the booked totals for the
    SIM's lifetime. `data_remaining_mb` and `sms_remaining` are what is left (may be negative). `status_before` is set
    where a cutover of ours switched the SIM off. It is the status before the cutover, and the SIM is planned by it.
    `facts` are what people noted of the SIM's unit, set where a plan is made. `data_limit` and `tags` are set by
    carriers that have a limit of each SIM and names on SIMs.
    """

    iccid: Iccid
    status: SourceStatus
    status_word: str
    label: str | None = None
    imsi: str | None = None
    msisdn: str | None = None
    imei: str | None = None
    imei_lock: bool | None = None
    ip_address: str | None = None
    activated_at: str | None = None
    data_quota_mb: Decimal | None = None
    sms_quota: Decimal | None = None
    data_reading: QuotaReading = QuotaReading.NOT_READ
    data_remaining_mb: Decimal | None = None
    sms_reading: QuotaReading = QuotaReading.NOT_READ
    sms_remaining: Decimal | None = None
    expires_at: str | None = None
    status_before: SourceStatus | None = None
    facts: UnitFacts | None = None
    data_limit: DataLimit | None = None
    tags: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ToldVolumes:
    """Kinds of volumes of which some SIM of the inventory has one.

    `data` and `sms` are booked volumes, `data_left` and `sms_left` what is left of them, `data_limit` is a limit of a
    SIM's own. `tags` are names on SIMs.
    """

    data: bool
    data_left: bool
    sms: bool
    sms_left: bool
    data_limit: bool
    tags: bool


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """Monthly caps at 1NCE, the same for every SIM of the account.

    None: no limit is set, or none was reported.
    """

    data_mb: Decimal | None = None
    sms_mo: Decimal | None = None


@record
class Pair:
    """Source SIM and the SIM that takes its place.

    `origin` says where the pair was written: a file and line, or a pool. `eid` is the chip that holds the target's
    profile, None where nobody gave the EID.
    """

    source: Iccid
    target: Iccid
    origin: str
    eid: Eid | None = None


PairValues: TypeAlias = tuple[str, str, str, str, str, str | None]
"""Pair as plain values, for pairs by the million.

The values are: source key and ICCID, target key and ICCID, origin, EID.
"""


@record
class TargetLink:
    """SIM as Hologram shows it: the device and its enabled profile.

    `overage_limit_bytes` and `sms_limit` are -1 where the carrier says that there is no limit, and None where the
    carrier said nothing. `device_id` is None for a SIM that was never claimed. `tags` are names, None where the reply
    has none. `imei` is the hardware that the SIM was last seen in. `other_iccids` are those of the device's further
    profiles: an ICCID printed on a card may be one of them. `test_ends_at` is the planned end of a SIM's Test Mode.
    `raw` is the carrier's own record, without PIN and PUK.
    """

    iccid: Iccid
    org_id: int | None
    device_id: int | None
    link_id: int | None
    state: LinkState
    state_word: str
    name: str | None = None
    overage_limit_bytes: Bytes | None = None
    sms_limit: int | None = None
    data_plan_id: int | None = None
    zone: str | None = None
    tags: frozenset[str] | None = None
    claimed_at: str | None = None
    last_connected_at: str | None = None
    imei: str | None = None
    other_iccids: tuple[Iccid, ...] = ()
    test_ends_at: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def is_claimed(self) -> bool:
        """True if somebody activated the SIM.

        A claim is what makes a device (reference, section 2).
        """
        return self.device_id is not None

    def is_held_by(self, org_id: int) -> bool:
        """True if the SIM is claimed for this organization.

        A record that names no organization comes from our own list.
        """
        return self.is_claimed and self.org_id in {None, org_id}


class Candidate(NamedTuple):  # made in half the time of a frozen dataclass, a million times
    """Source SIM, its pair, and the target's record of the paired SIM.

    `target` None with `target_read` True: the pair's ICCID was searched for and is not on our organization.
    `migrated_before`: an earlier plan of this store claimed a SIM for this source SIM, or sent a claim whose outcome is
    unknown.
    """

    sim: SourceSim
    pair: Pair | None = None
    target: TargetLink | None = None
    target_read: bool = False
    migrated_before: bool = False


Selects: TypeAlias = Callable[[Candidate], bool]
"""Test: True if a plan acts on the SIM."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Unreadable words with their number of SIMs, most frequent first.

    Each word is as it came. Volumes are by 1NCE's field.
    """

    statuses: dict[str, int] = field(default_factory=dict)
    volumes: dict[str, dict[str, int]] = field(default_factory=dict)
