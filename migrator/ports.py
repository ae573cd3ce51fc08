"""All that the shell may ask of the world. Adapters fulfil these; the executor knows nothing else.

Every method of a platform is one HTTP exchange unless it says otherwise. Errors are those of `errors.PlatformError`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

from migrator.core.caps import Claimed
from migrator.core.cutover import Sight
from migrator.core.fleet import AccountLimits, QuotaReading, SourceSim, TargetLink
from migrator.core.hardware import Neighbours
from migrator.core.identifiers import Iccid
from migrator.core.journal import Failures, Item, JobRecord, RequestOutcome, RequestRecord, Verified
from migrator.core.plan import DesiredState, PlanHeader, Prices
from migrator.core.results import Dropped
from migrator.core.states import RunEvent, StepEvent, StepKind, StepState
from migrator.core.switch_plan import SwitchItem, SwitchKind
from migrator.core.units import Bytes

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
"""How long a claim of up to 2,500 SIMs may take: we wait so long for its answer, and reckon so long with its effect."""


Vouch = Callable[[], None]
"""Asked at the very moment at which an order leaves. Raises: Outdated, if what it rests on was learned too long ago."""


class Clock(Protocol):
    """Dates for people and for comparison across processes. Waiting goes through anyio."""

    def now(self) -> datetime:
        """The time in UTC."""
        ...


# --- the source carrier -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One SIM as listed: parsed, beside the raw reply. `sim` None and `problem` set where it cannot be read.

    `label_trouble` says why its label is not as it is at the carrier; empty if it is.
    """

    raw: Mapping[str, Any]
    sim: SourceSim | None
    problem: str = ""
    label_trouble: str = ""


@dataclass(frozen=True, slots=True)
class SourcePage:
    """One page of the list. `total_sims` and `total_pages` are None where the reply did not tell.

    `is_full`: it has as many rows as a page can have, so that there may be more behind it.
    """

    number: int
    rows: Sequence[SourceRow]
    total_sims: int | None = None
    total_pages: int | None = None
    is_full: bool = False


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left of one service's volume: MB or a count, and when it ends as the carrier wrote it."""

    reading: QuotaReading
    volume: Decimal | None = None
    expires_at: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)


class SourcePlatform(Protocol):
    """A carrier that SIMs are moved away from. Read-only by construction."""

    @property
    def warning(self) -> str:
        """What a person should know about the API version that is spoken; empty if nothing."""
        ...

    async def open(self) -> str:
        """Log in, settle which API version is spoken, and name it ("v1" or "v2").

        Raises: NotAuthorised, with the carrier's words.
        """
        ...

    async def page(self, number: int) -> SourcePage:
        """Page `number` (from 1) of the list, 100 SIMs each; an empty page is past the end."""
        ...

    async def data_remaining(self, iccid: Iccid) -> Remaining:
        """What is left of the data volume, in MB. A failed read is told as such, never as zero."""
        ...

    async def sms_remaining(self, iccid: Iccid) -> Remaining:
        """What is left of the SMS volume. A failed read is told as such, never as zero."""
        ...

    async def account_limits(self) -> AccountLimits:
        """The monthly caps that apply to every SIM of the account."""
        ...


class SourceUsage(Protocol):
    """Tells what single SIMs of the source use. Read-only; a request per SIM."""

    async def used_days(self, iccid: Iccid, first: date, last: date) -> Mapping[date, bool] | None:
        """By day, whether a SIM used anything; None where no usable answer came."""
        ...


@dataclass(frozen=True, slots=True)
class SwitchOrder:
    """One SIM to be switched on or off. `label` and `imei_lock` are as they were read just now, and go out with it."""

    iccid: Iccid
    enabled: bool
    label: str | None
    imei_lock: bool


@dataclass(frozen=True, slots=True)
class SwitchRequest:
    """The very request that switches SIMs: for the journal, and for the dry run. A list has a list for a body."""

    method: str
    path: str
    body: Mapping[str, Any] | Sequence[Mapping[str, Any]]


