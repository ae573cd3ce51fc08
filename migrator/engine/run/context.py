"""Context of a run: carriers, plan, and ways to stop."""

import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Generic, TypeVar

import anyio
import anyio.lowlevel

from migrator.core.campaign.notices import Notice
from migrator.core.plan.plan import PlanHeader
from migrator.core.policy.policy import Policy
from migrator.core.run.control import Order, OrderKind, Signs, halted_by
from migrator.core.run.results import ExitCode
from migrator.core.run.states import RunEvent, StepKind
from migrator.core.run.steps import Item
from migrator.engine.run.around import Around
from migrator.errors import Interrupted, LookAgain, NotSent
from migrator.ports import (
    LONGEST_CLAIM_S,
    Answer,
    Clock,
    MigrationJournal,
    Progress,
    Request,
    TargetOrder,
    TargetPlatform,
    Vouch,
)

__all__ = ["ApplyOptions", "Context", "Hooks", "RunContext", "RunOptions", "SteadyClock", "Stopper", "quiet"]

ORDER_POLL_S = 1.0
"""Seconds between two checks of a paused run for a new order."""

SLEEP_SLICE_S = 5.0
"""Seconds between two checks for orders during a wait for a carrier.

Before a request, orders are always checked.
"""

LOOK_HOLDS_S = 5.0
"""Seconds for which a look at the lease is believed.

They count from before the look: a process may be stopped while it waits for the store's answer.
"""

NAP_S = 1.0
"""Least gain of the host's clock that counts as a nap.

The gain is in seconds, compared with the process's own seconds. The machine slept, or its clock was set forward.
"""

LONG_PAUSE_S = 60.0
"""Length of a pause after which a run reads the target anew.

People work at the carrier's console meanwhile.
"""


@dataclass(slots=True)
class SteadyClock:
    """Clock that does not move when the host's clock is set.

    The host's clock is read once, and the time that passes since is counted separately. Waits of the engine are
    differences of journaled times. If the host's clock were set forward during a wait, the wait would be over too
    early.
    """

    clock: Clock
    _began: tuple[datetime, float] | None = field(default=None, init=False)  # by the clock, and by anyio's
    _ahead_s: float = field(default=0.0, init=False)  # how far the host's clock was ahead of this one
    _naps: list[tuple[float, float]] = field(default_factory=list, init=False)  # when, and how long

    def now(self) -> datetime:
        """Return the time in UTC.

        The clock runs from the first call on, and only within one event loop.
        """
        here_s, host = anyio.current_time(), self.clock.now()
        if self._began is None:
            self._began = (host, here_s)
        at, began_s = self._began
        now = at + timedelta(seconds=here_s - began_s)
        self._note_nap(now.timestamp(), (host - now).total_seconds())
        return now

    def age_s(self, at_s: float) -> float:
        """Return the seconds since `at_s`, a time by this clock.

        The greater of two ages counts: by this clock, and by the host's own. The seconds of a process stand still while
        the machine sleeps; the host's clock may be set back.
        """
        now_s = self.now().timestamp()
        return now_s - at_s + sum(nap_s for ended_at, nap_s in self._naps if ended_at > at_s)

    def latest(self) -> datetime:
        """Return the latest time in UTC that it may be.

        It is for times that another process reads. The naps of the machine count here: the next process reads the
        host's clock, to which they belong. It never goes back.
        """
        return self.now() + timedelta(seconds=sum(nap_s for _, nap_s in self._naps))

    def waited_s(self, since_s: float, until_s: float) -> float:
        """Return the seconds that surely passed between two times by `latest`.

        It is for waits that must not be cut short. Naps do not count: the host's clock may have been set forward. A
        `since_s` that is later than `until_s` was noted by a clock that was set back since: the wait then counts from
        the first call of `now`.
        """
        if since_s > until_s and self._began is not None:
            since_s = self._began[0].timestamp()
        passed_s, ahead_s = until_s - since_s, 0.0
        for ended_at, nap_s in self._naps:
            if since_s <= ended_at + ahead_s < until_s:
                passed_s -= nap_s
            ahead_s += nap_s
        return passed_s

    def _note_nap(self, now_s: float, ahead_s: float) -> None:
        if ahead_s - self._ahead_s > NAP_S:
            self._naps.append((now_s, ahead_s - self._ahead_s))
        self._ahead_s = ahead_s


