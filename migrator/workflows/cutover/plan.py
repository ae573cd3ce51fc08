"""Making of a cutover plan."""

from collections.abc import Collection, Sequence
from contextlib import nullcontext
from dataclasses import replace

from migrator import wiring
from migrator.core.cutover.plan import CutoverHeader
from migrator.core.cutover.rules import Demand
from migrator.core.plan.plan import PlanHeader
from migrator.core.policy.policy import OldSim
from migrator.engine.run.context import Stopper
from migrator.workflows.cutover.make import make_cutover
from migrator.workflows.site import Site, holding

__all__ = ["plan_cutover"]


def plan_cutover(
    site: Site,
    migration: PlanHeader,
    demand: Demand,
    *,
    waves: Sequence[int] = (),
    listed: Collection[str] | None = None,
    is_small: bool = False,
) -> CutoverHeader:
    """Make a cutover plan under the lease; send no write.

    Args:
        site: the store of the migration's plan.
        migration: the migration's plan.
        demand: what a new SIM must have shown, and its old one.
        waves: how many SIMs in each of the first waves; empty for the waves of the migration's plan.
        listed: keys of the SIMs that are meant; None for all of them.
        is_small: whether the plan has the listed SIMs alone, and is kept only if it switches something off.

    Raises: InputError, for settings that are missing, or of another source; Halted, if too few SIMs are verified;
        StoreBusy; PlatformError.
    """
    store, chosen = site.store, site.settings
    source = store.inventory.source_name()
    demand = replace(demand, source=source)
    by_hand = not wiring.is_asked(chosen, store)
    asks = demand.old_sim is not OldSim.NOT_ASKED and not by_hand
    if asks:
        chosen.source()  # missing settings are reported before anything is read
    with holding(site) as me:

        async def body(stopper: Stopper) -> CutoverHeader:
            async with (
                site.outside.target(chosen, store, stopper, read_only=True) as target,
                site.outside.source(chosen, store, stopper) if asks else nullcontext() as usage,
                site.heartbeat(me, stopper),
            ):
                return await make_cutover(
                    store,
                    target,
                    migration,
                    demand,
                    waves=waves,
                    absent_after_s=chosen.absent_after_s,
                    clock=site.clock,
                    stopper=stopper,
                    progress=site.progress,
                    usage=usage,
                    source_rps=wiring.source_rps(chosen, store),
                    listed=listed,
                    is_small=is_small,
                    by_hand=by_hand,
                )

        return site.outside.run_async(body)