class SourceSwitch(Protocol):
    """Switches SIMs at the source: the only port that writes there, held by cutover and rollback alone."""

    @property
    def most(self) -> int:
        """The most SIMs in one order."""
        ...

    async def open(self) -> str:
        """Log in, settle which API version is spoken, and name it. Raises: NotAuthorised."""
        ...

    async def look(self, iccid: Iccid) -> Sight:
        """Read one SIM as it is now. Raises: Transient and kin, where no usable answer came."""
        ...

    async def used_days(
        self, iccid: Iccid, first: date, last: date, *, insists: bool = False
    ) -> Mapping[date, bool] | None:
        """By day, whether a SIM used anything; None where no usable answer came.

        With `insists`, what may pass is no such answer. Raises: Transient, then.
        """
        ...

    async def switch(self, orders: Sequence[SwitchOrder], *, vouch: Vouch | None = None) -> None:
        """Order SIMs on or off. It takes effect later, or not: only a look proves it.

        Raises: Permanent, where the whole order was refused; OutcomeUnknown; what `vouch` raises.
        """
        ...

    def request_switch(self, orders: Sequence[SwitchOrder]) -> SwitchRequest:
        """What `switch` will send."""
        ...


# --- the target carrier -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Account:
    """Who we are at the target. `permissions` and `features` are None where the carrier does not tell them."""

    user_id: int | None
    email: str
    org_id: int
    org_name: str
    permissions: frozenset[str] | None
    features: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class DataPlan:
    """A tariff; `zones` maps each zone's exact key to its prices. `included_bytes` 0 is a flat rate, not a zero cap."""

    data_plan_id: int
    name: str
    enabled: bool
    included_bytes: Bytes
    zones: Mapping[str, Prices]


@dataclass(frozen=True, slots=True)
class Tag:
    """A label of the organization."""

    tag_id: int
    name: str


@dataclass(frozen=True, slots=True)
class DevicePage:
    """Devices, newest first, and the cursor of the page after (None at the end)."""

    links: Sequence[TargetLink]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """One bulk claim: at most 2,500 SIMs on one plan. Limits are -1 for none, None to leave them out."""

    iccids: Sequence[Iccid]
    org_id: int
    data_plan_id: int
    zone: str
    tag_id: int | None = None
    overage_limit_bytes: Bytes | None = None
    sms_limit: int | None = None


@dataclass(frozen=True, slots=True)
class ClaimReply:
    """What a claim was answered; not proof. `claimed` maps ICCID as the carrier wrote it to device id."""

    claimed: Mapping[str, int | None]
    reasons: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ChangeReply:
    """What a bulk change was answered; not proof. `modified` None: the reply does not say which devices."""

    job_id: str | None = None
    modified: frozenset[int] | None = None
    warnings: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CarrierJob:
    """One entry of the carrier's job list; `status` is free text of theirs."""

    job_id: str
    status: str
    action: str


@dataclass(frozen=True, slots=True)
class DataSession:
    """One data session of a link. `at_s` is when it began (UTC seconds); `imei` of the hardware, if told."""

    link_id: int
    at_s: float
    bytes_used: int | None = None
    imei: str | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """The very request that a write will send: for the journal, and for the dry run."""

    method: str
    path: str
    body: Mapping[str, Any]


