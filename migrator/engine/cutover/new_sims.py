"""New SIMs at the target: proof of life, and in rollbacks pauses."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from migrator.core.cutover.plan import Aside, CutoverItem, CutoverStep, Require
from migrator.core.cutover.rules import (
    Lived,
    Told,
    claimed_at_s,
    is_alive,
    is_settled_as_wanted,
    lived,
    not_in_its_unit,
)
from migrator.core.fleet.imei import Place, Unit, hardware, is_imei
from migrator.core.fleet.sims import LinkState, SourceSim, SourceStatus, TargetLink
from migrator.core.plan.plan import DesiredState
from migrator.core.policy.policy import OtherUnits, PairProof
from migrator.core.run.doubts import SETTLING
from migrator.core.run.states import StepEvent, StepKind, StepState
from migrator.core.run.steps import Item
from migrator.core.run.verify import verify_item
from migrator.engine.cutover.context import CutoverContext, in_parallel, unproven
from migrator.engine.cutover.data_sessions import imei_in, sessions_since_claim
from migrator.engine.cutover.old_sims import Look
from migrator.engine.run.freshness import Knowledge, Portions
from migrator.engine.run.read_targets import Reader, targets_of
from migrator.engine.run.send import send
from migrator.engine.run.unforeseen import alone_if_need_be
from migrator.errors import OutcomeUnknown, Outdated, Permanent, Transient
from migrator.ports import SetState

__all__ = ["NewSims"]

Looker = Callable[[Sequence[CutoverItem]], Awaitable[Mapping[str, Look]]]

PAUSE_S = 600.0
"""Seconds that a pause may take before it is ordered again.

