"""What every part of a run shares: the world, the plan, and the ways in which it may have to stop."""

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import anyio
import anyio.lowlevel

from migrator.core.plan.plan import PlanHeader
from migrator.core.policy.policy import Policy
from migrator.core.run.control import Order, OrderKind, halted_by
from migrator.core.run.states import StepKind
from migrator.errors import Interrupted, LookAgain, NotSent
from migrator.ports import Clock, Journal, Progress, TargetPlatform

__all__ = ["ApplyOptions", "Context", "Hooks", "SteadyClock", "Stopper", "quiet"]

ORDER_POLL_S = 1.0
"""How often a paused run looks whether it may go on."""

SLEEP_SLICE_S = 5.0
"""How often a run that waits for a carrier looks for orders; before a request it always does."""

NAP_S = 1.0
"""How much the host's clock must gain on a process's own seconds to tell that the machine slept, or was set forward."""

LONG_PAUSE_S = 60.0
"""A pause after which a run reads the target side anew: people do things at the carrier's console meanwhile."""


@dataclass(slots=True)
class SteadyClock:
    """A clock that no step of the host's own moves: it is read once, and what passes since is counted beside it.

    Waits of the engine are differences of journaled times; were the host's clock set forward in their midst, they
    would be over too early.
    """

    clock: Clock
    _began: tuple[datetime, float] | None = field(default=None, init=False)  # by the clock, and by anyio's
    _ahead_s: float = field(default=0.0, init=False)  # how far the host's clock was ahead of this one
    _naps: list[tuple[float, float]] = field(default_factory=list, init=False)  # when, and how long

    def now(self) -> datetime:
        """The time in UTC. It runs from the first call on, and only within one event loop."""
        here_s, host = anyio.current_time(), self.clock.now()
        if self._began is None:
            self._began = (host, here_s)
        at, began_s = self._began
        now = at + timedelta(seconds=here_s - began_s)
        self._note_nap(now.timestamp(), (host - now).total_seconds())
        return now

    def age_s(self, at_s: float) -> float:
        """How long ago `at_s` was, a time by this clock: by this clock and the host's own, whichever says more.

        The seconds of a process stand still while the machine sleeps; the host's clock may be set back.
        """
        now_s = self.now().timestamp()
        return now_s - at_s + sum(nap_s for ended_at, nap_s in self._naps if ended_at > at_s)

    def _note_nap(self, now_s: float, ahead_s: float) -> None:
        if ahead_s - self._ahead_s > NAP_S:
            self._naps.append((now_s, ahead_s - self._ahead_s))
        self._ahead_s = ahead_s


def quiet(_event: str, _values: Mapping[str, Any]) -> None:
    """Progress that nobody watches."""


def _at_ease() -> None:
    """The lease of a process that needs none."""


def _no_order() -> Order | None:
    """What a run is told that nobody steers."""
    return None