class TargetPlatform(Protocol):
    """A carrier that SIMs are moved to. Each write has a twin in `request_*` that says what it will send."""

    @property
    def max_lookup(self) -> int:
        """The most ICCIDs or device ids in one look-up."""
        ...

    @property
    def page_size(self) -> int:
        """Devices on one page of the list."""
        ...

    async def account(self) -> Account:
        """Who we are (two exchanges). Raises: NotAuthorised; InputError, if the organization is not ours."""
        ...

    async def balance(self) -> Decimal | None:
        """What the account can spend; None where there is no balance to read (invoiced organizations)."""
        ...

    async def data_plans(self) -> Sequence[DataPlan]:
        """Every tariff of the organization (follows pages)."""
        ...

    async def tags(self) -> Sequence[Tag]:
        """Every tag of the organization."""
        ...

    async def create_tag(self, name: str) -> Tag:
        """Make a tag. Look for its exact name in `tags` first."""
        ...

    async def device_count(self) -> int | None:
        """How many devices the organization has; None where the carrier does not tell."""
        ...

    async def devices(self, cursor: str | None = None) -> DevicePage:
        """One page of the organization's devices, newest first."""
        ...

    async def links_by_iccid(self, iccids: Sequence[Iccid]) -> Sequence[TargetLink]:
        """The links among at most `max_lookup` ICCIDs that we may see. Names no tags."""
        ...

    async def devices_by_id(self, device_ids: Sequence[int]) -> Sequence[TargetLink]:
        """The devices among at most `max_lookup` ids, with tags."""
        ...

    async def jobs(self) -> Sequence[CarrierJob] | None:
        """The carrier's job list; None where it is not ours to read (403), which is no trouble."""
        ...

    async def data_sessions(self, link_id: int, *, since_s: float) -> Sequence[DataSession] | None:
        """The newest data sessions of a link that began at `since_s` (UTC seconds) or later; one page, no more.

        None where usage is not ours to read.
        """
        ...

    async def claim(self, claim: Claim, *, vouch: Vouch | None = None) -> ClaimReply:
        """Activate SIMs: bills at once and cannot be undone. Never retried here, not even after a refusal."""
        ...

    async def set_state(
        self, device_ids: Sequence[int], state: DesiredState, *, vouch: Vouch | None = None
    ) -> ChangeReply:
        """Order devices live or paused. Takes effect minutes later, or not: only the record proves it."""
        ...

    async def set_limits(
        self, device_ids: Sequence[int], *, overage_limit_bytes: Bytes | None, sms_limit: int | None
    ) -> ChangeReply:
        """Set limits: -1 for none, None to leave one alone."""
        ...

    async def link_tag(self, tag_id: int, device_ids: Sequence[int]) -> None:
        """Put a tag on devices."""
        ...

    async def set_name(self, device_id: int, name: str) -> None:
        """Name one device exactly."""
        ...

    async def set_names(self, device_ids: Sequence[int], name: str) -> None:
        """Give one exact name to several devices. Raises: NotAuthorised, where the organization lacks the feature."""
        ...

    def request_claim(self, claim: Claim) -> Outgoing:
        """What `claim` will send."""
        ...

    def request_state(self, device_ids: Sequence[int], state: DesiredState) -> Outgoing:
        """What `set_state` will send."""
        ...

    def request_limits(
        self, device_ids: Sequence[int], *, overage_limit_bytes: Bytes | None, sms_limit: int | None
    ) -> Outgoing:
        """What `set_limits` will send."""
        ...

    def request_tag(self, name: str) -> Outgoing:
        """What `create_tag` will send."""
        ...

    def request_tag_link(self, tag_id: int, device_ids: Sequence[int]) -> Outgoing:
        """What `link_tag` will send."""
        ...

    def request_name(self, device_id: int, name: str) -> Outgoing:
        """What `set_name` will send."""
        ...

    def request_names(self, device_ids: Sequence[int], name: str) -> Outgoing:
        """What `set_names` will send."""
        ...


# --- the store: inventory -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One reading of the source fleet. It becomes the inventory only when it is complete.

    `passes` counts finished passes over the list; `sims` is the number of distinct SIMs kept so far.
    """

    snapshot_id: int
    passes: int
    sims: int
    resumed: bool


@dataclass(frozen=True, slots=True)
class ListPass:
    """What one pass over the list brought: distinct SIMs, and the totals told by its first and its last reply."""

    sims: int
    unreadable: int
    first_total: int | None
    last_total: int | None
    only_in_this_pass: int
    missing_from_this_pass: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What remains for one SIM; a service that was not asked about is None."""

    iccid: Iccid
    data: Remaining | None = None
    sms: Remaining | None = None


class InventoryStore(Protocol):
    """Where a snapshot of the source fleet is kept. Each call is one committed transaction."""

    def open_snapshot(self, api_version: str, now: float) -> Snapshot:
        """Go on with the snapshot that was not completed, or begin one; the inventory in force is left alone."""
        ...

    def pages_done(self, snapshot_id: int, pass_number: int) -> Mapping[int, int | None]:
        """The pages that this pass has on disk, and how many pages in all each reply told."""
        ...

    def save_page(self, snapshot_id: int, pass_number: int, page: SourcePage, now: float) -> None:
        """Keep one page; a SIM that is there already is overwritten, by its canonical ICCID."""
        ...

    def end_pass(self, snapshot_id: int, pass_number: int) -> ListPass:
        """Note that a pass is over, and compare it with its own totals and with the pass before."""
        ...

    def without_reading(self, snapshot_id: int, limit: int) -> Sequence[Iccid]:
        """Up to `limit` SIMs whose remaining volumes were not asked for yet."""
        ...

    def save_readings(self, snapshot_id: int, readings: Sequence[Reading]) -> None:
        """Keep what remains."""
        ...

    def spoiled_labels(self, snapshot_id: int) -> tuple[int, Sequence[str]]:
        """How many SIMs have a label that was not read whole, and the first of their ICCIDs."""
        ...

    def save_account_limits(self, limits: AccountLimits) -> None:
        """Keep the account's monthly caps."""
        ...

    def dropped(self, snapshot_id: int, last_pass: int = 1) -> Dropped:
        """What the inventory in force has, and the last pass of this snapshot has not."""
        ...

    def last_read_at(self, snapshot_id: int) -> float | None:
        """When the last page of a snapshot came (UTC seconds); None while there is none."""
        ...

    def complete_snapshot(self, snapshot_id: int, last_pass: int, now: float) -> Dropped:
        """Drop SIMs that the last pass did not list, and make this the inventory in force, at once.

        Returns: what the inventory before had, and this one has not.
        """
        ...