def quiet(_event: str, _values: Mapping[str, Any]) -> None:
    """Ignore progress that nobody watches."""


Look = Callable[[str, Any], Signs]
"""Function that reads the signs for a plan, in one read.

Its second argument is who must hold the lease; None for nobody. It raises StoreBusy, if another process has the lease.
"""


def _no_signs(_plan_id: str, _holder: Any) -> Signs:
    """Return no signs: nobody steers this run."""
    return Signs()


@dataclass(slots=True)
class Stopper:
    """Stop or pause a run; checked before every request.

    A stop also ends a wait early. A request to stop comes from this process (a signal, a lost lease); orders come from
    other terminals, by the store. Lease, order and ceilings are looked at together: the store may be a machine away.

    `seconds` also pass while the machine sleeps, where it can tell.
    """

    reason: str = ""
    exit_code: int = 130
    seconds: Callable[[], float] = anyio.current_time
    _event: anyio.Event = field(default_factory=anyio.Event)
    _deadline: tuple[float, str, int] = field(
        default=(math.inf, "", 0), init=False
    )  # by anyio's clock, with the reason and exit code
    signs: Signs = field(default_factory=Signs, init=False)  # as of the last checkpoint
    _look: Look = field(default=_no_signs, init=False)
    _looked_at: float = field(default=-math.inf, init=False)  # by `seconds`, before the store was asked
    _holder: Any = field(default=None, init=False)
    _plan_id: str = field(default="", init=False)
    _ordered_by: str = field(default="", init=False)  # the plan by which the orders stand
    _command: str = field(default="apply", init=False)
    _progress: Progress = field(default=quiet, init=False)
    _paused_at: float | None = field(default=None, init=False)
    _must_look_again: bool = field(default=False, init=False)

    def watch(self, look: Look) -> None:
        """Look at the signs before each request from now on."""
        self._look = look

    def obey(
        self, look: Look, plan_id: str, progress: Progress, command: str = "apply", *, migration: str | None = None
    ) -> None:
        """Obey the orders for a plan from now on.

        Args:
            look: reads the order in force; called before every request.
            plan_id: the plan.
            progress: called when the run is paused and when the run goes on.
            command: the command that continues the plan after an abort.
            migration: the plan by which the orders stand; None for the plan itself.
        """
        self._look, self._plan_id, self._progress, self._command = look, plan_id, progress, command
        self._ordered_by = migration or plan_id

    def while_leased(self, look: Look, holder: Any) -> None:
        """Send nothing without the lease from now on.

        The lease is checked right before each request leaves. A heartbeat alone is too slow: a process that stood still
        while another process took over and claimed must not send the request that it was about to send.

        Args:
            look: raises StoreBusy, if another process has the lease.
            holder: who must have the lease.
        """
        self._look, self._holder = look, holder

    def stop(self, reason: str, exit_code: int = 130) -> None:
        """Ask the run to stop after the request in flight."""
        self.reason, self.exit_code = reason, exit_code
        self._event.set()

    def stop_after(self, seconds: float, reason: str, exit_code: int) -> None:
        """Ask the run to stop once `seconds` have passed."""
        self._deadline = (anyio.current_time() + seconds, reason, exit_code)

    @property
    def is_stopping(self) -> bool:
        """True if somebody asked to stop, or the time is up."""
        at, reason, exit_code = self._deadline
        if at < math.inf and anyio.current_time() >= at and not self._event.is_set():
            self.stop(reason, exit_code)
        return self._event.is_set()

    def check(self) -> None:
        """Stop here if somebody asked to stop.

        Raises: Interrupted.
        """
        if self.is_stopping:
            raise Interrupted(self.reason, self.exit_code)

    async def give_way(self) -> None:
        """Let other tasks run during a long scan.

        These tasks are the signals and the lease's heartbeat.

        Raises: Interrupted, if somebody asked to stop.
        """
        await anyio.lowlevel.checkpoint()
        self.check()

    async def checkpoint(self) -> bool:
        """Wait here while the run is paused.

        Returns: whether it waited.

        Raises: Interrupted, if somebody asked to stop; Halted, if the run is aborted; LookAgain, after a long pause;
            StoreBusy, if another process took the lease.
        """
        self.check()
        waited = False
        while (order := self._order()) is not None:
            if order.kind is OrderKind.ABORT:
                raise halted_by(order, self._plan_id, self._command)
            self._note_pause(order)
            waited = True
            await self._rest(ORDER_POLL_S)
        self._note_resume()
        if self._must_look_again:
            raise LookAgain("the run was paused for long, and what it knew is old", exit_code=7)
        return waited

    def _order(self) -> Order | None:
        """Look at the signs, and return the order in force."""
        self._looked_at = self.seconds()
        self.signs = self._look(self._ordered_by, self._holder)
        return self.signs.order

    def look_if_old(self) -> None:
        """Look at the lease again if the last look is old.

        Called right before a write leaves: the process, or its machine, may have stood still since, or during the look.

        Raises: StoreBusy, if another process took the lease; StoreError.
        """
        while self.seconds() - self._looked_at > LOOK_HOLDS_S:
            self._order()

    async def sleep(self, seconds: float) -> None:
        """Wait, unless asked to stop.

        Raises: as `checkpoint`, which is called every few seconds.
        """
        until = anyio.current_time() + seconds
        slice_s = SLEEP_SLICE_S if self._ordered_by else math.inf
        while (left_s := until - anyio.current_time()) > 0:
            await self._rest(min(left_s, slice_s))
            await self.checkpoint()
        self.check()

    async def over_pauses(self, body: Callable[[], Awaitable[None]]) -> None:
        """Run `body`, and restart `body` after each long pause.

        So the run reads before it sends.
        """
        while True:
            try:
                return await body()
            except (LookAgain, NotSent):
                if not self._must_look_again:
                    raise
                self._must_look_again = False

    async def _rest(self, seconds: float) -> None:
        with anyio.move_on_after(min(seconds, self._deadline[0] - anyio.current_time())):
            await self._event.wait()
        self.check()

    def _note_pause(self, order: Order) -> None:
        if self._paused_at is None:
            self._paused_at = anyio.current_time()
            self._progress("paused", {"order": str(order), "plan_id": self._plan_id})

    def _note_resume(self) -> None:
        if self._paused_at is not None:
            paused_s = anyio.current_time() - self._paused_at
            self._paused_at = None
            self._must_look_again = self._must_look_again or paused_s >= LONG_PAUSE_S
            self._progress("resumed", {"paused_s": round(paused_s)})


