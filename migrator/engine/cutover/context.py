"""Context of a cutover or rollback run, and its writes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from migrator.core.cutover.plan import SwitchHeader, SwitchItem, SwitchKind
from migrator.core.policy.policy import Gates
from migrator.core.run.doubts import Doubt
from migrator.core.run.states import StepEvent
from migrator.core.run.steps import RequestOutcome
from migrator.engine.run.anchor import anchored
from migrator.engine.run.context import SteadyClock, Stopper, quiet
from migrator.engine.run.freshness import Knowledge
from migrator.engine.run.parallel import several
from migrator.engine.run.unforeseen import defect_words, is_of_one_sim
from migrator.errors import OutcomeUnknown, PlatformError, Transient, Unforeseen
from migrator.ports import (
    Answer,
    Clock,
    FieldNotes,
    Journal,
    Progress,
    Request,
    SetSource,
    SetState,
    SourceSwitch,
    SwitchJournal,
    TargetPlatform,
    Vouch,
)

__all__ = ["SwitchContext", "SwitchHooks", "SwitchOptions", "in_parallel", "send"]

T = TypeVar("T")


def _nothing(_kind: SwitchKind) -> None:
    pass


@dataclass(frozen=True, slots=True)
class SwitchHooks:
    """Crash points around each write of a cutover or rollback.

    Called with the kind of write, between its intent, its effect and its outcome.
    """

    after_intent: Callable[[SwitchKind], None] = _nothing
    after_effect: Callable[[SwitchKind], None] = _nothing
    after_outcome: Callable[[SwitchKind], None] = _nothing


@dataclass(frozen=True, slots=True)
class SwitchOptions:
    """Options of one run of a cutover or rollback.

    Args:
        wait_s: how long to stay for SIMs whose order is not proved yet.
        absent_after_s: how long after a lost order its absence is believed, and how old reads may be.
        batch: SIMs that are read, and then ordered, together: a read loses its worth with time.
        workers: requests in flight where several may be.
        wave: the only wave to work on; None: all.
        max_duration_s: how long the run may go on; None: no bound.
    """

    wait_s: float = 1800.0
    absent_after_s: float = 60.0
    batch: int = 50
    workers: int = 8
    wave: str | None = None
    max_duration_s: float | None = None


@dataclass(slots=True)
class SwitchContext:
    """Context of one run of a cutover or rollback.

    Args:
        is_migrated: whether the migration's plan is finished, so that a difference is drift.
    """

    header: SwitchHeader
    gates: Gates
    run_id: int
    source: SourceSwitch
    target: TargetPlatform
    journal: SwitchJournal
    migration: Journal
    field_notes: FieldNotes
    clock: Clock
    options: SwitchOptions
    stopper: Stopper
    is_migrated: bool = True
    progress: Progress = quiet
    hooks: SwitchHooks = field(default_factory=SwitchHooks)
    _steady: SteadyClock = field(init=False)

    def __post_init__(self) -> None:
        self._steady = SteadyClock(self.clock)

    @property
    def switch_id(self) -> str:
        """Id of the plan that is carried out."""
        return self.header.switch_id

    def now(self) -> float:
        """Return the host's time in UTC seconds, as in the journal.

        The next process compares it with its own: seconds of one process that slept would stand too early there.
        """
        return self.clock.now().timestamp()

    def learned_now(self) -> Knowledge:
        """Return the knowledge that begins with the next read.

        Orders rest on this knowledge.
        """
        return Knowledge.from_now(self._steady)

    def request(self, order: SetSource | SetState) -> Request:
        """Return the request of an order to either carrier."""
        return self.source.request(order) if isinstance(order, SetSource) else self.target.request(order)

    async def send(self, order: SetSource | SetState, vouch: Vouch) -> Answer:
        """Send an order to the carrier that it is for."""
        if isinstance(order, SetSource):
            return await self.source.send(order, vouch=vouch)
        return await self.target.send(order, vouch=vouch)

    def move(self, kind: SwitchKind, event: StepEvent, keys: Mapping[str, tuple[str, str]]) -> None:
        """Move steps by one event."""
        self.journal.move(self.switch_id, kind, event, keys, now=self.now())


async def in_parallel(
    jobs: Sequence[T], work: Callable[[T], Awaitable[None]], *, workers: int, stopper: Stopper
) -> None:
    """Do `work` for each of `jobs`, several at a time.

    After trouble, or an order to stop, nothing new is begun.

    Raises: the first trouble, once what was in flight has ended; Interrupted.
    """

    async def one(job: T) -> None:
        stopper.check()
        await work(job)

    await several(jobs, one, workers=min(workers, len(jobs)))
    stopper.check()


async def send(
    ctx: SwitchContext,
    kind: SwitchKind,
    before: Mapping[SwitchItem, Mapping[str, Any]],
    order: SetSource | SetState,
    vouch: Vouch,
) -> None:
    """Carry out one write: intent on disk, request, outcome on disk.

    An accepted order leaves its steps UNCERTAIN ("unproven") until a read shows its effect. An unanswered order does
    the same (with its own code). After a refusal the steps are IN_FLIGHT: only the caller knows what the refusal means
    for them.

    Args:
        ctx: the run.
        kind: the step.
        before: the SIMs, each with what was read of it just now.
        order: what goes out.
        vouch: called as the order leaves.

    Raises: PlatformError, after the request's outcome is on disk; InputError, before the intent, for an order that must
        not leave.
    """
    request = ctx.request(order)
    await ctx.stopper.checkpoint()
    keyed = {item.key: values for item, values in before.items()}
    request_id = ctx.journal.begin(ctx.run_id, kind, keyed, request, now=ctx.now())
    ctx.hooks.after_intent(kind)
    try:
        await anchored(ctx.journal, ctx.stopper)
        answer = await ctx.send(order, vouch)
    except PlatformError as error:
        ctx.hooks.after_effect(kind)
        words = error.carrier_words or error.message
        ctx.journal.answered(request_id, _outcome_of(error), now=ctx.now(), status=error.status, message=words)
        ctx.hooks.after_outcome(kind)
        if isinstance(error, OutcomeUnknown):
            ctx.move(kind, StepEvent.LOST, dict.fromkeys(keyed, (error.code, error.message)))
        raise
    except Exception as error:
        if not is_of_one_sim(error):
            raise
        ctx.hooks.after_effect(kind)
        defect = Unforeseen(defect_words(error))
        ctx.journal.answered(request_id, RequestOutcome.LOST, now=ctx.now(), message=defect.message)
        ctx.hooks.after_outcome(kind)
        ctx.move(kind, StepEvent.LOST, dict.fromkeys(keyed, (defect.code, defect.message)))
        raise defect from error
    ctx.hooks.after_effect(kind)
    ctx.journal.answered(request_id, RequestOutcome.ACCEPTED, now=ctx.now(), job_id=answer.job_id)
    ctx.hooks.after_outcome(kind)
    ctx.move(kind, StepEvent.LOST, dict.fromkeys(keyed, (Doubt.UNPROVEN, "accepted; no read shows it yet")))


def _outcome_of(error: PlatformError) -> RequestOutcome:
    if isinstance(error, OutcomeUnknown):
        return RequestOutcome.LOST
    return RequestOutcome.REFUSED_FOR_NOW if isinstance(error, Transient) else RequestOutcome.REFUSED