# --- the journal --------------------------------------------------------------------------------------------------


class Search(Protocol):
    """The target SIMs that a read is after, fleets of any size in bounded memory. Its length: those not seen yet."""

    def __len__(self) -> int: ...

    def add(self, iccids: Iterable[Iccid]) -> None:
        """Look for these, too; called before anything was seen."""
        ...

    def forget_later_looks(self, now: float) -> None:
        """Take looks at these SIMs that were noted for a later time than `now` for old ones: some clock was set."""
        ...

    def among(self, keys: Sequence[str]) -> Mapping[str, Iccid]:
        """Those of these keys that are wanted and were not seen yet."""
        ...

    def missing(self) -> Iterator[Iccid]:
        """What was not seen yet; `drop` may be called meanwhile."""
        ...

    def missing_devices(self) -> Iterator[Iccid]:
        """Those of what is missing that were somebody's device at the last look."""
        ...

    def drop(self, keys: Sequence[str]) -> None:
        """Note that some were seen, which were wanted and not seen before."""
        ...

    def note_absent(self, *, now: float) -> None:
        """Keep in the journal that all others were looked for and not seen, as of `now` (UTC seconds)."""
        ...

    def close(self) -> None:
        """Forget it all."""
        ...


class Journal(Protocol):
    """What the executor asks of the store. Each call is one committed transaction; none of them waits."""

    def header(self, plan_id: str) -> PlanHeader:
        """The plan's header. Raises: InputError, if there is no such plan."""
        ...

    def start_run(self, plan_id: str, owner: str, now: float) -> int:
        """Note that a run of `apply` began, and that the plan is in use. Returns: the run's id."""
        ...

    def end_run(self, run_id: int, event: RunEvent, *, exit_code: int, reason: str, now: float) -> None:
        """Note how a run ended."""
        ...

    def runs(self, plan_id: str) -> Sequence[JobRecord]:
        """The runs of a plan, oldest first."""
        ...

    def items(self, plan_id: str, *, wave: str | None = None, acting_only: bool = True) -> Iterator[Item]:
        """The plan's SIMs with steps and last observation, in the order in which they are best claimed.

        That order is: limits, then source ICCID, so that SIMs of equal limits share a claim.
        """
        ...

    def items_by_key(self, plan_id: str, keys: Sequence[str]) -> Sequence[Item]:
        """The same for some SIMs, in the order of `keys`."""
        ...

    def begin(
        self, run_id: int, kind: StepKind, keys: Sequence[str], outgoing: Outgoing, *, wave: str | None, now: float
    ) -> int:
        """Commit the intent: steps PENDING -> IN_FLIGHT and the request beside them. Returns: the request's id.

        Raises: IllegalTransition, if one of the steps is not PENDING; PairChanged, if some SIMs are to be claimed for a
            pair that is another now; then nothing is written.
        """
        ...

    def into_main_file(self) -> bool:
        """Put all that was committed into the store's main file. Returns: whether it is there; False while a reader is.

        The file may be carried on alone, without what SQLite keeps beside it.
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
        """Note what a request was answered, and in the same transaction what that leaves in doubt.

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
        """Move the steps of some SIMs by one event, guarded in SQL by the state they move from.

        Args:
            keys: code and message by SIM key; both may be empty.
            not_before: UTC seconds before which the step should not be tried again.

        Raises: IllegalTransition, if the table has no such move from where a step stands; then nothing is written.
        """
        ...

    def sent_before(self, keys: Sequence[str]) -> frozenset[str]:
        """Those of some SIMs for which any plan of the store sent something, or may have."""
        ...

    def reclaim_in_flight(self, plan_id: str, now: float) -> int:
        """Settle what a dead process left: its IN_FLIGHT steps become UNCERTAIN. Returns: how many."""
        ...

    def job_ids(self, plan_id: str, wave: str) -> frozenset[str]:
        """The carrier's job ids among the answers to a wave's writes."""
        ...

    def job_status(self, job_id: str, status: str) -> None:
        """Note the carrier's own word on one of its jobs."""
        ...

    def search(self, iccids: Iterable[Iccid] | None) -> Search:
        """Begin to look for some target SIMs, or for those paired with the inventory in force; close it at the end."""
        ...

    def observed(self, links: Iterable[TargetLink], absent: Iterable[Iccid], *, now: float) -> None:
        """Keep what the target showed; `absent` were looked for and not seen."""
        ...

    def verified(self, plan_id: str, results: Iterable[Verified], *, now: float) -> None:
        """Keep the results of a verification."""
        ...

    def verdicts(self, plan_id: str, wave: str | None = None, *, changing: bool = False) -> Mapping[str, int]:
        """How many acting SIMs have each verdict; those never verified are counted as "unread".

        SIMs that an operator set aside are not counted; with `changing`, nor are those with nothing to do.
        """
        ...

    def step_counts(self, plan_id: str, wave: str | None = None) -> Mapping[tuple[StepKind, str], int]:
        """How many steps stand in each state, by kind."""
        ...

    def failure_codes(self, plan_id: str) -> Mapping[str, int]:
        """How many steps FAILED, by code."""
        ...

    def claims_unseen(self, plan_id: str) -> int:
        """How many SIMs a reply named as claimed and no read ever showed, set aside by an operator or not."""
        ...

    def claims_made(self, org_id: int) -> Sequence[Claimed]:
        """What each begun plan of an organization has claimed, or may have, oldest first."""
        ...

    def failures(self, plan_id: str) -> Failures:
        """The SIMs that failed and were not verified in the end, by wave and by code, and those begun, by wave."""
        ...

    def gate_reached(self, plan_id: str, wave: str, now: float) -> float:
        """Note that a wave has enough verified SIMs. Returns: since when it has had them without a break."""
        ...

    def gate_lost(self, plan_id: str, wave: str, now: float) -> None:
        """Note that a wave no longer has enough verified SIMs: its rest begins anew when it has."""
        ...

    def requests(self, plan_id: str) -> Sequence[RequestRecord]:
        """Every write of a plan, oldest first."""
        ...