def _nothing(_kind: StrEnum) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Hooks:
    """Crash points around each write of a run.

    Called with the kind of write, between its intent, its effect and its outcome.
    """

    after_intent: Callable[[Any], None] = _nothing
    after_effect: Callable[[Any], None] = _nothing
    after_outcome: Callable[[Any], None] = _nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Options of one run of a plan of any kind.

    Args:
        wave: the only wave to work on; None for all.
        max_duration_s: how long to go on; None for no such limit.
        wait_s: how long to stay for SIMs that are only pending, or whose order is not proved yet.
        absent_after_s: how old the carrier's reads may be; an absence is believed only so long after an order ended.
        workers: requests in flight where several may be.
    """

    wave: str | None = None
    max_duration_s: float | None = None
    wait_s: float = 1800.0
    absent_after_s: float = 60.0
    workers: int = 8


Options = TypeVar("Options", bound=RunOptions)


@dataclass(slots=True, kw_only=True)
class RunContext(ABC, Generic[Options]):
    """Context of one run of a plan of any kind.

    Args:
        clock: the host's; the run goes by it as it was at its beginning.
        around: who may forbid an order, and who is told of the run.
    """

    run_id: int
    target: TargetPlatform
    journal: MigrationJournal
    clock: Clock
    options: Options
    stopper: Stopper
    progress: Progress = quiet
    hooks: Hooks = field(default_factory=Hooks)
    around: Around = field(default_factory=Around)
    steady: SteadyClock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = self.steady = SteadyClock(self.clock)

    def now(self) -> float:
        """Return the time in UTC seconds, as in the journal."""
        return self.clock.now().timestamp()

    @abstractmethod
    def request(self, order: Any) -> Request:
        """Return the request of an order."""

    @abstractmethod
    async def send(self, order: Any, vouch: Vouch | None) -> Answer:
        """Send an order to its carrier."""

    @abstractmethod
    def begin(self, kind: StepKind, items: Any, request: Request) -> int:
        """Commit the intent of a request, and return its id."""

    @abstractmethod
    def is_anchored(self, kind: StepKind) -> bool:
        """True if the intent must be in the store's main file first."""

    async def carry_out(self, body: Callable[[], Awaitable[None]]) -> None:
        """Run `body` to its end, within the time that the run has.

        It begins anew after each long pause.

        Raises: as `body`; Interrupted, if somebody asked to stop.
        """
        if self.options.max_duration_s is not None:
            self.stopper.stop_after(self.options.max_duration_s, "--max-duration is over", ExitCode.RESUMABLE)
        await self.stopper.over_pauses(body)

    def end(self, exit_code: ExitCode, reason: str, told: Sequence[Notice]) -> None:
        """Note the end of the run, with what is told of it."""
        event = _RUN_EVENTS.get(exit_code, RunEvent.HALT)
        self.journal.end_run(self.run_id, event, exit_code=exit_code, reason=reason, now=self.now(), told=told)


