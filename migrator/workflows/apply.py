"""Carrying a plan out at the target, and going on with it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from migrator import wiring
from migrator.carriers.dryrun import DryRunTarget, Sent
from migrator.core.fleet.units import n_sims
from migrator.core.plan.plan import PlanHeader
from migrator.core.plan.refs import ref_of
from migrator.core.policy.policy import Policy
from migrator.core.run.control import halted_by
from migrator.core.run.results import ApplyResult, ExitCode
from migrator.engine.apply.apply import Applying
from migrator.engine.run.around import Around
from migrator.engine.run.context import ApplyOptions, Context, Stopper
from migrator.errors import InputError, NotConfirmed, StalePlan
from migrator.inputs.policy.file import stored_policy
from migrator.ports import TargetPlatform
from migrator.store import Owner, PlanState, Store
from migrator.workflows.lookups.plans import unfinished_besides
from migrator.workflows.notices.around import around_claims
from migrator.workflows.notices.deliver import deliver_after_run
from migrator.workflows.plans.make import settle_earlier
from migrator.workflows.plans.refusals import must_be_whole, refuse_of_campaign, refuse_stale, require_approvals
from migrator.workflows.site import Site, holding

__all__ = [
    "Bounds",
    "apply",
    "applying",
    "carry_out",
    "carry_out_held",
    "dry_run",
    "have_confirmed",
    "must_be_confirmed",
    "must_be_ready",
]

STALE_HINT = "make a new plan: SIMs that are claimed already will be adopted, not claimed again"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of one run.

    Args:
        max_sims: the most SIMs to claim now; None: no bound.
        wave: the only wave to work on; None: all.
        wait_s: how long to stay for SIMs that are only pending; None: what the settings say.
        max_duration_s: how long to go on; None: no bound.
        adopt_tagged: how many SIMs may be taken over that carry our tag though this store never claimed them.
        ref: the change or ticket that the run is for, as `ref_of` takes it.
        is_ordered: whether it is a worker's, by an order.
        is_spent: asked before each claim; True once a campaign may claim nothing more. None: it is no campaign's.
    """

    max_sims: int | None = None
    wave: str | None = None
    wait_s: float | None = None
    max_duration_s: float | None = None
    adopt_tagged: int | None = None
    ref: str = ""
    is_ordered: bool = False
    is_spent: Callable[[], bool] | None = None


def apply(
    site: Site,
    plan_id: str,
    *,
    confirm: int | None = None,
    confirm_pauses: int | None = None,
    bounds: Bounds = Bounds(),
) -> ApplyResult:
    """Carry a plan out, or go on with it, in one call.

    The command line takes the same steps, and asks a person between them. A claim bills at once and cannot be undone.
    The same call goes on after any interruption: it reads first, and sends only what is missing.

    Args:
        site: the store of the plan.
        plan_id: the plan.
        confirm: how many SIMs the plan claims (`PlanHeader.claims`); its first run asks for it.
        confirm_pauses: how many live SIMs the plan pauses, if any.
        bounds: where this run ends.

    Returns: the result, whatever its exit code; a carrier in trouble raises nothing.
    Raises: InputError, for a wrong number; StalePlan; Halted, for an order or missing approvals; StoreBusy.
    """
    store, header = site.store, site.store.plans.header(plan_id)
    must_be_whole(store, header, lines=False)
    for words in (*site.settings.warnings, *must_be_ready(store, header)):
        site.warn(words)
    must_be_confirmed(store, header, confirm, confirm_pauses)
    return carry_out(site, header, bounds)


def must_be_ready(store: Store, header: PlanHeader) -> list[str]:
    """Refuse a plan that may not be carried out, and return warnings.

    Raises: StalePlan or Halted, if the plan is stale, used up, held by an order, or not approved.
    """
    if store.plans.state(header.plan_id) == "finished":
        raise StalePlan(f"plan {header.plan_id} was finished meanwhile", code="plan_used", hint="make a new plan")
    warnings = refuse_stale(store, header, STALE_HINT)
    order = store.steering.order(header.plan_id)
    if order is not None:
        raise halted_by(order, header.plan_id)
    require_approvals(store, header)
    return warnings


def must_be_confirmed(store: Store, header: PlanHeader, claims: int | None, pauses: int | None) -> None:
    """Refuse a plan's first run without the right numbers.

    Raises: InputError, for another number of claims or of pauses, or for none.
    """
    if claims is not None and claims != header.claims:
        raise NotConfirmed(
            f"the plan claims {n_sims(header.claims)}, not {claims}; nothing was sent",
            hint="confirm the number that `migrator plan show` prints",
        )
    if store.plans.state(header.plan_id) == "started":
        return
    live = header.summary.get("live_pauses", 0)
    if live and pauses != live:
        raise InputError(
            f"plan {header.plan_id} pauses what is live at Hologram now, {n_sims(live)}: their units fall silent",
            code="confirm_pauses",
            hint="old SIMs that are off, and not by a cutover of this store, count as disabled, and [status] disabled "
            "may say pause: set it to live in the policy and make a new plan; or, if it is meant, add "
            f"--confirm-pauses {live}",
        )
    if header.claims and claims is None:
        raise NotConfirmed(
            f"plan {header.plan_id} claims {n_sims(header.claims)}, which bills at once and cannot be undone",
            hint=f"look at `migrator plan show {header.plan_id}`, then add --confirm {header.claims}",
        )