class FieldNotes(Protocol):
    """What is known of the units in the field that a plan is about."""

    def last_uses(self, keys: Iterable[str]) -> Mapping[str, date]:
        """The last day of use that was noted of some old SIMs, by key."""
        ...

    def neighbours(self, bodies: Iterable[str | None]) -> Neighbours:
        """Who was seen in some hardware."""
        ...


class SwitchJournal(Protocol):
    """What cutover and rollback ask of the store. Each call is one committed transaction; none of them waits."""

    def items(self, switch_id: str, wave: str | None) -> Iterator[SwitchItem]:
        """The SIMs of one wave that are to be switched, with steps, in the order of the plan."""
        ...

    def items_by_key(self, switch_id: str, keys: Sequence[str]) -> Sequence[SwitchItem]:
        """The same for some SIMs, in the order of `keys`."""
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
        """Commit the intent: steps PENDING -> IN_FLIGHT and the request beside them. Returns: the request's id.

        Args:
            before: by SIM key, what was read of it; kept from the first order on.

        Raises: IllegalTransition, if one of the steps is not PENDING; then nothing is written.
        """
        ...

    def into_main_file(self) -> bool:
        """Put all that was committed into the store's main file. Returns: whether it is there; False while a reader is.

        The file may be carried on alone, without what SQLite keeps beside it.
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
        """Note what a request was answered."""
        ...

    def move(
        self, switch_id: str, kind: SwitchKind, event: StepEvent, keys: Mapping[str, tuple[str, str]], *, now: float
    ) -> None:
        """Move steps by one event, each with a code and words, guarded in SQL. Raises: IllegalTransition."""
        ...

    def reclaim_in_flight(self, switch_id: str, now: float) -> int:
        """Settle what a dead process left: its IN_FLIGHT steps become UNCERTAIN. Returns: how many."""
        ...

    def labels_in_force(self, keys: Sequence[str]) -> Mapping[str, str | None]:
        """The labels that the inventory in force has for some SIMs, by key; SIMs that it does not hold are left out."""
        ...

    def unsettled_elsewhere(self, switch_id: str, keys: Sequence[str]) -> frozenset[str]:
        """Which of some SIMs have an order of another plan whose outcome nobody knows: it may yet take effect."""
        ...

    def step_counts(self, switch_id: str, wave: str | None = None) -> Mapping[tuple[SwitchKind, StepState, str], int]:
        """How many steps stand in each state, by kind and code."""
        ...

    def requests_of(self, run_id: int) -> int:
        """How many writes a run sent."""
        ...

    def end_run(self, run_id: int, event: RunEvent, *, exit_code: int, reason: str, now: float) -> None:
        """Note how a run ended."""
        ...


Progress = Callable[[str, Mapping[str, Any]], None]
"""Told what happens: an event's name and its values. For progress bars, `--events` and logs."""
