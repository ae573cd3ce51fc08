"""Ports: all that the shell may ask of the world.

Adapters fulfil the ports; the engine knows nothing else.

Every method of a platform is one HTTP exchange unless its docstring says otherwise. Errors are those of
`errors.PlatformError`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

from migrator.core.cutover.plan import SwitchItem, SwitchKind
from migrator.core.cutover.rules import Sight
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.imei import Neighbours
from migrator.core.fleet.sims import AccountLimits, QuotaReading, SourceSim, TargetLink
from migrator.core.fleet.units import Bytes
from migrator.core.money.caps import Claimed
from migrator.core.plan.plan import DesiredState, PlanHeader, Prices
from migrator.core.run.results import Dropped
from migrator.core.run.states import RunEvent, StepEvent, StepKind, StepState
from migrator.core.run.steps import Failures, Item, JobRecord, RequestOutcome, RequestRecord, Verified

__all__ = [
    "LONGEST_CLAIM_S",
    "Account",
    "CarrierJob",
    "ChangeReply",
    "Claim",
    "ClaimReply",
    "Clock",
    "DataPlan",
    "DataSession",
    "DevicePage",
    "FieldNotes",
    "InventoryStore",
    "Journal",
    "ListPass",
    "Outgoing",
    "Progress",
    "Reading",
    "Remaining",
    "Snapshot",
    "SourcePage",
    "SourcePlatform",
    "SourceRow",
    "SourceSwitch",
    "SourceUsage",
    "SwitchJournal",
    "SwitchOrder",
    "SwitchRequest",
    "Tag",
    "TargetPlatform",
    "Vouch",
]


LONGEST_CLAIM_S = 180.0
"""Seconds that a claim of up to 2,500 SIMs may take.

We wait so long for its answer, and expect its effect for so long.
"""


Vouch = Callable[[], None]
"""Check that is called at the very moment when an order leaves.

Raises: Outdated, if what the order rests on was learned too long ago.
"""


class Clock(Protocol):
    """Dates for people and for comparison across processes. Waiting goes through anyio."""

    def now(self) -> datetime:
        """Return the time in UTC."""
        ...


# --- the source carrier -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SourceRow:
    """SIM as listed: parsed, beside the raw reply.

    `sim` is None and `problem` is set where the SIM cannot be read. `label_trouble` says why the label is not as it is
    at the carrier; empty if it is.
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


class SourcePlatform(Protocol):
    """Carrier that SIMs are moved away from. Read-only by construction."""

    @property
    def warning(self) -> str:
        """Warning about the API version in use; empty if there is none."""
        ...

    async def open(self) -> str:
        """Log in, settle the API version, and return "v1" or "v2".

        Raises: NotAuthorised, with the carrier's words.
        """
        ...

    async def page(self, number: int) -> SourcePage:
        """Read page `number` of the list.

        Pages count from 1, with 100 SIMs each. An empty page is past the end.
        """
        ...

    async def data_remaining(self, iccid: Iccid) -> Remaining:
        """Read the remaining data volume, in MB.

        A failed read is reported as such, never as zero.
        """
        ...

    async def sms_remaining(self, iccid: Iccid) -> Remaining:
        """Read the remaining SMS volume.

        A failed read is reported as such, never as zero.
        """
        ...

    async def account_limits(self) -> AccountLimits:
        """Read the monthly caps of every SIM of the account."""
        ...


class SourceUsage(Protocol):
    """Usage of single SIMs of the source.

    Read-only; a request per SIM.
    """

    async def used_days(self, iccid: Iccid, first: date, last: date) -> Mapping[date, bool] | None:
        """Read by day whether a SIM used anything.

        None where no usable answer came.
        """
        ...


@dataclass(frozen=True, slots=True)
class SwitchOrder:
    """Order to switch one SIM on or off.

    `label` and `imei_lock` are as they were read just now, and are sent with the order.
    """

    iccid: Iccid
    enabled: bool
    label: str | None
    imei_lock: bool


@dataclass(frozen=True, slots=True)
class SwitchRequest:
    """Exact request that switches SIMs, for the journal and the dry run.

    A request for a list has a list for a body.
    """

    method: str
    path: str
    body: Mapping[str, Any] | Sequence[Mapping[str, Any]]


