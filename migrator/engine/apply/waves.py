"""Waves of a plan, one after another: claim, set, verify.

The next wave opens when enough SIMs of the last wave are verified and that wave has rested.
"""

import math
from dataclasses import dataclass, field, replace
from datetime import timedelta

from migrator.core.run.gates import Gate
from migrator.core.run.packing import claim_runs
from migrator.core.run.results import ExitCode
from migrator.core.run.steps import Verdict
from migrator.engine.apply.change import Changer
from migrator.engine.apply.claim import Claimer
from migrator.engine.apply.converge import Converger
from migrator.engine.apply.guards import gate_after
from migrator.engine.apply.notices import notices_of_wave
from migrator.engine.apply.strangers import Strangers
from migrator.engine.run.context import Context
from migrator.errors import Halted, Interrupted, MostClaimed, PlatformError

__all__ = ["Waves"]


@dataclass(slots=True)
class Waves:
    """Carry out the waves of a plan, in their order."""

    ctx: Context
    claimer: Claimer
    changer: Changer
    converger: Converger
    strangers: Strangers
    _wait_s: float = field(init=False)  # what is left of the time for SIMs that are only pending, and for soaking

    def __post_init__(self) -> None:
        self._wait_s = self.ctx.options.wait_s

    async def carry_out(self) -> None:
        """Carry out the waves as far as the gates allow.

        Ends after the wave that was asked for, if any.

        Raises: Halted (a gate is closed, a cap is reached), Interrupted (a gate cannot decide yet, a wave rests).
        """
        names, only = self.ctx.header.waves, self.ctx.options.wave
        for number, wave in enumerate(names):
            if number:
                await self._open(names[number - 1], wave)
            is_last = wave in {names[-1], only}
            if only in {None, wave}:
                await self._one(wave, is_last=is_last)
            else:  # its gate is asked, so it is looked at, and left as it is
                await replace(self.converger, changer=None).converge(wave, wait_s=0)
            if is_last:
                return

    async def _one(self, wave: str, *, is_last: bool) -> None:
        ctx = self.ctx
        ctx.progress("wave", {"wave": wave})
        for run in claim_runs(ctx.journal.items(ctx.plan_id, wave=wave), most=ctx.options.claim_batch):
            keys = [item.key for item in run]  # some of them were held a while: they are read anew
            await self.claimer.claim(ctx.journal.items_by_key(ctx.plan_id, keys))
            await self.strangers.check(ctx.journal.items_by_key(ctx.plan_id, keys))
            await self.changer.send_missing(ctx.journal.items_by_key(ctx.plan_id, keys))
        if is_last:  # what earlier waves left pending is waited for here
            await self._converge(None if ctx.options.wave is None else wave)
        else:
            await self._converge(wave, may_go_on=True)
        if gate_after(ctx, wave) is Gate.OPEN:
            self._reached_at(wave)
        await self._note_jobs(wave)
        if self.claimer.stays_in_test:
            raise Halted(
                f"a claim did not end the Test Mode of the first SIM, and none was sent for the others in Test Mode: "
                f"{self.claimer.stays_in_test}",
                code="stays_in_test_mode",
                hint='end it in the dashboard, or set [claim] test_mode = "adopt_when_live"; then make a new plan',
            )
        if self.claimer.is_spent:
            raise MostClaimed(
                "too many of the campaign's newest units failed: nothing more is claimed",
                hint="mend the cause, then `migrator campaign resume --by NAME`",
            )
        if self.claimer.is_capped:
            raise MostClaimed(
                f"--max-sims {ctx.options.max_sims} is reached",
                hint="run the same command again for the next ones",
            )

    async def _converge(self, wave: str | None, *, may_go_on: bool = False) -> None:
        """Wait for the SIMs of a wave.

        Where the next wave may open without the last SIMs, the run does not wait for these.
        """

        def is_enough() -> bool:
            return may_go_on and wave is not None and gate_after(self.ctx, wave) is Gate.OPEN

        self._wait_s -= await self.converger.converge(wave, wait_s=self._wait_s, until=is_enough)

    async def _open(self, before: str, wave: str) -> None:
        """Open a wave.

        Raises: Halted, if the wave before has not enough verified SIMs; Interrupted, if that wave may have enough
            later.
        """
        self._check_gate(before, wave)
        soak_s = _soak_s(self.ctx, before)
        if not soak_s or not self.ctx.options.soaks:
            return
        open_at = -math.inf
        while open_at != (anew := self._reached_at(before) + soak_s):  # lost and reached again while it rested
            open_at = anew
            rest_s = min(open_at - self.ctx.now(), soak_s)  # what was noted may count a nap that this clock does not
            if rest_s > 0:
                await self._rest(before, rest_s)
                self._check_gate(before, wave)

    def _reached_at(self, wave: str) -> float:
        ctx = self.ctx
        told = notices_of_wave(ctx, wave)
        return ctx.journal.gate_reached(ctx.plan_id, wave, ctx.steady.latest().timestamp(), told=told)

    async def _rest(self, wave: str, rest_s: float) -> None:
        """Wait while a wave rests, then read its SIMs again.

        Something may have gone wrong with the SIMs meanwhile.

        Raises: Interrupted, if the wave rests longer than this run is to wait.
        """
        if rest_s > self._wait_s:
            until = self.ctx.steady.latest() + timedelta(seconds=rest_s)
            words = f"wave {wave!r} rests until {until:%Y-%m-%d %H:%M:%S} UTC"
            raise Interrupted(words, ExitCode.RESUMABLE, again_at=until.timestamp())
        self.ctx.progress("resting", {"wave": wave, "left_s": round(rest_s)})
        await self.ctx.stopper.sleep(rest_s)
        self._wait_s -= rest_s
        self.converger.read_since = self.ctx.now()
        only = self.ctx.options.wave
        looking = self.converger if only in {None, wave} else replace(self.converger, changer=None)
        await looking.converge(wave, wait_s=0)

    def _check_gate(self, before: str, wave: str) -> None:
        """Refuse a gate that is not open.

        Raises: Halted, if the gate is closed; Interrupted, if the gate cannot decide.
        """
        ctx = self.ctx
        decision = gate_after(ctx, before)
        if decision is Gate.OPEN:
            return
        ctx.journal.gate_lost(ctx.plan_id, before, ctx.now())
        verdicts = ctx.journal.verdicts(ctx.plan_id, before)
        verified, total = verdicts.get(Verdict.OK, 0), sum(verdicts.values())
        share = f"[gates] verified_share asks for {ctx.policy.gates.verified_share}"
        if decision is Gate.UNDECIDED:
            words = f"wave {wave!r} waits: {verified} of {total} SIMs of wave {before!r} are verified, and {share}"
            raise Interrupted(words, ExitCode.RESUMABLE)
        raise Halted(
            f"wave {wave!r} stays closed: {verified} of {total} SIMs of wave {before!r} are verified, and {share}",
            code="gate_closed",
            hint="`migrator status` shows what differs; mend it, `migrator retry` or `migrator skip` what failed, and "
            "run the same command again",
        )

    async def _note_jobs(self, wave: str) -> None:
        """Note the carrier's own status of the jobs of this wave.

        The status proves nothing, and we may have no right to read the jobs.
        """
        ctx = self.ctx
        mine = ctx.journal.job_ids(ctx.plan_id, wave)
        if not mine:
            return
        try:
            jobs = await ctx.target.jobs()
        except PlatformError:
            return
        for job in jobs or ():
            if job.job_id in mine:
                ctx.journal.job_status(job.job_id, job.status)


def _soak_s(ctx: Context, wave: str) -> float:
    return next((one.soak_s for one in ctx.policy.waves if one.name == wave), 0.0)