@dataclass(slots=True)
class Stopper:
    """What may stop or hold a run; looked at before every request, and it cuts waiting short.

    A request to stop comes from this process (a signal, a lost lease); orders come from other terminals, by the store.
    """

    reason: str = ""
    exit_code: int = 130
    _event: anyio.Event = field(default_factory=anyio.Event)
    _deadline: tuple[float, str, int] = field(
        default=(math.inf, "", 0), init=False
    )  # by anyio's clock, with the reason and exit code
    _must_hold_lease: Callable[[], None] = field(default=_at_ease, init=False)
    _order: Callable[[], Order | None] = field(default=_no_order, init=False)
    _plan_id: str = field(default="", init=False)
    _command: str = field(default="apply", init=False)
    _progress: Progress = field(default=quiet, init=False)
    _paused_at: float | None = field(default=None, init=False)
    _must_look_again: bool = field(default=False, init=False)

    def obey(self, order: Callable[[], Order | None], plan_id: str, progress: Progress, command: str = "apply") -> None:
        """From now on obey the orders for a plan.

        Args:
            order: reads the order in force; called before every request.
            plan_id: the plan.
            progress: told when the run is paused and when it goes on.
            command: what goes on with the plan after an abort.
        """
        self._order, self._plan_id, self._progress, self._command = order, plan_id, progress, command

    def while_leased(self, must_hold_lease: Callable[[], None]) -> None:
        """From now on send nothing without the lease: it is looked at right before each request leaves.

        A heartbeat alone is too slow: a process that stood still while another took over and claimed must not send
        what it was about to.

        Args:
            must_hold_lease: raises StoreBusy, if another process has it.
        """
        self._must_hold_lease = must_hold_lease

    def stop(self, reason: str, exit_code: int = 130) -> None:
        """Ask the run to stop after the request in flight."""
        self.reason, self.exit_code = reason, exit_code
        self._event.set()

    def stop_after(self, seconds: float, reason: str, exit_code: int) -> None:
        """Ask the run to stop once so much time has passed."""
        self._deadline = (anyio.current_time() + seconds, reason, exit_code)

    @property
    def is_stopping(self) -> bool:
        """Whether somebody asked to stop, or the time is up."""
        at, reason, exit_code = self._deadline
        if at < math.inf and anyio.current_time() >= at and not self._event.is_set():
            self.stop(reason, exit_code)
        return self._event.is_set()

    def check(self) -> None:
        """Raises: Interrupted, if somebody asked to stop."""
        if self.is_stopping:
            raise Interrupted(self.reason, self.exit_code)

    async def give_way(self) -> None:
        """Let others have their turn in the midst of a long scan: signals, and the lease's heartbeat.

        Raises: Interrupted, if somebody asked to stop.
        """
        await anyio.lowlevel.checkpoint()
        self.check()

    async def checkpoint(self) -> bool:
        """Stand still here while the run is paused. Returns: whether it did.

        Raises: Interrupted, if somebody asked to stop; Halted, if the run is aborted; LookAgain, after a long pause;
            StoreBusy, if another process took the lease.
        """
        self.check()
        self._must_hold_lease()
        waited = False
        while (order := self._order()) is not None:
            if order.kind is OrderKind.ABORT:
                raise halted_by(order, self._plan_id, self._command)
            self._note_pause(order)
            waited = True
            await self._rest(ORDER_POLL_S)
            self._must_hold_lease()
        self._note_resume()
        if self._must_look_again:
            raise LookAgain("the run was paused for long, and what it knew is old", exit_code=7)
        return waited

    async def sleep(self, seconds: float) -> None:
        """Wait, unless asked to stop. Raises: as `checkpoint`, which is asked every few seconds."""
        until = anyio.current_time() + seconds
        slice_s = math.inf if self._order is _no_order else SLEEP_SLICE_S
        while (left_s := until - anyio.current_time()) > 0:
            await self._rest(min(left_s, slice_s))
            await self.checkpoint()
        self.check()

    async def over_pauses(self, body: Callable[[], Awaitable[None]]) -> None:
        """Run `body`, and from its beginning again after each pause that was long: it reads before it sends."""
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


def _nothing(_kind: StepKind) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Hooks:
    """Crash points: called with the kind of write, between its intent, its effect and its outcome."""

    after_intent: Callable[[StepKind], None] = _nothing
    after_effect: Callable[[StepKind], None] = _nothing
    after_outcome: Callable[[StepKind], None] = _nothing


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """How one run of `apply` should behave.

    Args:
        max_sims: the most SIMs to claim in this run; None for no such limit.
        wave: the only wave to work on; None for all.
        soaks: whether waves rest; a dry run has no time for that.
        max_duration_s: how long to go on; None for no such limit.
        wait_s: how long to stay for SIMs that are only pending.
        absent_after_s: how old the carrier's reads may be: so long after a claim ended is a SIM's absence believed.
        claim_batch: SIMs in one claim, at most 2,500.
        batch: devices in one other bulk change.
        workers: requests in flight where several may be.
        adopt_tagged: how many SIMs may be taken over that only another copy of the store can have claimed; None: none.
    """

    max_sims: int | None = None
    wave: str | None = None
    soaks: bool = True
    max_duration_s: float | None = None
    wait_s: float = 1800.0
    absent_after_s: float = 60.0
    claim_batch: int = 2500
    batch: int = 500
    workers: int = 8
    adopt_tagged: int | None = None


@dataclass(slots=True)
class Context:
    """One run's surroundings.

    Args:
        clock: the host's; the run goes by it as it was at its beginning.
        claimed_before: SIMs that the plan had claimed when the run began; None until that was counted.
    """

    header: PlanHeader
    policy: Policy
    run_id: int
    target: TargetPlatform
    journal: Journal
    clock: Clock
    options: ApplyOptions
    stopper: Stopper
    progress: Progress = quiet
    hooks: Hooks = field(default_factory=Hooks)
    claimed_before: int | None = None
    steady: SteadyClock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = self.steady = SteadyClock(self.clock)

    @property
    def plan_id(self) -> str:
        """The plan that is applied."""
        return self.header.plan_id

    def now(self) -> float:
        """UTC seconds, as the journal counts them."""
        return self.clock.now().timestamp()
