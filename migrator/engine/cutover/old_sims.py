"""Old SIMs at the source: read, ordered on or off, and proved.

Where the carrier wants that, an order carries the SIM's label and IMEI lock, too. A read proves the order.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from migrator.core.cutover.plan import CutoverItem, CutoverStep, Direction
from migrator.core.cutover.rules import (
    Sight,
    Sighting,
    Told,
    echo_of,
    label_obstacle,
    lock_obstacle,
    obstacle_at_source,
    values_changed,
)
from migrator.core.fleet.sims import SourceSim
from migrator.core.run.doubts import MAY_STILL_COME, QUEUE_S, SETTLING, Doubt, Patience
from migrator.core.run.packing import slices
from migrator.core.run.states import StepEvent, StepKind, StepState
from migrator.engine.cutover.context import CutoverContext, in_parallel, unproven
from migrator.engine.run.freshness import Knowledge, Portions
from migrator.engine.run.send import send
from migrator.engine.run.unforeseen import defect_words, is_of_one_sim
from migrator.errors import OutcomeUnknown, Outdated, Permanent, Transient, Unforeseen
from migrator.ports import SetSourceState, SourceSimState

__all__ = ["Look", "OldSims"]

MOST_LOST_IN_A_ROW = 3
"""Most orders in a row without an answer.

A gateway that always times out would otherwise be sent orders for ever.
"""

Guard = Callable[[Mapping[CutoverItem, SourceSim]], Awaitable[Mapping[str, Told]]]
"""Guard that returns the SIMs that must not be ordered.