class SourceSwitch(Protocol):
    """Port that switches SIMs at the source.

    No other port writes at the source. Only cutover and rollback have this port.
    """

    @property
    def most(self) -> int:
        """Most SIMs in one order."""
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

    async def switch(self, orders: Sequence[SwitchOrder], *, vouch: Vouch | None = None) -> None:
        """Order SIMs on or off.

        The order takes effect later, or not: only a read proves the effect.

        Raises: Permanent, where the whole order was refused; OutcomeUnknown; what `vouch` raises.
        """
        ...

    def request_switch(self, orders: Sequence[SwitchOrder]) -> SwitchRequest:
        """Return the request that `switch` will send."""
        ...


# --- the target carrier -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Account:
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
class Tag:
    """Label of the organization."""

    tag_id: int
    name: str


@dataclass(frozen=True, slots=True)
class DevicePage:
    """Page of devices, newest first.

    `cursor` is the cursor of the page after (None at the end).
    """

    links: Sequence[TargetLink]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """Bulk claim of at most 2,500 SIMs on one data plan.

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
class ClaimReply:
    """Answer to a claim; not proof.

    `claimed` maps each ICCID, as the carrier wrote it, to a device id.
    """

    claimed: Mapping[str, int | None]
    reasons: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ChangeReply:
    """Answer to a bulk change; not proof.

    `modified` None: the reply does not name the devices.
    """

    job_id: str | None = None
    modified: frozenset[int] | None = None
    warnings: Mapping[int, str] = field(default_factory=dict)


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


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Exact request of a write, for the journal and the dry run."""

    method: str
    path: str
    body: Mapping[str, Any]


class TargetPlatform(Protocol):
    """Carrier that SIMs are moved to.

    Each write has a twin in `request_*` that returns the request that the write will send.
    """

    @property
    def max_lookup(self) -> int:
        """Most ICCIDs or device ids in one look-up."""
        ...

    @property
    def page_size(self) -> int:
        """Devices on one page of the list."""
        ...

    async def account(self) -> Account:
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

    async def create_tag(self, name: str) -> Tag:
        """Make a tag. Search for its exact name in `tags` first."""
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

    async def claim(self, claim: Claim, *, vouch: Vouch | None = None) -> ClaimReply:
        """Activate SIMs. Bills at once and cannot be undone.

        A claim is never retried here, not even after a refusal.
        """
        ...

    async def set_state(
        self, device_ids: Sequence[int], state: DesiredState, *, vouch: Vouch | None = None
    ) -> ChangeReply:
        """Order devices live or paused.

        The order takes effect minutes later, or not: only the record proves the effect.
        """
        ...

    async def set_limits(
        self, device_ids: Sequence[int], *, overage_limit_bytes: Bytes | None, sms_limit: int | None
    ) -> ChangeReply:
        """Set limits: -1 for no limit, None to leave a limit alone."""
        ...

    async def link_tag(self, tag_id: int, device_ids: Sequence[int]) -> None:
        """Put a tag on devices."""
        ...

    async def set_name(self, device_id: int, name: str) -> None:
        """Name one device exactly."""
        ...

    async def set_names(self, device_ids: Sequence[int], name: str) -> None:
        """Give one exact name to several devices.

        Raises: NotAuthorised, where the organization lacks the feature.
        """
        ...

    def request_claim(self, claim: Claim) -> Outgoing:
        """Return the request that `claim` will send."""
        ...

    def request_state(self, device_ids: Sequence[int], state: DesiredState) -> Outgoing:
        """Return the request that `set_state` will send."""
        ...

    def request_limits(
        self, device_ids: Sequence[int], *, overage_limit_bytes: Bytes | None, sms_limit: int | None
    ) -> Outgoing:
        """Return the request that `set_limits` will send."""
        ...

    def request_tag(self, name: str) -> Outgoing:
        """Return the request that `create_tag` will send."""
        ...

    def request_tag_link(self, tag_id: int, device_ids: Sequence[int]) -> Outgoing:
        """Return the request that `link_tag` will send."""
        ...

    def request_name(self, device_id: int, name: str) -> Outgoing:
        """Return the request that `set_name` will send."""
        ...

    def request_names(self, device_ids: Sequence[int], name: str) -> Outgoing:
        """Return the request that `set_names` will send."""
        ...


