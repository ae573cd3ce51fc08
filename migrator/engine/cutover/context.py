"""Context of a cutover or rollback run."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from migrator.core.cutover.plan import CutoverHeader, CutoverItem, Direction
from migrator.core.fleet.sims import ONENCE
from migrator.core.policy.policy import Gates
from migrator.core.run.doubts import Doubt
from migrator.core.run.states import StepEvent, StepKind
from migrator.engine.run.context import RunContext, RunOptions, Stopper
from migrator.engine.run.freshness import Knowledge
from migrator.engine.run.parallel import several
from migrator.errors import Permanent
from migrator.ports import (
    Answer,
    CutoverPlans,
    FieldNotes,
    Request,
    SetSourceState,
    SetState,
    SourceControl,
    Vouch,
)

__all__ = ["CutoverContext", "CutoverOptions", "in_parallel", "unproven"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class CutoverOptions(RunOptions):
    """Options of one run of a cutover or rollback.

    Args:
        batch: SIMs that are read, and then ordered, together: a read loses its worth with time.
        queue_s: how long an order may go without effect until it is given again; None: as long as 1NCE's queue.
    """

    batch: int = 50
    queue_s: float | None = None


@dataclass(slots=True, kw_only=True)
class CutoverContext(RunContext[CutoverOptions]):
    """Context of one run of a cutover or rollback.

    Args:
        is_migrated: whether the migration's plan is finished, so that a difference is drift.
        source_name: the carrier of the old SIMs, for words.
    """

    header: CutoverHeader
    gates: Gates
    source: SourceControl
    plans: CutoverPlans
    field_notes: FieldNotes
    is_migrated: bool = True
    source_name: str = ONENCE
    _may_lack_orders: bool = field(default=False, init=False)

    @property
    def cutover_id(self) -> str:
        """Id of the plan that is carried out."""
        return self.header.cutover_id

    def now(self) -> float:
        """Return the latest time that it may be, in UTC seconds.

        The journal has this time, as the next process compares it with the host's clock: by the seconds of a machine
        that slept, an order would be older there than it is. Ages within the run are told by `steady.waited_s`.
        """
        return self.steady.latest().timestamp()

    @property
    def has_hook(self) -> bool:
        """True if a hook is asked before the orders.

        A rollback asks none: it gives a unit back what it had.
        """
        return self.around.ask is not None and self.header.direction is Direction.CUTOVER

    async def may_send(self, wave: str | None, told: Callable[[], Mapping[str, Any]]) -> None:
        """Ask the hook before some orders of a wave.

        Reads of an order are at most `OLDEST_GUARD_S` old when it leaves, so the agreement is at most that much older.

        Raises: Halted, if it has a veto.
        """
        if self.has_hook:
            await self.around.may_send(wave, told, self.steady)

    def look_at_server(self) -> None:
        """Learn whether the store may have lost orders.

        A promoted standby may not know of orders that went out.
        """
        self._may_lack_orders = self.plans.may_lack_orders(self.cutover_id, self.now())
        if self._may_lack_orders:
            self.progress("orders_may_be_lost", {})

    def doubted(self, items: Sequence[CutoverItem]) -> frozenset[str]:
        """Return the SIMs that an unknown order may still change.

        What is seen of them may not last, nor be this plan's doing.
        """
        keys = [item.key for item in items]
        return frozenset(keys) if self._may_lack_orders else self.plans.unsettled_elsewhere(self.cutover_id, keys)

    def learned_now(self) -> Knowledge:
        """Return the knowledge that begins with the next read.

        Orders rest on this knowledge.
        """
        return Knowledge.from_now(self.steady)

    def request(self, order: SetSourceState | SetState) -> Request:
        """Return the request of an order to either carrier."""
        return self.source.request(order) if isinstance(order, SetSourceState) else self.target.request(order)

    async def send(self, order: SetSourceState | SetState, vouch: Vouch | None) -> Answer:
        """Send an order to the carrier that it is for."""
        if isinstance(order, SetSourceState):
            return await self.source.send(order, vouch=vouch)
        return await self.target.send(order, vouch=vouch)

    def begin(self, kind: StepKind, before: Mapping[CutoverItem, Mapping[str, Any]], request: Request) -> int:
        """Commit the intent of a request.

        `before` has the SIMs, each with what was read of it just now.

        Returns: the request's id.
        """
        keyed = {item.key: values for item, values in before.items()}
        wave = next((item.row.wave for item in before), None)
        return self.journal.begin(self.run_id, kind, list(keyed), request, wave=wave, now=self.now(), before=keyed)

    def is_anchored(self, kind: StepKind) -> bool:
        """True: a unit may fall silent by each of these orders."""
        del kind
        return True

    def move(self, kind: StepKind, event: StepEvent, keys: Mapping[str, tuple[str, str]]) -> None:
        """Move steps by one event."""
        self.journal.move(self.cutover_id, kind, event, keys, now=self.now())


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


def unproven(items: Iterable[CutoverItem]) -> Callable[[Answer | Permanent], Mapping[str, tuple[str, str]]]:
    """Return the meaning of an answer for the SIMs of an order.

    An accepted order is UNCERTAIN ("unproven") until a read shows its effect. That holds, too, for a SIM against which
    the answer has something: the words are kept. What a refusal means the caller knows.
    """
    keys = [item.key for item in items]

    def told(answer: Answer | Permanent) -> Mapping[str, tuple[str, str]]:
        if not isinstance(answer, Answer):
            return {}
        return {key: (Doubt.UNPROVEN.value, answer.reasons.get(key, "accepted; no read shows it yet")) for key in keys}

    return told