Asked just before the orders go out. Each SIM is given as it was read just now.
"""


@dataclass(frozen=True, slots=True)
class Look:
    """Read of a SIM, with the time of the request.

    The time is in UTC seconds, by the run's `now`. The answer may be long on its way.
    """

    asked_at: float
    sight: Sight


@dataclass(slots=True)
class OldSims:
    """Switch the old SIMs of a plan off or on.

    Args:
        guard: asked once more for each portion, after it was read and before it is ordered.
        may_order: asks the hook for a wave, before a portion is read; raises Halted, if it has a veto.
    """

    ctx: CutoverContext
    guard: Guard
    may_order: Callable[[str | None], Awaitable[None]]
    _portions: Portions = field(init=False)
    _too_late: list[str] = field(default_factory=list, init=False)
    _lost_in_a_row: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._portions = Portions(self.ctx.options.batch)

    async def look(self, items: Sequence[CutoverItem]) -> dict[str, Look]:
        """Read some SIMs as they are now.

        Returns: the reads, by key.
        """
        ctx, found = self.ctx, dict[str, Look]()

        async def one(item: CutoverItem) -> None:
            asked_at = ctx.now()
            found[item.key] = Look(asked_at, await self._sight(item))

        await in_parallel(items, one, workers=ctx.options.workers, stopper=ctx.stopper)
        return found

    async def _sight(self, item: CutoverItem) -> Sight:
        """Return what 1NCE shows of a SIM.

        A defect that the record of this SIM brings to light concerns this SIM alone.
        """
        try:
            return await self.ctx.source.look(item.row.source_iccid)
        except Exception as error:
            if not is_of_one_sim(error):
                raise
            return Sight(Sighting.UNREADABLE, words=defect_words(error), code=Unforeseen.code)

    # --- ordering -------------------------------------------------------------------------------------------------

    async def order(self, items: Sequence[CutoverItem]) -> None:
        """Read SIMs whose step is PENDING, and order them.

        SIMs that cannot or need not be switched are skipped. A read is old after `OLDEST_GUARD_S`: an order that could
        not leave by then is begun anew, with its read and its guard.

        Raises: NotAuthorised, Transient and kin, with everything on disk.
        """
        pending = [item.key for item in items if item.state_of(StepKind.SOURCE) is StepState.PENDING]
        await self._portions.each(pending, self._order_some)

    async def _order_some(self, keys: Sequence[str]) -> Sequence[str]:
        """Read and order some SIMs.

        Returns: the SIMs whose order did not leave in time, PENDING as before.
        """
        ctx = self.ctx
        pending = ctx.plans.items_by_key(ctx.cutover_id, keys)
        for wave in dict.fromkeys(item.row.wave for item in pending):
            await self.may_order(wave)
        known = ctx.learned_now()
        looks = await self.look(pending)
        doubted = ctx.doubted(pending)
        labels = ctx.plans.labels_in_force([item.key for item in pending])
        aside: dict[str, Told] = {}
        for item in pending:
            told = obstacle_at_source(
                looks[item.key].sight,
                ctx.header.direction,
                must_order=item.key in doubted,
                source=ctx.source_name,
            )  # an order of our own that was given up and took effect late needs no second one
            if ctx.source.writes_back:
                told = told or lock_obstacle(looks[item.key].sight)
                told = told or label_obstacle(looks[item.key].sight, labels.get(item.key))
            if told is not None:
                aside[item.key] = told
        ready = {item: sim for item in pending if item.key not in aside and (sim := looks[item.key].sight.sim)}
        aside |= await self.guard(ready) if ready else {}
        told_aside = {key: (told.code, told.words) for key, told in aside.items()}
        ctx.move(StepKind.SOURCE, StepEvent.OPERATOR_SKIP, told_aside)
        return await self._send_all({item: sim for item, sim in ready.items() if item.key not in aside}, known)

    async def _send_all(self, seen: Mapping[CutoverItem, SourceSim], known: Knowledge) -> Sequence[str]:
        """Send the orders, in lists as long as the source takes them.

        A SIM that met a defect before goes alone.
        """
        alone = [item for item in seen if _doubt_of(item) is Doubt.UNEXPECTED]
        together = [item for item in seen if item not in alone]
        groups = [*slices(together, self.ctx.source.most), *slices(alone, 1)]
        self._too_late = []

        async def one(group: Sequence[CutoverItem]) -> None:
            await self._send({item: seen[item] for item in group}, known)

        await in_parallel(groups, one, workers=self.ctx.options.workers, stopper=self.ctx.stopper)
        return self._too_late

    async def _send(self, seen: Mapping[CutoverItem, SourceSim], known: Knowledge) -> None:
        """Send one order.

        A list that is refused is sent again SIM by SIM, so that the good SIMs pass.
        """
        ctx = self.ctx
        if known.is_old:  # nothing need be noted of an order that nobody begins
            self._too_late += [item.key for item in seen]
            return
        try:
            order = SetSourceState([self._order(sim) for sim in seen.values()])
            before = {item: echo_of(sim) for item, sim in seen.items()}
            await send(ctx, StepKind.SOURCE, before, order, vouch=known.vouch, said=unproven(before))
        except Unforeseen:
            return  # only reads tell what became of it, and it says nothing of the gateway
        except OutcomeUnknown:
            self._lost_in_a_row += 1
            if self._lost_in_a_row >= MOST_LOST_IN_A_ROW:
                raise
        except (Transient, Permanent) as error:
            await self._not_carried_out(seen, error, known)
        except Exception as error:  # nothing was noted as sent
            if not is_of_one_sim(error):
                raise
            await self._not_made(seen, error, known)
        else:
            self._lost_in_a_row = 0
            ctx.progress("switched", {"sims": len(seen)})

    async def _not_carried_out(
        self, seen: Mapping[CutoverItem, SourceSim], error: Transient | Permanent, known: Knowledge
    ) -> None:
        """Record what a refusal says.

        Raises: the refusal, where it bears on the whole run.
        """
        if isinstance(error, Permanent) and not error.halts_run:
            await self._refused(seen, error, known)
            return
        self._put_back(seen, error.code, error.message)
        if not isinstance(error, Outdated):
            raise error
        self._too_late += [item.key for item in seen]

    async def _refused(self, seen: Mapping[CutoverItem, SourceSim], error: Permanent, known: Knowledge) -> None:
        if len(seen) == 1:
            told = (error.code, error.carrier_words or error.message)
            self.ctx.move(StepKind.SOURCE, StepEvent.REFUSED_FOR_GOOD, {item.key: told for item in seen})
            return
        self._put_back(seen, "list_refused", error.carrier_words or error.message)
        for item, sim in seen.items():
            await self._send({item: sim}, known)

    async def _not_made(self, seen: Mapping[CutoverItem, SourceSim], error: Exception, known: Knowledge) -> None:
        """Try a list that cannot be made again, SIM by SIM.

        The SIM that causes the error is skipped.
        """
        if len(seen) == 1:
            told = (Unforeseen.code, defect_words(error))
            self.ctx.move(StepKind.SOURCE, StepEvent.OPERATOR_SKIP, {item.key: told for item in seen})
            return
        for item, sim in seen.items():
            await self._send({item: sim}, known)

    def _put_back(self, seen: Mapping[CutoverItem, SourceSim], code: str, words: str) -> None:
        """Put SIMs back to PENDING after an order that did nothing.

        An earlier order of the same SIM may still take effect, and that must not be forgotten.
        """
        told = {item.key: (was if (was := _doubt_of(item)) in MAY_STILL_COME else code, words) for item in seen}
        self.ctx.move(StepKind.SOURCE, StepEvent.REFUSED_FOR_NOW, told)

    def _order(self, sim: SourceSim) -> SourceSimState:
        """Return the order of status, label and IMEI lock together.

        Label and IMEI lock are as they were read just now.
        """
        enabled = self.ctx.header.direction is Direction.ROLLBACK
        return SourceSimState(sim.iccid, enabled=enabled, label=sim.label, imei_lock=bool(sim.imei_lock))

    # --- proving --------------------------------------------------------------------------------------------------

    async def prove(self, items: Sequence[CutoverItem]) -> None:
        """Read SIMs whose step is UNCERTAIN, and settle their steps."""
        ctx = self.ctx
        waiting = [item for item in items if item.state_of(StepKind.SOURCE) is StepState.UNCERTAIN]
        if not waiting:
            return
        looks = await self.look(waiting)
        doubted = ctx.doubted(waiting)
        moves: dict[StepEvent, dict[str, tuple[str, str]]] = {}
        for item in waiting:
            told = self._outcome(item.steps[StepKind.SOURCE], looks[item.key], is_doubted=item.key in doubted)
            if told is not None:
                event, words = told
                moves.setdefault(event, {})[item.key] = (words.code, words.words)
        for event, keys in moves.items():
            ctx.move(StepKind.SOURCE, event, keys)
            if event is StepEvent.PROBED_PRESENT:
                ctx.progress("proved", {"sims": len(keys)})

    def _outcome(self, step: CutoverStep, look: Look, *, is_doubted: bool) -> tuple[StepEvent, Told] | None:
        """Return the event of an order by a read, or None.

        None while the read decides nothing yet. Where an order of another plan may still take effect, a read proves
        something only once the time of that order is up.
        """
        direction, sim = self.ctx.header.direction, look.sight.sim
        age_s = self.ctx.steady.waited_s(step.since, look.asked_at)
        if sim is not None and sim.status is direction.wanted:
            if is_doubted and age_s < self.ctx.options.absent_after_s:
                return None
            return StepEvent.PROBED_PRESENT, values_changed(step.before, sim, look.sight.label_trouble)
        obstacle = obstacle_at_source(look.sight, direction, must_order=True, source=self.ctx.source_name)
        if self.ctx.source.writes_back:
            obstacle = obstacle or lock_obstacle(look.sight)
        is_unreadable = look.sight.sighting is Sighting.UNREADABLE  # for this moment, perhaps
        if obstacle is not None and not is_unreadable:
            return StepEvent.PROBED_CONFLICT, obstacle
        options = self.ctx.options
        patience_s = QUEUE_S if SETTLING[step.doubt].patience is Patience.QUEUE else options.absent_after_s
        if options.queue_s is not None:
            patience_s = options.queue_s
        if age_s < patience_s * step.attempts:
            return None
        if obstacle is not None:
            return StepEvent.PROBED_CONFLICT, obstacle
        return _came_to_nothing(step)


def _came_to_nothing(step: CutoverStep) -> tuple[StepEvent, Told]:
    """Return the event of an order whose time is up.

    The order is given again, but against a defect of ours only a few times.
    """
    if step.doubt is not Doubt.UNEXPECTED:
        words = f"ordered {step.attempts} times, and no read shows it"
        return StepEvent.PROBED_ABSENT, Told(Doubt.NOT_EFFECTIVE, words)
    is_enough = SETTLING[step.doubt].is_over(step.kind, step.attempts)
    return (StepEvent.PROBED_CONFLICT if is_enough else StepEvent.PROBED_ABSENT), Told(step.code, step.message)


def _doubt_of(item: CutoverItem) -> Doubt | None:
    step = item.steps.get(StepKind.SOURCE)
    return None if step is None else step.doubt