# --- the store: inventory -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Reading of the source fleet.

    A snapshot becomes the inventory only when it is complete.

    `passes` counts finished passes over the list; `sims` is the number of distinct SIMs kept so far.
    """

    snapshot_id: int
    passes: int
    sims: int
    resumed: bool


@dataclass(frozen=True, slots=True)
class ListPass:
    """Result of one pass over the list.

    `sims` counts distinct SIMs. `first_total` and `last_total` are the totals in the first and the last reply of the
    pass.
    """

    sims: int
    unreadable: int
    first_total: int | None
    last_total: int | None
    only_in_this_pass: int
    missing_from_this_pass: int


@dataclass(frozen=True, slots=True)
class Reading:
    """Remaining volumes of one SIM.

    None stands for a service that was not read.
    """

    iccid: Iccid
    data: Remaining | None = None
    sms: Remaining | None = None


class InventoryStore(Protocol):
    """Store of snapshots of the source fleet.

    Each call is one committed transaction.
    """

    def open_snapshot(self, api_version: str, now: float) -> Snapshot:
        """Continue the snapshot that was not completed, or begin a new one.

        The inventory in force is left alone.
        """
        ...

    def pages_done(self, snapshot_id: int, pass_number: int) -> Mapping[int, int | None]:
        """Return the pages of this pass that are on disk.

        Each page is mapped to the number of pages in all that its reply reported.
        """
        ...

    def save_page(self, snapshot_id: int, pass_number: int, page: SourcePage, now: float) -> None:
        """Keep one page.

        A SIM that is there already, by its canonical ICCID, is overwritten.
        """
        ...

    def end_pass(self, snapshot_id: int, pass_number: int) -> ListPass:
        """Note the end of a pass, and compare its SIMs.

        They are compared with the totals of the pass and with the pass before.
        """
        ...

    def without_reading(self, snapshot_id: int, limit: int) -> Sequence[Iccid]:
        """Return up to `limit` SIMs whose remaining volumes were not requested yet."""
        ...

    def save_readings(self, snapshot_id: int, readings: Sequence[Reading]) -> None:
        """Keep remaining volumes."""
        ...

    def spoiled_labels(self, snapshot_id: int) -> tuple[int, Sequence[str]]:
        """Count the SIMs whose label was not read whole.

        Returns: the number of SIMs, and the first of their ICCIDs.
        """
        ...

    def save_account_limits(self, limits: AccountLimits) -> None:
        """Keep the account's monthly caps."""
        ...

    def dropped(self, snapshot_id: int, last_pass: int = 1) -> Dropped:
        """Return SIMs of the inventory that the snapshot's last pass lacks.

        The inventory is the one in force.
        """
        ...

    def last_read_at(self, snapshot_id: int) -> float | None:
        """Return the time of a snapshot's last page (UTC seconds), or None.

        None while there is no page.
        """
        ...

    def complete_snapshot(self, snapshot_id: int, last_pass: int, now: float) -> Dropped:
        """Make this snapshot the inventory in force.

        SIMs that the last pass did not list are dropped. Both happen at once.

        Returns: the SIMs that the inventory before had, and this inventory has not.
        """
        ...


# --- the journal --------------------------------------------------------------------------------------------------


class Search(Protocol):
    """Target SIMs that a read has to find.

    Fleets of any size take bounded memory. The length is the number of SIMs not seen yet.
    """

    def __len__(self) -> int: ...

    def add(self, iccids: Iterable[Iccid]) -> None:
        """Search for these SIMs, too; called before any SIM was seen."""
        ...

    def forget_later_looks(self, now: float) -> None:
        """Treat reads that were noted for a time after `now` as old.

        Only reads of these SIMs are meant. Some clock was set since such a read.
        """
        ...

    def among(self, keys: Sequence[str]) -> Mapping[str, Iccid]:
        """Return the wanted SIMs among these keys that were not seen yet."""
        ...

    def missing(self) -> Iterator[Iccid]:
        """Yield the SIMs that were not seen yet.

        `drop` may be called meanwhile.
        """
        ...

    def missing_devices(self) -> Iterator[Iccid]:
        """Return missing SIMs that were a device at the last read."""
        ...

    def drop(self, keys: Sequence[str]) -> None:
        """Note that wanted SIMs were seen for the first time."""
        ...

    def note_absent(self, *, now: float) -> None:
        """Note in the journal that all other SIMs were not seen.

        The SIMs were searched for, as of `now` (UTC seconds).
        """
        ...

    def close(self) -> None:
        """Forget the whole search."""
        ...