_RUN_EVENTS = {
    ExitCode.DONE: RunEvent.FINISH,
    ExitCode.ATTENTION: RunEvent.FINISH,
    ExitCode.RESUMABLE: RunEvent.STOP,
    ExitCode.INTERRUPTED: RunEvent.STOP,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyOptions(RunOptions):
    """Options of one run of `apply`.

    Args:
        max_sims: the most SIMs to claim in this run; None for no such limit.
        soaks: whether waves rest; a dry run has no time for that.
        claim_timeout_s: how long the carrier may work on an unanswered claim.
        claim_batch: SIMs in one claim, at most 2,500.
        batch: devices in one other bulk change.
        adopt_tagged: how many SIMs may be taken over that only another copy of the store can have claimed; None: none.
        is_spent: asked before each claim; True once too many units of a campaign failed, in whichever plan. None: it
            is no campaign's.
    """

    max_sims: int | None = None
    soaks: bool = True
    claim_timeout_s: float = LONGEST_CLAIM_S
    claim_batch: int = 2500
    batch: int = 500
    adopt_tagged: int | None = None
    is_spent: Callable[[], bool] | None = None


@dataclass(slots=True, kw_only=True)
class Context(RunContext[ApplyOptions]):
    """Context of one run of `apply`.

    Args:
        claimed_before: SIMs that the plan had claimed when the run began; None until that was counted.
    """

    header: PlanHeader
    policy: Policy
    claimed_before: int | None = None

    @property
    def plan_id(self) -> str:
        """Id of the plan that is applied."""
        return self.header.plan_id

    def request(self, order: TargetOrder) -> Request:
        """Return the request of an order."""
        return self.target.request(order)

    async def send(self, order: TargetOrder, vouch: Vouch | None) -> Answer:
        """Send an order to the target."""
        return await self.target.send(order, vouch=vouch)

    def begin(self, kind: StepKind, items: Sequence[Item], request: Request) -> int:
        """Commit the intent of a request, and return its id."""
        wave = items[0].change.wave if items else None
        return self.journal.begin(self.run_id, kind, [item.key for item in items], request, wave=wave, now=self.now())

    def is_anchored(self, kind: StepKind) -> bool:
        """True for claims.

        Every other order shows on the record, and may be given twice.
        """
        return kind is StepKind.CLAIM
