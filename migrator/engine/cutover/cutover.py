"""Run of `cutover apply` or `rollback apply`.

Wave by wave the run reads, orders and proves; then it checks the gate.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import anyio.lowlevel

from migrator.core.cutover.plan import Aside, CutoverItem, Direction, is_as_found
from migrator.core.cutover.results import CutoverResult
from migrator.core.cutover.rules import Told, is_done, is_open
from migrator.core.fleet.sims import SourceSim
from migrator.core.run.gates import Gate, broken_bound, gate, way_on
from migrator.core.run.packing import slices
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind, StepState
from migrator.core.run.steps import Failures, Verdict
from migrator.engine.cutover.context import CutoverContext
from migrator.engine.cutover.evidence import Evidence
from migrator.engine.cutover.new_sims import NewSims
from migrator.engine.cutover.notices import asked_of_hook, notices_at_end, notices_of_wave
from migrator.engine.cutover.old_sims import OldSims
from migrator.engine.run.unforeseen import alone_if_need_be, sim_by_sim
from migrator.errors import Halted, InputError, Interrupted, MigratorError

__all__ = ["CutoverRun"]

FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 300.0
SLICE = 2500
SHOWN = 5


@dataclass(slots=True)
class CutoverRun:
    """Carry out one cutover or rollback plan, from any state."""

    ctx: CutoverContext
    _old: OldSims = field(init=False)
    _new: NewSims = field(init=False)
    _evidence: Evidence = field(init=False)
    _not_alive: dict[str, str] = field(default_factory=dict, init=False)
    _waits_for: str | None = field(default=None, init=False)  # the wave whose gate cannot decide yet

    def __post_init__(self) -> None:
        self._new = NewSims(self.ctx)
        self._evidence = Evidence(self.ctx)
        self._old = OldSims(self.ctx, sim_by_sim(self._guard), self._ask_hook)

    async def _guard(self, seen: Mapping[CutoverItem, SourceSim]) -> Mapping[str, Told]:
        """Return the SIMs that must not be ordered, with the reason.

        No old SIM is switched off while it is in use, or while its new SIM is dead or in another unit.
        """
        if self.ctx.header.direction is not Direction.CUTOVER:
            return {}
        dead = await self._new.not_alive(list(seen))
        alive = {item: sim for item, sim in seen.items() if item.key not in dead}
        outdated = await self._evidence.outdated(list(alive))
        rest = {item: sim for item, sim in alive.items() if item.key not in outdated}
        return {**await self._new.elsewhere(rest), **outdated, **dead}

    async def run(self) -> CutoverResult:
        """Carry the plan out as far as possible now.

        Returns: the result of the run, with the reason why the run stopped.
        """
        try:
            await self.ctx.carry_out(self._all_waves)
        except Interrupted as stop:
            return await self._stopped(ExitCode(stop.exit_code), stop.reason, self._way_on())
        except MigratorError as error:
            words = getattr(error, "carrier_words", "")
            reason = f"{error.message} (they said: {words})" if words and words not in error.message else error.message
            return await self._stopped(ExitCode(error.exit_code), reason, error.hint, error.cause)
        return await self._finished()

    async def _all_waves(self) -> None:
        ctx = self.ctx
        ctx.journal.reclaim_in_flight(ctx.cutover_id, ctx.now())
        ctx.look_at_server()
        await ctx.source.open()
        account = await ctx.target.account()
        if account.org_id != ctx.header.org_id:
            raise InputError(
                f"the plan is for organization {ctx.header.org_id}, and the settings name {account.org_id}",
                code="other_organization",
                hint="set HOLOGRAM_ORG_ID to the plan's organization",
            )
        names, only, wait_s = ctx.header.waves, ctx.options.wave, ctx.options.wait_s
        for number, wave in enumerate(names):
            if number:
                await self._open_gate(names[number - 1], wave)
            if only in {None, wave}:
                wait_s -= await self._one(wave, wait_s)
            if wave in {names[-1], only}:
                await self._look_after(wave)
                return

    async def _one(self, wave: str, wait_s: float) -> float:
        """Order and prove the SIMs of a wave.

        Returns: the seconds spent waiting.
        """
        ctx = self.ctx
        ctx.progress("wave", {"wave": wave})
        for batch in slices(ctx.plans.items(ctx.cutover_id, wave), ctx.options.batch):
            await ctx.stopper.give_way()
            await self._handle([item for item in batch if is_open(item, ctx.header.direction)])
        return await self._wait_for(wave, wait_s)

    async def _handle(self, items: Sequence[CutoverItem]) -> None:
        """Settle what was sent, and send what is missing, once.

        In a rollback, pause also the new SIMs that may be paused.
        """
        if not items:
            return
        keys = [item.key for item in items]
        await self._old.prove(items)
        fresh = self._fresh(keys)
        if self.ctx.header.direction is Direction.CUTOVER:
            pending = [item for item in fresh if item.state_of(StepKind.SOURCE) is StepState.PENDING]
            await alone_if_need_be(pending, self._ask_ahead)
        await self._old.order(fresh)
        if self.ctx.header.direction is Direction.ROLLBACK:
            await self._new.pause(self._fresh(keys), self._old.look)
        self._check_failures()

    async def _ask_hook(self, wave: str | None) -> None:
        """Ask `before_cutover` before an old SIM is switched off.

        A rollback is never asked about: it gives a unit back what it had.

        Raises: Halted, if the hook has a veto.
        """
        if not self.ctx.has_hook:
            return
        left = len(await self._open_keys(str(wave)))
        await self.ctx.may_send(wave, lambda: asked_of_hook(self.ctx, left))

    async def _ask_ahead(self, items: Sequence[CutoverItem]) -> Mapping[str, Told]:
        """Ask for evidence before the SIMs are read.

        Where that meets a defect there is no answer; the guard then asks again and reports the SIM.
        """
        await self._evidence.ask(items)
        return {}

    def _fresh(self, keys: Sequence[str]) -> Sequence[CutoverItem]:
        return self.ctx.plans.items_by_key(self.ctx.cutover_id, keys)

    async def _wait_for(self, wave: str, wait_s: float) -> float:
        """Repeat until every order of a wave is proved.

        The pauses between the rounds grow.

        Returns: the seconds spent waiting.
        """
        ctx, waited_s, pause_s = self.ctx, 0.0, FIRST_PAUSE_S
        while keys := await self._open_keys(wave):
            left_s = wait_s - waited_s
            if left_s <= 0:
                break
            ctx.progress("unproved", {"sims": len(keys), "wave": wave, "left_s": round(left_s)})
            await ctx.stopper.sleep(min(pause_s, left_s))
            waited_s += min(pause_s, left_s)
            pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)
            for batch in slices(keys, ctx.options.batch):
                await self._handle(self._fresh(batch))
        return waited_s

    async def _open_keys(self, wave: str) -> list[str]:
        ctx, keys = self.ctx, list[str]()
        for batch in slices(ctx.plans.items(ctx.cutover_id, wave), SLICE):
            await anyio.lowlevel.checkpoint()  # the stopper is not asked: a run that was stopped counts them, too
            keys += [item.key for item in batch if is_open(item, ctx.header.direction)]
        return keys

    # --- gates ----------------------------------------------------------------------------------------------------

    async def _look_after(self, wave: str) -> Counter[str]:
        """Count the SIMs of a wave that are "ok", "open" or neither.

        The new SIMs of a cutover are read once more. A SIM counts as ok when it is where the plan wants it and, after a
        cutover, its new SIM is still alive.
        """
        ctx, found = self.ctx, Counter[str]()
        for batch in slices(ctx.plans.items(ctx.cutover_id, wave), ctx.options.batch):
            await ctx.stopper.give_way()
            done = [item for item in batch if is_done(item, ctx.header.direction)]
            found["open"] += sum(is_open(item, ctx.header.direction) for item in batch)
            found["all"] += sum(not item.is_left_by_operator for item in batch)
            dead = await self._new.not_alive(done) if done and ctx.header.direction is Direction.CUTOVER else {}
            found["ok"] += len(done) - len(dead)
            self._not_alive |= {item.row.source_iccid.digits: dead[item.key].words for item in done if item.key in dead}
        return found

    async def _open_gate(self, before: str, wave: str) -> None:
        """Open the gate of a wave.

        Raises: Halted, if too few SIMs of the wave before are as wanted; Interrupted, if the run still works on them.
        """
        found, share = await self._look_after(before), self.ctx.gates.verified_share
        rest = found["all"] - found["ok"] - found["open"]
        state = gate({Verdict.OK: found["ok"], Verdict.PENDING: found["open"], Verdict.MISMATCH: rest}, share)
        words = f"wave {before!r} has {found['ok']} of {found['all']} SIMs switched, proved and alive"
        if state is Gate.OPEN:
            self.ctx.around.tell(notices_of_wave(self.ctx, before, words, wave), self.ctx.now())
            return
        if state is Gate.UNDECIDED:
            self._waits_for = before
            raise Interrupted(f"{words}, and {found['open']} that are not proved yet", ExitCode.RESUMABLE)
        raise Halted(
            f"wave {wave!r} stays closed: {words}, and [gates] verified_share asks for {share}{self._silent_words()}",
            code="gate_closed",
            hint="mend the cause and run the same command again, or go back with `migrator rollback plan`",
        )

    def _check_failures(self) -> None:
        """Halt the run if more SIMs failed than the policy allows.

        SIMs that were skipped because of trouble count too.

        Raises: Halted.
        """
        gates, counts = self.ctx.gates, self.ctx.journal.step_codes(self.ctx.cutover_id)
        bad = _troubles(counts)
        begun = sum(n for (kind, *_), n in counts.items() if kind is StepKind.SOURCE)
        broken = broken_bound(Failures(by_wave={"": bad.total()}, by_code=bad, begun={"": begun}), gates)
        if broken is not None:
            codes = ", ".join(f"{code} {count}" for code, count in bad.most_common(SHOWN))
            raise Halted(
                f"{broken}; what could not be switched: {codes}",
                code="too_many_failures",
                hint="mend the cause, then make a new plan",
            )

    # --- the end --------------------------------------------------------------------------------------------------

    def _way_on(self) -> str:
        """Return the command that continues the plan."""
        waits_for = None if self.ctx.options.wave is None else self._waits_for
        own = f"migrator {self.ctx.header.direction} apply {self.ctx.cutover_id}"
        return way_on(self.ctx.around.way_on(own), waits_for)

    def _silent_words(self) -> str:
        if not self._not_alive:
            return ""
        named = ", ".join(list(self._not_alive)[:SHOWN])
        return f". {len(self._not_alive)} SIMs are off while their new SIM is not alive: {named}"

    async def _finished(self) -> CutoverResult:
        left = await self._open_by_wave()
        only = self.ctx.options.wave if left.total() else None  # the end of the plan is told as a whole
        counts = self.ctx.journal.step_codes(self.ctx.cutover_id, only)
        bad = _troubles(counts) + _changed(counts)
        if unproved := left.total() if only is None else left[only]:
            reason = f"{unproved} SIMs are not proved yet: the order is with the carrier{self._silent_words()}"
            return self._result(left, ExitCode.RESUMABLE, reason, "run the same command again later")
        if bad or self._not_alive:
            reason = f"done; {sum(bad.values()) + len(self._not_alive)} SIMs need attention{self._silent_words()}"
            return self._result(left, ExitCode.ATTENTION, reason, "`migrator cutover show` lists them")
        whole = "the plan" if only is None else f"wave {only!r}"
        return self._result(left, ExitCode.DONE, f"every SIM of {whole} is switched and proved", "")

    async def _stopped(self, exit_code: ExitCode, reason: str, hint: str, cause: str = "") -> CutoverResult:
        return self._result(await self._open_by_wave(), exit_code, reason, hint, cause)

    async def _open_by_wave(self) -> Counter[str]:
        """Count the SIMs that are not settled, by wave."""
        return Counter({wave: len(await self._open_keys(wave)) for wave in self.ctx.header.waves})

    def _result(
        self, left: Counter[str], exit_code: ExitCode, reason: str, hint: str, cause: str = ""
    ) -> CutoverResult:
        ctx = self.ctx
        counts = ctx.journal.step_codes(ctx.cutover_id)
        source = {key[1:]: count for key, count in counts.items() if key[0] is StepKind.SOURCE}
        result = CutoverResult(
            cutover_id=ctx.cutover_id,
            run_id=ctx.run_id,
            exit_code=exit_code,
            reason=reason,
            hint=hint,
            writes=ctx.journal.requests_of(ctx.run_id),
            proved=sum(count for (state, _), count in source.items() if state is StepState.DONE),
            already=sum(count for (state, code), count in source.items() if is_as_found(state, code)),
            paused=sum(n for (kind, state, _), n in counts.items() if (kind, state) == _PAUSED),
            unproved=left.total(),
            aside=_trouble(counts, StepState.SKIPPED),
            failed=_trouble(counts, StepState.FAILED),
            changed=_changed(counts),
            not_alive=tuple(self._not_alive),
            cause=cause or reason,
        )
        ctx.end(exit_code, reason, notices_at_end(ctx, result))
        return result


_PAUSED = (StepKind.PAUSE, StepState.DONE)

_Counts = Mapping[tuple[StepKind, StepState, str], int]


def _trouble(counts: _Counts, state: StepState) -> Counter[str]:
    """Count steps that ended in a state and need attention, by code."""
    found = Counter[str]()
    for (_, was, code), count in counts.items():
        if was is state and not is_as_found(was, code):
            found[code] += count
    return found


def _troubles(counts: _Counts) -> Counter[str]:
    """Count steps that failed or were skipped because of trouble, by code.

    What an operator left behind is no trouble.
    """
    found = _trouble(counts, StepState.FAILED) + _trouble(counts, StepState.SKIPPED)
    del found[Aside.LEFT_BY_OPERATOR]
    return found


def _changed(counts: _Counts) -> Counter[str]:
    """Count switched SIMs that lost their label or IMEI lock.

    The counts are by code.
    """
    found = Counter[str]()
    for (kind, state, code), count in counts.items():
        if kind is StepKind.SOURCE and state is StepState.DONE and code:
            found[code] += count
    return found
