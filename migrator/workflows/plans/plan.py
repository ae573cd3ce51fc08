"""Making a plan of inventory, pairs, policy and what the target shows."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.core.money.calls import CallSizes
from migrator.core.plan.plan import PlanHeader
from migrator.engine.run.context import Stopper
from migrator.inputs.policy.file import LoadedPolicy, read_policy
from migrator.store import Owner
from migrator.workflows.plans.make import Fleet, make_plan, settle_earlier, unsettled_plans
from migrator.workflows.site import Site, holding, required_inventory

if TYPE_CHECKING:
    from migrator.inputs.where.language import Where

__all__ = ["plan", "plan_held", "plan_with", "selection_of"]


def plan(site: Site, policy: Path | str, *, where: str | None = None, include_rolled_back: bool = False) -> PlanHeader:
    """Make a plan; send no write.

    Args:
        site: the store, with inventory and pairs.
        policy: a policy file (TOML).
        where: SIMs for which this expression does not hold are left alone.
        include_rolled_back: whether to act on SIMs that a rollback took back, too.

    Returns: the header of the stored plan; `claims` is the number to confirm.
    Raises: InputError, naming every problem of the policy; Halted, for a price that cannot be relied on; StoreBusy;
        PlatformError.
    """
    return plan_with(site, read_policy(Path(policy)), selection_of(where), takes_rolled_back=include_rolled_back)


def selection_of(where: str | None) -> "Where | None":
    """Parse an expression that selects SIMs; None selects all.

    The import is here because the grammar costs time that few commands need.
    """
    from migrator.inputs.where.language import parse_selection

    return None if where is None else parse_selection(where)


def plan_with(site: Site, loaded: LoadedPolicy, selection: "Where | None", *, takes_rolled_back: bool) -> PlanHeader:
    """Make a plan with a policy and a selection.

    Claims of earlier plans whose outcome is unknown are settled first, under the lease of the store.
    """
    required_inventory(site.store)
    with holding(site) if unsettled_plans(site.store) else nullcontext() as me:
        return plan_held(site, loaded, selection, me, takes_rolled_back=takes_rolled_back)


def plan_held(
    site: Site,
    loaded: LoadedPolicy,
    selection: "Where | None",
    me: Owner | None,
    *,
    takes_rolled_back: bool = False,
    fleet: Fleet | None = None,
) -> PlanHeader:
    """Make a plan.

    The caller holds the lease, as `me`, if there is need of it. `fleet` is another fleet than the whole inventory.
    """
    store, settings, clock = site.store, site.settings, site.clock
    max_rps = settings.hologram().max_rps

    async def body(stopper: Stopper) -> PlanHeader:
        async with site.outside.target(settings, store, stopper, read_only=True) as target:
            if me is not None:
                async with site.heartbeat(me, stopper):
                    await settle_earlier(
                        store,
                        target,
                        absent_after_s=settings.absent_after_s,
                        claim_timeout_s=settings.claim_timeout_s,
                        clock=clock,
                        stopper=stopper,
                        progress=site.progress,
                    )
            return await make_plan(
                store,
                target,
                loaded,
                max_rps=max_rps,
                clock=clock,
                stopper=stopper,
                progress=site.progress,
                selection=selection,
                takes_rolled_back=takes_rolled_back,
                sizes=CallSizes(settings.claim_batch, settings.batch),
                fleet=fleet,
            )

    return site.outside.run_async(body)
