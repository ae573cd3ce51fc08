"""Ports of the store: the one journal, and a migration's plan."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from migrator.core.campaign.notices import Notice
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import TargetLink
from migrator.core.money.caps import Claimed
from migrator.core.plan.plan import PlanHeader
from migrator.core.run.states import RunEvent, StepEvent, StepKind, StepState
from migrator.core.run.steps import Failures, Item, JobRecord, RequestOutcome, RequestRecord, Verified
from migrator.ports.orders import Request

__all__ = [
    "Journal",
    "MigrationJournal",
    "Search",
]


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
    """Journal of every kind of plan: runs, requests and steps.

    Each call is one committed transaction; no call waits.
    """

    def start_run(self, plan_id: str, owner: str, now: float, *, ref: str = "") -> int:
        """Note that a run began, and the plan is used.

        `ref` is the change or ticket that the run is for.

        Returns: the run's id.
        """
        ...

    def end_run(
        self,
        run_id: int,
        event: RunEvent,
        *,
        exit_code: int,
        reason: str,
        now: float,
        told: Sequence[Notice] = (),
    ) -> None:
        """Note the end of a run, and who is to be told.

        Raises: LeaseLost, if another run took this run for dead.
        """
        ...

    def runs(self, plan_id: str) -> Sequence[JobRecord]:
        """Return the runs of a plan, oldest first."""
        ...

    def begin(
        self,
        run_id: int,
        kind: StepKind,
        keys: Sequence[str],
        request: Request,
        *,
        wave: str | None,
        now: float,
        before: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> int:
        """Commit the intent of a request.

        Steps move PENDING -> IN_FLIGHT, and the request is stored beside them.

        Args:
            before: by SIM key, what was read of the SIM; kept from the first order on.

        Returns: the request's id.

        Raises: LeaseLost, if another run took this run for dead; IllegalTransition, if one of the steps is not
            PENDING; PairChanged, if some SIMs are to be claimed for a
            pair that is another now; then nothing is written.
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
        proved: Sequence[str] = (),
    ) -> None:
        """Note the answer to a request.

        The same transaction notes the steps whose outcome is unknown after the answer, or proved by it.

        Args:
            in_doubt: code and message by SIM key; their steps become UNCERTAIN.
            proved: keys of SIMs; their steps become DONE.
        """
        ...

    def reclaim_in_flight(self, plan_id: str, now: float) -> int:
        """Settle what a dead process left.

        Its IN_FLIGHT steps become UNCERTAIN.

        Returns: how many.
        """
        ...

    def requests(self, plan_id: str) -> Sequence[RequestRecord]:
        """Return every write of a plan, oldest first."""
        ...

    def requests_of(self, run_id: int) -> int:
        """Count the writes that a run sent."""
        ...

    def step_counts(self, plan_id: str, wave: str | None = None) -> Mapping[tuple[StepKind, str], int]:
        """Count the steps in each state, by kind."""
        ...

    def step_codes(self, plan_id: str, wave: str | None = None) -> Mapping[tuple[StepKind, StepState, str], int]:
        """Count the steps in each state with each code, by kind."""
        ...


class MigrationJournal(Journal, Protocol):
    """Store operations on the plan of a migration, beside its journal.

    Each call is one committed transaction; no call waits.
    """

    def header(self, plan_id: str) -> PlanHeader:
        """Return the plan's header.

        Raises: InputError, if there is no such plan.
        """
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

    def sent_before(self, keys: Sequence[str]) -> frozenset[str]:
        """Return SIMs for which any plan sent something, or may have.

        The plans are all plans of the store.
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

    def claims_may_take(self, seconds: float) -> float:
        """Note how long claims may take, before one is sent.

        Returns: the longest of `seconds` and of what was noted since a claim is open, of any plan.
        """
        ...

    def server_changed(self) -> bool:
        """True if the store may lack its last intents.

        It is on another server than it was last, or on one that was promoted.
        """
        ...

    def note_server(self) -> None:
        """Note the server that the store is on now."""
        ...

    def failures(self, plan_id: str) -> Failures:
        """Count failed SIMs and begun SIMs.

        Failed SIMs are counted by wave and by code, begun SIMs by wave. A SIM that was verified in the end did not
        fail.
        """
        ...

    def gate_reached(self, plan_id: str, wave: str, now: float, *, told: Sequence[Notice] = ()) -> float:
        """Note that a wave has enough verified SIMs, and tell it.

        Returns: since when the wave has had enough of them without a break.
        """
        ...

    def gate_lost(self, plan_id: str, wave: str, now: float) -> None:
        """Note that a wave no longer has enough verified SIMs.

        Its rest begins anew when the wave has enough again.
        """
        ...
