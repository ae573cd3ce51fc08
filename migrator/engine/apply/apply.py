"""Run of `apply`: observe the target, then carry out the waves.

Wave by wave the run claims, sets, names and verifies what is missing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from itertools import takewhile

from migrator.core.plan.plan import Action
from migrator.core.policy.policy import LimitsTiming
from migrator.core.run.gates import Gate, must_be_a_wave, way_on
from migrator.core.run.packing import slices
from migrator.core.run.results import ApplyResult, ExitCode
from migrator.core.run.states import StepKind, StepState
from migrator.core.run.steps import Verdict
from migrator.engine.apply.change import Changer, copied_tag_ids_of, stock_tag_id_of, tag_id_of
from migrator.engine.apply.claim import Claimer
from migrator.engine.apply.converge import Converger
from migrator.engine.apply.guards import Money, gate_after
from migrator.engine.apply.notices import asked_of_hook, notices_at_end
from migrator.engine.apply.secure import Securer
from migrator.engine.apply.settle import settle_claims, settle_settings
from migrator.engine.apply.strangers import Strangers
from migrator.engine.apply.waves import Waves
from migrator.engine.run.context import Context
from migrator.engine.run.read_targets import Reader, by_our_clock, targets_of
from migrator.errors import Halted, InputError, Interrupted, MigratorError, MostClaimed, NotAuthorised
from migrator.ports import TargetIdentity

__all__ = ["Applying"]

LITE_LIMITS = "bmp_feature_lite_data_usage_limits"
BULK_RENAME = "bulk_rename"
SLICE = 2500


async def _no_others() -> None:
    """Settle nothing: the store holds no other plan."""


@dataclass(slots=True)
class Applying:
    """Apply one plan, from whatever state the plan is in.

    Args:
        settle_others: settles the claims of other plans; awaited before this plan claims anything.
    """

    ctx: Context
    settle_others: Callable[[], Awaitable[None]] = _no_others
    _reader: Reader = field(init=False)

    def __post_init__(self) -> None:
        ctx = self.ctx
        self._reader = Reader(ctx.target, ctx.journal, ctx.clock, ctx.stopper, ctx.options.workers)

    async def run(self) -> ApplyResult:
        """Carry the plan out as far as possible now.

        Returns: the result of the run, with the reason why the run stopped.
        """
        try:
            await self.ctx.carry_out(self._all_waves)
        except Interrupted as stop:
            return replace(self._result(ExitCode(stop.exit_code), stop.reason, self._way_on()), again_at=stop.again_at)
        except MigratorError as error:
            return self._result(ExitCode(error.exit_code), error.message, error.hint, error)
        return self._finished()

    async def settle(self) -> None:
        """Settle the claims that an earlier run left without an outcome.

        Only reads; sends nothing.
        """
        self._note_patience()
        self.ctx.journal.reclaim_in_flight(self.ctx.plan_id, self.ctx.now())
        await self._settle_all(None)

    def _note_patience(self) -> None:
        """Let claims take as long as when they were sent, or longer."""
        longest_s = self.ctx.journal.claims_may_take(self.ctx.options.claim_timeout_s)
        self.ctx.options = replace(self.ctx.options, claim_timeout_s=longest_s)

    async def _all_waves(self) -> None:
        ctx, began_at = self.ctx, self.ctx.now()
        self._note_patience()
        ctx.journal.reclaim_in_flight(ctx.plan_id, began_at)
        must_be_a_wave(ctx.options.wave, ctx.header.waves)
        account = await ctx.target.account()
        if account.org_id != ctx.header.org_id:
            raise InputError(
                f"the plan is for organization {ctx.header.org_id}, and the settings name {account.org_id}",
                code="other_organization",
                hint="set HOLOGRAM_ORG_ID to the plan's organization, or make a new plan for this one",
            )
        await self._observe()
        await self._observe_after_failover()
        strangers = Strangers(ctx, self._reader)
        await strangers.check_all()
        securer = Securer(ctx, self._reader)
        await self._secure_all(securer)
        await self._settle_all(securer)
        await self.settle_others()
        money = await self._money(account)
        tag_id = await tag_id_of(ctx)
        copied = await copied_tag_ids_of(ctx)
        bulk_names = account.features is None or BULK_RENAME in account.features
        stock_tag_id = await stock_tag_id_of(ctx)
        changer = Changer(
            ctx,
            securer,
            tag_id,
            bulk_names=bulk_names,
            stock_tag_id=stock_tag_id,
            copied_tags=copied,
        )
        claimer = Claimer(ctx, self._reader, money, securer, tag_id)
        converger = Converger(ctx, self._reader, changer, read_since=began_at)
        await Waves(ctx, claimer, changer, converger, strangers).carry_out()

    async def _secure_all(self, securer: Securer) -> None:
        """Secure the SIMs that an earlier run claimed, before anything else.

        These SIMs get their limits and their state.
        """
        ctx = self.ctx
        for run in slices(ctx.journal.items(ctx.plan_id), ctx.options.claim_batch):
            await ctx.stopper.give_way()
            claimed = [item for item in by_our_clock(run, ctx.now()) if item.state_of(StepKind.CLAIM) is StepState.DONE]
            await securer.secure(settle_settings(ctx, claimed))

    async def _money(self, account: TargetIdentity) -> Money:
        """Return the guard of price, caps and balance, after its checks.

        The rights of the account are checked too. The claims still missing, in the plan or in the only wave to work on,
        are counted from the last read: a SIM that is ours by now costs nothing more.
        """
        ctx, money = self.ctx, Money(self.ctx)
        missing = await self._claims_missing()
        if not missing:
            return money
        await money.look()
        if account.permissions is not None and "activation" not in account.permissions:
            raise NotAuthorised(
                f"the API key may not activate SIMs in organization {account.org_id}",
                hint="use a key of a member with the Manager role or above",
            )
        if self._sets_limits_on_claim() and LITE_LIMITS in (account.features or ()):
            raise Halted(
                "this account may not set limits on the claim, and nothing was claimed",
                code="limits_on_claim",
                hint='set [claim] limits = "after_claim" in the policy and make a new plan',
            )
        most = ctx.options.max_sims
        await money.check(missing if most is None else min(missing, most))
        if not money.claimed():  # a tag would be made before the first claim
            first = ctx.options.wave or next(iter(ctx.header.waves), None)
            await ctx.around.may_send(first, lambda: asked_of_hook(ctx, money.price), ctx.steady)
        return money

    async def _claims_missing(self) -> int:
        ctx, missing = self.ctx, 0
        for run in slices(ctx.journal.items(ctx.plan_id, wave=ctx.options.wave), SLICE):
            await ctx.stopper.give_way()
            missing += sum(item.awaits_claim for item in run)
        return missing

    def _sets_limits_on_claim(self) -> bool:
        return self.ctx.policy.claim.limits is LimitsTiming.WITH_CLAIM

    async def _observe(self) -> None:
        """Read every target SIM of the plan before anything is sent."""
        ctx = self.ctx
        acting = sum(sims for action, sims in ctx.header.counts.items() if Action(action).acts)
        ctx.progress("observing", {"sims": acting})
        runs = slices(ctx.journal.items(ctx.plan_id), SLICE)
        await self._reader.read((target for run in runs for target in targets_of(run)), full=True)

    async def _observe_after_failover(self) -> None:
        """Read everything twice more if the store may have lost intents.

        A promoted standby may not know of claims that went out. What such a claim did is waited for as with any claim
        whose process died.
        """
        ctx = self.ctx
        if not ctx.journal.server_changed():
            return
        lag_s = ctx.options.absent_after_s
        waits_s = (ctx.options.claim_timeout_s + lag_s, lag_s)
        ctx.progress("server_changed", {"wait_s": round(sum(waits_s))})
        for wait_s in waits_s:
            await ctx.stopper.sleep(wait_s)
            await self._observe()
        ctx.journal.note_server()

    async def _settle_all(self, securer: Securer | None) -> None:
        """Settle every claim whose outcome an earlier run left unknown.

        `securer` secures the SIMs that turn out to be ours.
        """
        ctx, uncertain = self.ctx, list[str]()
        for run in slices(ctx.journal.items(ctx.plan_id), SLICE):
            await ctx.stopper.give_way()
            uncertain += [item.key for item in run if item.state_of(StepKind.CLAIM) is StepState.UNCERTAIN]
        if uncertain:
            await settle_claims(ctx, self._reader, uncertain, None if securer is None else securer.secure)

    def _finished(self) -> ApplyResult:
        wave = self.ctx.options.wave
        verdicts = self.ctx.journal.verdicts(self.ctx.plan_id, wave)
        waiting, staged = (verdicts.get(verdict, 0) for verdict in (Verdict.PENDING, Verdict.STAGED))
        blocked = self._blocked() if wave is None else 0
        attention = sum(verdicts.get(verdict, 0) for verdict in (Verdict.MISMATCH, Verdict.MISSING)) + blocked
        if attention:
            return self._result(ExitCode.ATTENTION, f"done; {attention} SIMs need attention", "see `migrator report`")
        if waiting:
            words = f"pending, not as planned yet: {waiting} of its SIMs"
            return self._result(ExitCode.RESUMABLE, words, "run the same command again later")
        if staged:
            words = f"staged, in Test Mode: {staged} of its SIMs; everything else is verified"
            return self._result(ExitCode.RESUMABLE, words, "run the same command again once they are live")
        whole = "the plan" if wave is None else f"wave {wave!r}"
        return self._result(ExitCode.DONE, f"every SIM of {whole} is verified", "")

    def _way_on(self) -> str:
        """Return the command that continues the plan."""
        only = self.ctx.options.wave
        earlier = () if only is None else takewhile(lambda wave: wave != only, self.ctx.header.waves)
        waits_for = next((wave for wave in earlier if gate_after(self.ctx, wave) is not Gate.OPEN), None)
        return way_on(self.ctx.around.way_on(f"migrator apply {self.ctx.plan_id}"), waits_for)

    def _blocked(self) -> int:
        return self.ctx.header.counts.get(Action.BLOCK, 0)

    def _result(self, exit_code: ExitCode, reason: str, hint: str, error: MigratorError | None = None) -> ApplyResult:
        ctx = self.ctx
        kept = f"{reason}; {hint}" if hint else reason
        words = getattr(error, "carrier_words", "")
        counts = ctx.journal.step_counts(ctx.plan_id)
        result = ApplyResult(
            plan_id=ctx.plan_id,
            run_id=ctx.run_id,
            exit_code=exit_code,
            reason=f"{reason} (Hologram: {words})" if words and words not in reason else reason,
            hint=hint,
            claimed=counts.get((StepKind.CLAIM, StepState.DONE), 0),
            writes=sum(run.requests for run in ctx.journal.runs(ctx.plan_id) if run.run_id == ctx.run_id),
            verdicts=ctx.journal.verdicts(ctx.plan_id),
            failed=ctx.journal.failure_codes(ctx.plan_id),
            blocked=self._blocked(),
            skipped=ctx.header.counts.get(Action.SKIP, 0),
            is_capped=isinstance(error, MostClaimed),
            cause=reason if error is None else error.cause,
        )
        ctx.end(exit_code, kept, notices_at_end(ctx, result))
        return result