A pause normally takes ten minutes, rarely a day (reference, 7.5).
"""


@dataclass(slots=True)
class NewSims:
    """Read the new SIMs of a plan, and pause them."""

    ctx: CutoverContext
    _reader: Reader = field(init=False)
    _portions: Portions = field(init=False)

    def __post_init__(self) -> None:
        self._portions = Portions(self.ctx.options.batch)
        self._reader = Reader(
            self.ctx.target, self.ctx.journal, self.ctx.clock, self.ctx.stopper, self.ctx.options.workers
        )

    async def _read(self, items: Sequence[CutoverItem]) -> dict[str, Item]:
        """Return the migration's own items by key, with a fresh read.

        The read is of their target SIMs.
        """
        keys, plan_id = [item.key for item in items], self.ctx.header.plan_id
        await self._reader.read(targets_of(self.ctx.journal.items_by_key(plan_id, keys)), full=True)
        return {item.key: item for item in self.ctx.journal.items_by_key(plan_id, keys)}

    async def not_alive(self, items: Sequence[CutoverItem]) -> Mapping[str, Told]:
        """Read SIMs, and return those that are not alive, with the reason.

        Such a SIM is not ours, not as planned, or cannot pass data. A SIM whose record brings a defect of ours to light
        is not known to be alive.
        """
        return await alone_if_need_be(items, self._not_alive)

    async def _not_alive(self, items: Sequence[CutoverItem]) -> Mapping[str, Told]:
        ctx = self.ctx
        fresh = await self._read(items)
        lag_s = None if ctx.is_migrated else ctx.options.absent_after_s
        judged = {key: verify_item(item, ctx.header.org_id, lag_s=lag_s) for key, item in fresh.items()}
        ctx.journal.verified(ctx.header.plan_id, judged.values(), now=ctx.now())
        dead: dict[str, Told] = {}
        for key, item in fresh.items():
            if item.corrected:
                dead[key] = Told(Aside.PAIR_CORRECTED, item.corrected)
            elif not is_alive(item.target, judged[key].verdict, ctx.header.org_id):
                codes = ", ".join(sorted({finding.code.value for finding in judged[key].findings}))
                state = item.target.state_word if item.target else "not there"
                dead[key] = Told(Aside.NEW_SIM_NOT_ALIVE, f"the new SIM is {state}: {codes or 'not live'}")
        return dead

    async def elsewhere(self, seen: Mapping[CutoverItem, SourceSim]) -> Mapping[str, Told]:
        """Return SIMs that have not lived in their units.

        Each stands with the reason. Where the plan accepts other units, only life of before the swap is one.

        Args:
            seen: SIMs whose new side was read just now, and each old side as it was read just now.
        """
        ctx, moved = self.ctx, dict[str, Told]()
        accepts_others = ctx.header.summary.get("other_units") == OtherUnits.ACCEPT
        wants_observed = ctx.header.summary.get("pairs") == PairProof.OBSERVED
        swapped = ctx.field_notes.swapped([one.key for one in seen])
        wants_life = ctx.header.require is Require.TRAFFIC
        if accepts_others and not wants_observed and not (swapped and wants_life):
            return moved
        items = {item.key: item for item in ctx.journal.items_by_key(ctx.header.plan_id, [one.key for one in seen])}

        async def one(item: CutoverItem) -> None:
            found = await self._lived(items[item.key], seen[item], swapped.get(item.key))
            left_on = not_in_its_unit(
                found, wants_life=wants_life, accepts_other_units=accepts_others, wants_observed=wants_observed
            )
            if left_on is not None:
                reason, words = left_on
                moved[item.key] = Told(reason.value, words)

        await in_parallel(list(seen), one, workers=ctx.options.workers, stopper=ctx.stopper)
        return moved

    async def _lived(self, item: Item, old: SourceSim, swapped_s: float | None) -> Lived:
        """Return the life of a new SIM, and its place.

        Both are known from its record, else from its newest data session.
        """
        target, claim, notes = item.target, item.steps.get(StepKind.CLAIM), self.ctx.field_notes
        if target is None:
            return Lived(None, Place(Unit.NEVER_SEEN))
        claimed_s = claimed_at_s(target, None if claim is None else claim.since)
        near = notes.neighbours(map(hardware, (old.imei, target.imei)))
        found = lived(old, target, claimed_s=claimed_s, swapped_s=swapped_s, near=near)
        if not found.words and (found.where.unit is not Unit.NEVER_SEEN or is_imei(target.imei)):
            return found
        sessions = await sessions_since_claim(self.ctx.target, target, claimed_s)
        newest_s, imei = max((session.at_s for session in sessions or ()), default=None), imei_in(sessions)
        near = notes.neighbours(map(hardware, (old.imei, imei)))
        return lived(
            old,
            target,
            claimed_s=claimed_s,
            swapped_s=swapped_s,
            session_s=newest_s,
            session_imei=imei,
            near=near,
        )

    # --- pausing: rollback only -----------------------------------------------------------------------------------

    async def pause(self, items: Sequence[CutoverItem], look: Looker) -> None:
        """Pause the new SIMs whose old SIM is proved on.

        The old SIM must also be on at this moment. Pauses whose outcome was unknown are settled.

        Args:
            items: SIMs of the plan.
            look: reads old SIMs as they are now. Proof may be days old on a resume, so it is asked once more, last of
                all: while the carrier holds pauses back, it is asked anew.

        Raises: NotAuthorised, Transient and kin, with everything on disk.
        """

        async def some(keys: Sequence[str]) -> Sequence[str]:
            return await self._pause_some(self.ctx.plans.items_by_key(self.ctx.cutover_id, keys), look)

        await self._portions.each([item.key for item in items if _wants_pause(item)], some)

    async def _pause_some(self, wanted: Sequence[CutoverItem], look: Looker) -> Sequence[str]:
        """Read and pause some SIMs.

        Returns: the SIMs whose pause did not leave in time, PENDING as before.
        """
        asked_at, fresh = self.ctx.now(), dict[str, Item]()

        async def read(some: Sequence[CutoverItem]) -> Mapping[str, Told]:
            fresh.update(await self._read(some))
            return {}

        unread = await alone_if_need_be(wanted, read)
        self._settle(wanted, fresh, unread, asked_at)
        self._set_aside(wanted, unread)
        wanted = [item for item in wanted if item.key not in unread]
        known = self.ctx.learned_now()
        looks = await look([item for item in wanted if item.state_of(StepKind.PAUSE) is StepState.PENDING])
        ready: dict[CutoverItem, int] = {}
        aside: dict[str, tuple[str, str]] = {}
        for item in wanted:
            if item.key not in looks:
                continue
            told, device_id = self._judge(fresh[item.key].target)
            if fresh[item.key].corrected:
                told = Told(Aside.PAIR_CORRECTED, fresh[item.key].corrected)
            if not _is_on(looks[item.key]):
                told = Told(Aside.OLD_SIM_NOT_ON, "the old SIM was on and is not any more: the new one stays on")
            if told is not None:
                aside[item.key] = (told.code, told.words)
            elif device_id is not None:
                ready[item] = device_id
        self.ctx.move(StepKind.PAUSE, StepEvent.OPERATOR_SKIP, aside)
        return await self._order(ready, known) if ready else ()

    def _set_aside(self, wanted: Sequence[CutoverItem], unread: Mapping[str, Told]) -> None:
        """Leave new SIMs on that cannot be read.

        Their old SIMs are on, and that is what matters.
        """
        pending = [item.key for item in wanted if item.state_of(StepKind.PAUSE) is StepState.PENDING]
        aside = {key: (unread[key].code, unread[key].words) for key in pending if key in unread}
        self.ctx.move(StepKind.PAUSE, StepEvent.OPERATOR_SKIP, aside)

    def _judge(self, target: TargetLink | None) -> tuple[Told | None, int | None]:
        """Return why a SIM is not paused, or its device.

        Neither, while the carrier is still moving the SIM.
        """
        if target is None or not target.is_held_by(self.ctx.header.org_id):
            return Told(Aside.NEW_SIM_NOT_OURS, "the new SIM is not on our organization"), None
        if target.state in {LinkState.PAUSED_USER, LinkState.PAUSED_SYSTEM, LinkState.RETIRED}:
            return Told(Aside.ALREADY, f"it is {target.state_word}"), None
        if target.state is LinkState.LIVE:
            return None, target.device_id
        if target.state.is_pending:
            return None, None
        return Told(Aside.NEW_SIM_UNKNOWN_STATE, f"its state is {target.state_word!r}"), None

    async def _order(self, ready: Mapping[CutoverItem, int], known: Knowledge) -> Sequence[str]:
        """Send one order.

        Returns: the SIMs, if the order did not leave in time.
        """
        ctx, keys = self.ctx, [item.key for item in ready]
        if known.is_old:  # nothing need be noted of an order that nobody begins
            return keys
        order = SetState(list(ready.values()), DesiredState.PAUSE)
        try:
            before: dict[CutoverItem, dict[str, Any]] = {item: {} for item in ready}
            await send(ctx, StepKind.PAUSE, before, order, vouch=known.vouch, said=unproven(before))
        except OutcomeUnknown:
            return ()
        except Outdated as error:
            ctx.move(StepKind.PAUSE, StepEvent.REFUSED_FOR_NOW, dict.fromkeys(keys, (error.code, error.message)))
            return keys
        except Transient as error:
            ctx.move(StepKind.PAUSE, StepEvent.REFUSED_FOR_NOW, dict.fromkeys(keys, (error.code, error.message)))
            raise
        except Permanent as error:
            event = StepEvent.REFUSED_FOR_NOW if error.halts_run else StepEvent.REFUSED_FOR_GOOD
            ctx.move(StepKind.PAUSE, event, dict.fromkeys(keys, (error.code, error.carrier_words or error.message)))
            if error.halts_run:
                raise
        else:
            ctx.progress("put_to_rest", {"sims": len(keys)})
        return ()

    def _settle(
        self, items: Sequence[CutoverItem], fresh: Mapping[str, Item], unread: Mapping[str, Told], asked_at: float
    ) -> None:
        """Settle pauses that were ordered, by what the read shows.

        A pause that no read can show is settled once its time is up.
        """
        moves: dict[StepEvent, dict[str, tuple[str, str]]] = {}
        for item in items:
            step = item.steps.get(StepKind.PAUSE)
            if step is None or step.state is not StepState.UNCERTAIN:
                continue
            waited_s = self.ctx.steady.waited_s(step.since, asked_at)
            if item.key in unread:
                event = StepEvent.PROBED_CONFLICT if _is_time_up(step, waited_s) else None
                told = (unread[item.key].code, unread[item.key].words)
            else:
                event = _outcome(step, fresh[item.key].target, waited_s)
                told = (step.code, step.message) if event is StepEvent.PROBED_CONFLICT else ("", "")
            if event is not None:
                moves.setdefault(event, {})[item.key] = told
        for event, keys in moves.items():
            self.ctx.move(StepKind.PAUSE, event, keys)


def _wants_pause(item: CutoverItem) -> bool:
    """True if the old SIM is proved on and the pause open.

    The pause is open while the new SIM is not known to be paused.
    """
    is_open = item.state_of(StepKind.PAUSE) in {StepState.PENDING, StepState.UNCERTAIN}
    return is_settled_as_wanted(item, StepKind.SOURCE) and is_open


def _is_on(look: Look) -> bool:
    return look.sight.sim is not None and look.sight.sim.status is SourceStatus.ENABLED


def _outcome(step: CutoverStep, target: TargetLink | None, waited_s: float) -> StepEvent | None:
    """Return the event of a pause by a read, or None.

    None while the read decides nothing yet.
    """
    if target is not None and target.state in {LinkState.PAUSED_USER, LinkState.PAUSED_SYSTEM}:
        return StepEvent.PROBED_PRESENT
    is_moving = target is not None and target.state.is_pending
    if is_moving or not _is_time_up(step, waited_s):
        return None
    is_enough = SETTLING[step.doubt].is_over(step.kind, step.attempts)
    return StepEvent.PROBED_CONFLICT if is_enough else StepEvent.PROBED_ABSENT


def _is_time_up(step: CutoverStep, waited_s: float) -> bool:
    """True if a pause would have shown by now."""
    return waited_s >= PAUSE_S * step.attempts
