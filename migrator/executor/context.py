"""What every part of a run shares: the world, the plan, and the ways in which it may have to stop."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio

from migrator.core.plan import PlanHeader
from migrator.core.policy import Policy
from migrator.core.states import StepKind
from migrator.errors import Interrupted
from migrator.ports import Clock, Journal, Progress, TargetPlatform

__all__ = ["ApplyOptions", "Context", "Hooks", "Stopper", "quiet"]


def quiet(_event: str, _values: Mapping[str, Any]) -> None:
    """Progress that nobody watches."""


@dataclass(slots=True)
class Stopper:
    """A request to stop that is looked at between requests, and that cuts waiting short."""

    reason: str = ""
    exit_code: int = 130
    _event: anyio.Event = field(default_factory=anyio.Event)
    _deadline: tuple[float, str, int] = (math.inf, "", 0)  # by anyio's clock, with the reason and exit code

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

    async def sleep(self, seconds: float) -> None:
        """Wait, unless asked to stop. Raises: Interrupted."""
        with anyio.move_on_after(min(seconds, self._deadline[0] - anyio.current_time())):
            await self._event.wait()
        self.check()


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
        max_duration_s: how long to go on; None for no such limit.
        wait_s: how long to stay for SIMs that are only pending.
        absent_after_s: how long after a lost claim its absence is believed.
        claim_batch: SIMs in one claim, at most 2,500.
        batch: devices in one other bulk change.
        workers: requests in flight where several may be.
    """

    max_sims: int | None = None
    wave: str | None = None
    max_duration_s: float | None = None
    wait_s: float = 1800.0
    absent_after_s: float = 60.0
    claim_batch: int = 2500
    batch: int = 500
    workers: int = 8


@dataclass(slots=True)
class Context:
    """One run's surroundings."""

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

    @property
    def plan_id(self) -> str:
        """The plan that is applied."""
        return self.header.plan_id

    def now(self) -> float:
        """UTC seconds, as the journal counts them."""
        return self.clock.now().timestamp()