def have_confirmed(
    store: Store, header: PlanHeader, claims: int | None, pauses: int | None, ask: Callable[[], int] | None
) -> None:
    """Have the number of claims confirmed before a plan's first run.

    Claims cannot be taken back. Pauses of live SIMs must be confirmed, too.

    Args:
        store: with the plan.
        header: of the plan.
        claims: how many claims were confirmed; None for no word.
        pauses: how many pauses were confirmed; None for no word.
        ask: asks a person for the number of claims; None where nobody can be asked.

    Raises: InputError, if a number is wrong, or nobody can be asked.
    """
    is_asked_for = claims is None and header.claims and store.plans.state(header.plan_id) != "started"
    if is_asked_for and ask is not None:
        must_be_confirmed(store, header, header.claims, pauses)
        claims = ask()
    try:
        must_be_confirmed(store, header, claims, pauses)
    except NotConfirmed as error:
        begun = unfinished_besides(store, header.plan_id) if is_asked_for and claims is None else None
        if begun is None:
            raise
        hint = f"{error.hint}; or `migrator apply {begun}`, to go on with the plan that was begun"
        raise NotConfirmed(error.message, hint=hint) from error


def carry_out(site: Site, header: PlanHeader, bounds: Bounds) -> ApplyResult:
    """Run a plan that is confirmed, under the lease of the store."""
    refuse_of_campaign(site.store, header)
    with holding(site) as me:
        result = carry_out_held(site, header, bounds, me)
    deliver_after_run(site)
    return result


def carry_out_held(site: Site, header: PlanHeader, bounds: Bounds, me: Owner) -> ApplyResult:
    """Run a plan that is confirmed.

    The caller holds the lease, and delivers the notices once it gave it back.
    """
    store = site.store
    ref_of(bounds.ref or None)
    must_be_ready(store, header)  # again, as others may have been at it while the confirmation was awaited
    must_be_whole(store, header)
    if not bounds.is_ordered and store.plans.state(header.plan_id) == PlanState.CREATED:
        store.given.forget(header.plan_id)  # an earlier order may have been taken back: how far it goes is said now

    async def body(stopper: Stopper) -> ApplyResult:
        async with site.outside.target(site.settings, store, stopper) as target, site.heartbeat(me, stopper):
            stopper.obey(store.signs, header.plan_id, site.progress)
            ctx = _context_of(
                site, header, bounds, target=target, stopper=stopper, owner=wiring.runner(me), is_real=True
            )
            return await applying(store, ctx).run()

    result = site.outside.run_async(body)
    if result.exit_code in {ExitCode.DONE, ExitCode.ATTENTION} and not result.is_open:
        store.plans.finish(header.plan_id, site.now())
    return result


def applying(store: Store, ctx: Context) -> Applying:
    """Return a run of `apply` that also settles other plans.

    The claims of other plans are settled before the run claims anything.
    """
    settle_others = partial(
        settle_earlier,
        store,
        ctx.target,
        absent_after_s=ctx.options.absent_after_s,
        claim_timeout_s=ctx.options.claim_timeout_s,
        clock=ctx.clock,
        stopper=ctx.stopper,
        progress=ctx.progress,
        but=ctx.plan_id,
    )
    return Applying(ctx, settle_others)


def dry_run(site: Site, header: PlanHeader, bounds: Bounds, sent: Sent) -> ApplyResult:
    """Run the true engine on a copy of the store.

    `sent` gets each write in place of the carrier.
    """
    with site.store.scratch_copy() as scratch:
        on_copy = replace(site, store=scratch)

        async def body(stopper: Stopper) -> ApplyResult:
            async with site.outside.target(site.settings, site.store, stopper, read_only=True) as real:
                target = DryRunTarget(real, sent)
                ctx = _context_of(
                    on_copy, header, bounds, target=target, stopper=stopper, owner="dry run", is_real=False
                )
                return await Applying(ctx).run()

        return site.outside.run_async(body)


def _context_of(
    site: Site,
    header: PlanHeader,
    bounds: Bounds,
    *,
    target: TargetPlatform,
    stopper: Stopper,
    owner: str,
    is_real: bool,
) -> Context:
    """Begin a run in the journal, and return its surroundings.

    A run that is not real is a dry one: no wave rests, no hook is asked, and nobody is told.
    """
    store, settings, clock = site.store, site.settings, site.clock
    policy = _policy_of(store, header.plan_id)
    ref = bounds.ref
    around = around_claims(site, policy, header.plan_id, ref=ref, who=owner)
    return Context(
        header=header,
        policy=policy,
        run_id=store.journal.start_run(header.plan_id, owner, clock.now().timestamp(), ref=ref),
        target=target,
        journal=store.journal,
        clock=clock,
        options=ApplyOptions(
            max_sims=bounds.max_sims,
            is_spent=bounds.is_spent,
            adopt_tagged=bounds.adopt_tagged,
            wave=bounds.wave,
            soaks=is_real,
            max_duration_s=bounds.max_duration_s,
            wait_s=settings.settle_timeout_s if bounds.wait_s is None else bounds.wait_s,
            absent_after_s=settings.absent_after_s,
            claim_timeout_s=settings.claim_timeout_s,
            claim_batch=settings.claim_batch,
            batch=settings.batch,
        ),
        stopper=stopper,
        progress=site.progress,
        hooks=site.outside.hooks,
        around=around if is_real else Around(),
    )


def _policy_of(store: Store, plan_id: str) -> Policy:
    """Return the policy that a plan is carried out by.

    The plans of a campaign are small: the error budget over all of them bounds failures, and not a share of each.
    """
    policy = stored_policy(store.plans.policy_text(plan_id), name=f"policy of {plan_id}")
    campaign = store.campaigns.of_plan(plan_id)
    if campaign is None or policy.campaign is None:
        return policy
    bounds = replace(policy.gates, max_failures=policy.campaign.most_failures, max_failure_share=Decimal(1))
    return replace(policy, gates=bounds)