class Journal(Protocol):
    """Store operations that the engine asks for.

    Each call is one committed transaction; no call waits.
    """

    def header(self, plan_id: str) -> PlanHeader:
        """Return the plan's header.

        Raises: InputError, if there is no such plan.
        """
        ...

    def start_run(self, plan_id: str, owner: str, now: float) -> int:
        """Note that a run of `apply` began, and the plan is used.

        Returns: the run's id.
        """
        ...

    def end_run(self, run_id: int, event: RunEvent, *, exit_code: int, reason: str, now: float) -> None:
        """Note the end of a run."""
        ...

    def runs(self, plan_id: str) -> Sequence[JobRecord]:
        """Return the runs of a plan, oldest first."""
        ...

    def items(self, plan_id: str, *, wave: str | None = None, acting_only: bool = True) -> Iterator[Item]:
        """Yield the plan's SIMs in the best order for claims.

        Each SIM has its steps and its last observation. The order is: limits, then source ICCID, so that SIMs of equal
        limits share a claim.
        """
        ...

    def items_by_key(self, plan_id: str, keys: Sequence[str]) -> Sequence[Item]:
        """Return the items of some SIMs, in the order of `keys`."""
        ...

    def begin(
        self, run_id: int, kind: StepKind, keys: Sequence[str], outgoing: Outgoing, *, wave: str | None, now: float
    ) -> int:
        """Commit the intent of a request.

        Steps move PENDING -> IN_FLIGHT, and the request is stored beside them.

        Returns: the request's id.

        Raises: IllegalTransition, if one of the steps is not PENDING; PairChanged, if some SIMs are to be claimed for a
            pair that is another now; then nothing is written.
        """
        ...

    def into_main_file(self) -> bool:
        """Put all that was committed into the store's main file.

        The file may be carried on alone, without what SQLite keeps beside it.

        Returns: True if all is there; False while a reader is there.
        """
        ...

    def answered(
        self,
        request_id: int,
        outcome: RequestOutcome,
        *,
        now: float,
        status: int | None = None,
        job_id: str | None = None,
        message: str = "",
        in_doubt: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        """Note the answer to a request.

        The same transaction notes the steps whose outcome is unknown after the answer.

        Args:
            in_doubt: code and message by SIM key; their steps become UNCERTAIN.
        """
        ...

    def move(
        self,
        plan_id: str,
        kind: StepKind,
        event: StepEvent,
        keys: Mapping[str, tuple[str, str]],
        *,
        now: float,
        not_before: float = 0.0,
    ) -> None:
        """Move the steps of some SIMs by one event.

        SQL guards the move by the state that the steps move from.

        Args:
            keys: code and message by SIM key; both may be empty.
            not_before: UTC seconds before which the step should not be tried again.

        Raises: IllegalTransition, if the table has no such move from where a step stands; then nothing is written.
        """
        ...

    def sent_before(self, keys: Sequence[str]) -> frozenset[str]:
        """Return SIMs for which any plan sent something, or may have.

        The plans are all plans of the store.
        """
        ...

    def reclaim_in_flight(self, plan_id: str, now: float) -> int:
        """Settle what a dead process left.

        Its IN_FLIGHT steps become UNCERTAIN.

        Returns: how many.
        """
        ...

    def job_ids(self, plan_id: str, wave: str) -> frozenset[str]:
        """Return the carrier's job ids in the answers to a wave's writes."""
        ...

    def job_status(self, job_id: str, status: str) -> None:
        """Note the carrier's own word on one of its jobs."""
        ...

    def search(self, iccids: Iterable[Iccid] | None) -> Search:
        """Begin a search for some target SIMs; close it at the end.

        With None, the search is for the target SIMs that are paired with the inventory in force.
        """
        ...

    def observed(self, links: Iterable[TargetLink], absent: Iterable[Iccid], *, now: float) -> None:
        """Keep what the target showed.

        `absent` SIMs were searched for and not seen.
        """
        ...

    def verified(self, plan_id: str, results: Iterable[Verified], *, now: float) -> None:
        """Keep the results of a verification."""
        ...

    def verdicts(self, plan_id: str, wave: str | None = None, *, changing: bool = False) -> Mapping[str, int]:
        """Count acting SIMs by verdict.

        SIMs that were never verified are counted as "unread". SIMs that an operator skipped are not counted. With
        `changing`, SIMs with nothing to do are not counted either.
        """
        ...

    def step_counts(self, plan_id: str, wave: str | None = None) -> Mapping[tuple[StepKind, str], int]:
        """Count the steps in each state, by kind."""
        ...

    def failure_codes(self, plan_id: str) -> Mapping[str, int]:
        """Count the FAILED steps, by code."""
        ...

    def claims_unseen(self, plan_id: str) -> int:
        """Count SIMs that were reported as claimed but never seen.

        A reply named them as claimed, and no read ever showed them. SIMs that an operator skipped are counted, too.
        """
        ...

    def claims_made(self, org_id: int) -> Sequence[Claimed]:
        """Return the claims of each begun plan of an organization, oldest first.

        Claims that a plan may have made are counted, too.
        """
        ...

    def failures(self, plan_id: str) -> Failures:
        """Count failed SIMs and begun SIMs.

        Failed SIMs are counted by wave and by code, begun SIMs by wave. A SIM that was verified in the end did not
        fail.
        """
        ...

    def gate_reached(self, plan_id: str, wave: str, now: float) -> float:
        """Note that a wave has enough verified SIMs.

        Returns: since when the wave has had enough of them without a break.
        """
        ...

    def gate_lost(self, plan_id: str, wave: str, now: float) -> None:
        """Note that a wave no longer has enough verified SIMs.

        Its rest begins anew when the wave has enough again.
        """
        ...

    def requests(self, plan_id: str) -> Sequence[RequestRecord]:
        """Return every write of a plan, oldest first."""
        ...


class FieldNotes(Protocol):
    """Notes on the units in the field that a plan concerns."""

    def last_uses(self, keys: Iterable[str]) -> Mapping[str, date]:
        """Return the last noted day of use of old SIMs, by key."""
        ...

    def neighbours(self, bodies: Iterable[str | None]) -> Neighbours:
        """Return the SIMs that were seen in some hardware."""
        ...


class SwitchJournal(Protocol):
    """Store operations that cutover and rollback ask for.

    Each call is one committed transaction; no call waits.
    """

    def items(self, switch_id: str, wave: str | None) -> Iterator[SwitchItem]:
        """Yield the SIMs of one wave that are to be switched.

        Each SIM has its steps. The order is that of the plan.
        """
        ...

    def items_by_key(self, switch_id: str, keys: Sequence[str]) -> Sequence[SwitchItem]:
        """Return the items of some SIMs, in the order of `keys`."""
        ...

    def begin(
        self,
        run_id: int,
        kind: SwitchKind,
        before: Mapping[str, Mapping[str, Any]],
        sent: SwitchRequest,
        *,
        now: float,
    ) -> int:
        """Commit the intent of a request.

        Steps move PENDING -> IN_FLIGHT, and the request is stored beside them.

        Args:
            before: by SIM key, what was read of the SIM; kept from the first order on.

        Returns: the request's id.

        Raises: IllegalTransition, if one of the steps is not PENDING; then nothing is written.
        """
        ...

    def into_main_file(self) -> bool:
        """Put all that was committed into the store's main file.

        The file may be carried on alone, without what SQLite keeps beside it.

        Returns: True if all is there; False while a reader is there.
        """
        ...

    def answered(
        self,
        request_id: int,
        outcome: RequestOutcome,
        *,
        now: float,
        status: int | None = None,
        job_id: str | None = None,
        message: str = "",
    ) -> None:
        """Note the answer to a request."""
        ...

    def move(
        self, switch_id: str, kind: SwitchKind, event: StepEvent, keys: Mapping[str, tuple[str, str]], *, now: float
    ) -> None:
        """Move steps by one event, each with a code and words.

        SQL guards the move.

        Raises: IllegalTransition.
        """
        ...

    def reclaim_in_flight(self, switch_id: str, now: float) -> int:
        """Settle what a dead process left.

        Its IN_FLIGHT steps become UNCERTAIN.

        Returns: how many.
        """
        ...

    def labels_in_force(self, keys: Sequence[str]) -> Mapping[str, str | None]:
        """Return the labels of some SIMs, by key.

        The labels are those of the inventory in force. SIMs that the inventory does not hold are left out.
        """
        ...

    def unsettled_elsewhere(self, switch_id: str, keys: Sequence[str]) -> frozenset[str]:
        """Return SIMs with an order of another plan whose outcome is unknown.

        Such an order may still take effect.
        """
        ...

    def step_counts(self, switch_id: str, wave: str | None = None) -> Mapping[tuple[SwitchKind, StepState, str], int]:
        """Count the steps in each state, by kind and code."""
        ...

    def requests_of(self, run_id: int) -> int:
        """Count the writes that a run sent."""
        ...

    def end_run(self, run_id: int, event: RunEvent, *, exit_code: int, reason: str, now: float) -> None:
        """Note the end of a run."""
        ...


Progress = Callable[[str, Mapping[str, Any]], None]
"""Function that is called with an event's name and its values.

The calls are for progress bars, `--events` and logs.
"""
