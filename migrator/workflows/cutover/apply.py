"""Carrying a cutover or rollback plan out, and going on with it."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from migrator import wiring
from migrator.carriers.dryrun import DryRunTarget, Sent
from migrator.carriers.dryrun_control import DryRunControl
from migrator.core.cutover.plan import CutoverHeader, Direction
from migrator.core.cutover.results import CutoverResult
from migrator.core.plan.refs import ref_of
from migrator.core.run.control import halted_by
from migrator.core.run.gates import must_be_a_wave
from migrator.engine.cutover.context import CutoverContext, CutoverOptions
from migrator.engine.cutover.cutover import CutoverRun
from migrator.engine.run.around import Around
from migrator.engine.run.context import Stopper
from migrator.errors import InputError, NotConfirmed, Problem, StalePlan
from migrator.inputs.policy.file import stored_policy
from migrator.ports import SourceControl, TargetPlatform
from migrator.store import PlanState, Store
from migrator.workflows.cutover.make import stale_reasons
from migrator.workflows.notices.around import around_cutover, around_rollback
from migrator.workflows.notices.deliver import deliver_after_run
from migrator.workflows.plans.refusals import cutover_must_be_whole
from migrator.workflows.site import Site, holding

__all__ = [
    "VERBS",
    "Carriers",
    "CutoverBounds",
    "carry_out_cutover",
    "context_of",
    "cutover_have_confirmed",
    "cutover_may_be_retried",
    "cutover_must_be_confirmed",
    "cutover_must_be_ready",
    "cutover_must_be_usable",
    "dry_run_cutover",
]

VERBS = {Direction.CUTOVER: "switch off", Direction.ROLLBACK: "switch back"}


@dataclass(frozen=True, slots=True)
class CutoverBounds:
    """Bounds of one run of a cutover or rollback.

    Args:
        wave: the only wave to work on; None: all.
        wait_s: how long to stay for orders that are not proved yet; None: what the settings say.
        max_duration_s: how long to go on; None: no bound.
        ref: the change or ticket that the run is for, as `ref_of` takes it.
        queue_s: how long an order may go without effect until it is given again; None: as long as 1NCE's queue.
        is_ordered: whether it is a worker's, by an order.
    """

    wave: str | None = None
    wait_s: float | None = None
    max_duration_s: float | None = None
    ref: str = ""
    queue_s: float | None = None
    is_ordered: bool = False


def cutover_must_be_ready(store: Store, header: CutoverHeader) -> None:
    """Refuse a plan that may not be carried out.

    Raises: StalePlan, if the plan is used up, or its inputs changed after it was made; Halted, if an order holds it.
    """
    cutover_must_be_usable(store, header)
    if (order := store.steering.order(header.plan_id)) is not None:
        raise halted_by(order, header.cutover_id, f"{header.direction} apply")


def cutover_may_be_retried(store: Store, cutover_id: str, *, never_claimed: bool = False) -> None:
    """Refuse to retry a plan whose orders a later plan replaced.

    Raises: InputError, for a word on claims; StalePlan, if a later plan switches some of the same SIMs.
    """
    if never_claimed:
        words = f"plan {cutover_id} claims nothing, so --never-claimed says nothing of it"
        raise InputError(words, code="no_claims", hint="leave --never-claimed out")
    newer = store.cutovers.superseded_by(cutover_id)
    if newer is not None:
        words = f"plan {newer}, which was started later, switches some of the same SIMs; nothing was changed"
        raise StalePlan(words, hint=f"go on with {newer}, or make a new plan")


def cutover_must_be_confirmed(store: Store, header: CutoverHeader, count: int | None) -> None:
    """Refuse a wrong number, and a plan's first run without one.

    Raises: InputError, for another number of SIMs, or for none.
    """
    verb = VERBS[header.direction]
    if count == header.count or (count is None and store.cutovers.state(header.cutover_id) == "started"):
        return
    if count is None:
        raise NotConfirmed(
            f"plan {header.cutover_id} is to {verb} {header.count} SIMs",
            hint=f"look at `migrator cutover show {header.cutover_id}`, then add --confirm {header.count}",
        )
    raise NotConfirmed(
        f"the plan is to {verb} {header.count} SIMs, not {count}; nothing was sent",
        hint=f"confirm the number that `migrator cutover show {header.cutover_id}` prints",
    )


def cutover_have_confirmed(
    store: Store, header: CutoverHeader, count: int | None, ask: Callable[[str], int] | None
) -> None:
    """Have the number of SIMs confirmed before a plan's first run.

    Args:
        store: with the plan.
        header: of the plan.
        count: how many SIMs were confirmed; None for no word.
        ask: asks a person for the number, by the source's name; None where nobody can be asked.

    Raises: InputError, if the number is wrong, or nobody can be asked.
    """
    is_asked_for = count is None and store.cutovers.state(header.cutover_id) != "started"
    if is_asked_for and ask is not None:
        count = ask(store.inventory.source_name())
    cutover_must_be_confirmed(store, header, count)


def carry_out_cutover(site: Site, header: CutoverHeader, bounds: CutoverBounds) -> CutoverResult:
    """Run a plan that is confirmed, under the lease of the store.

    Raises: InputError, for a wave that the plan does not have.
    """
    store = site.store
    must_be_a_wave(bounds.wave, header.waves)
    ref_of(bounds.ref or None)
    with holding(site) as me:
        cutover_must_be_usable(store, header)  # again, as others may have been at it while the confirmation was awaited
        cutover_must_be_whole(store, header)
        if not bounds.is_ordered and store.cutovers.state(header.cutover_id) == PlanState.CREATED:
            store.given.forget(header.cutover_id)  # as for `apply`

        async def body(stopper: Stopper) -> CutoverResult:
            command = f"{header.direction} apply"  # its orders stand by the migration's plan: they hold both
            stopper.obey(store.signs, header.cutover_id, site.progress, command, migration=header.plan_id)
            async with AsyncExitStack() as stack:
                target = await stack.enter_async_context(site.outside.target(site.settings, store, stopper))
                source = await stack.enter_async_context(site.outside.source_control(site.settings, store, stopper))
                await stack.enter_async_context(site.heartbeat(me, stopper))
                ctx = context_of(site, header, bounds, Carriers(store, source, target, stopper, wiring.runner(me)))
                return await CutoverRun(ctx).run()

        result = site.outside.run_async(body)
        if result.is_over:
            store.cutovers.finish(header.cutover_id, site.now())
    deliver_after_run(site)
    return result


def dry_run_cutover(site: Site, header: CutoverHeader, bounds: CutoverBounds, sent: Sent) -> CutoverResult:
    """Run the true engine on a copy of the store.

    `sent` gets each write in place of the carriers.

    Raises: StalePlan, if the plan is used up, stale or was changed.
    """
    must_be_a_wave(bounds.wave, header.waves)
    cutover_must_be_usable(site.store, header)
    cutover_must_be_whole(site.store, header)
    with site.store.scratch_copy() as scratch:

        async def body(stopper: Stopper) -> CutoverResult:
            async with AsyncExitStack() as stack:
                target = await stack.enter_async_context(
                    site.outside.target(site.settings, site.store, stopper, read_only=True)
                )
                source = await stack.enter_async_context(
                    site.outside.source_control(site.settings, site.store, stopper, read_only=True)
                )
                carriers = Carriers(
                    scratch, DryRunControl(source, sent), DryRunTarget(target, sent), stopper, "dry run", is_real=False
                )
                return await CutoverRun(context_of(site, header, bounds, carriers)).run()

        return site.outside.run_async(body)


def cutover_must_be_usable(store: Store, header: CutoverHeader) -> None:
    """Refuse a plan that was used up, or is stale.

    Raises: StalePlan, saying what changed.
    """
    again = f"run `migrator {header.direction} plan` again"
    if store.cutovers.state(header.cutover_id) == "finished":
        raise StalePlan(f"plan {header.cutover_id} was finished meanwhile", code="plan_used", hint=again)
    changed = stale_reasons(store, header)
    if changed:
        problems = tuple(Problem("changed", line) for line in changed)
        words = f"plan {header.cutover_id} is stale: what it was made from has changed; nothing was sent"
        raise StalePlan(words, problems=(*problems, Problem("stale_plan", words, again)))


@dataclass(frozen=True, slots=True)
class Carriers:
    """Objects that a run works with and on."""

    store: Store
    source: SourceControl
    target: TargetPlatform
    stopper: Stopper
    owner: str
    is_real: bool = True


def context_of(site: Site, header: CutoverHeader, bounds: CutoverBounds, carriers: Carriers) -> CutoverContext:
    """Begin a run in the journal, and return its surroundings."""
    store, settings, clock = carriers.store, site.settings, site.clock
    policy = stored_policy(store.plans.policy_text(header.plan_id), name=f"policy of {header.plan_id}")
    kind_of = around_cutover if header.direction is Direction.CUTOVER else around_rollback
    around = kind_of(site, policy, header.plan_id, ref=bounds.ref, who=carriers.owner)
    return CutoverContext(
        header=header,
        gates=policy.gates,
        run_id=store.journal.start_run(header.cutover_id, carriers.owner, clock.now().timestamp(), ref=bounds.ref),
        source=carriers.source,
        target=carriers.target,
        journal=store.journal,
        plans=store.cutovers,
        field_notes=store.field_notes(header.plan_id),
        clock=clock,
        options=CutoverOptions(
            wait_s=settings.settle_timeout_s if bounds.wait_s is None else bounds.wait_s,
            absent_after_s=settings.absent_after_s,
            wave=bounds.wave,
            max_duration_s=bounds.max_duration_s,
            queue_s=bounds.queue_s,
        ),
        stopper=carriers.stopper,
        is_migrated=store.plans.state(header.plan_id) == "finished",
        source_name=store.inventory.source_name(),
        progress=site.progress,
        hooks=site.outside.hooks,
        around=around if carriers.is_real else Around(),
    )
