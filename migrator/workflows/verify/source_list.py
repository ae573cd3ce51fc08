"""The source's list, compared with a plan."""

from collections import Counter
from dataclasses import dataclass, field

from migrator.core.cutover.life import SourceChange
from migrator.core.fleet.sims import SourceStatus
from migrator.core.plan.plan import PlanHeader
from migrator.core.run.results import PullResult
from migrator.engine.pull.pull import Pulling
from migrator.engine.run.context import Stopper
from migrator.ports import SourcePlatform
from migrator.workflows.site import Site

__all__ = ["SourceLook", "look_at_source"]

NOT_BEGUN = "0"
"""Value that is no API version.

A pull that was left half-way under another version is not continued.
"""


@dataclass(slots=True)
class SourceLook:
    """Comparison of the source's present list with a plan.

    Args:
        pulled: how the list was read.
        counts: SIMs by what changed; one may count under several.
        sims: SIMs that changed.
        changes: the first of them, as many as were asked for.
        ours_off: SIMs that are disabled and that a cutover of ours switched off: they count as no change.
    """

    pulled: PullResult
    counts: Counter[str] = field(default_factory=Counter)
    sims: int = 0
    changes: list[SourceChange] = field(default_factory=list)
    ours_off: int = 0


async def look_at_source(
    site: Site, source: SourcePlatform, header: PlanHeader, stopper: Stopper, *, most: int | None
) -> SourceLook:
    """Read the source's list afresh, and compare it with a plan.

    The list is read into a copy of the store that is thrown away: the inventory in force, and a pull that was left
    half-way, stay as they are, and a fleet of any size takes no memory.

    Args:
        site: the store of the plan.
        source: the carrier of the old SIMs.
        header: the plan's.
        stopper: checked between requests.
        most: how many changes to keep one by one; None for all.
    """
    store, clock = site.store, site.clock
    switched_off = store.cutovers.switched_off()
    with store.scratch_copy() as scratch:
        scratch.inventory.open_snapshot(NOT_BEGUN, clock.now().timestamp(), fresh=True)
        found = SourceLook(await Pulling(source, scratch.inventory, clock, stopper, site.progress).run())
        if found.pulled.settled:
            listed = scratch.inventory.sims(switched_off)
            found.ours_off = sum(sim.status is SourceStatus.DISABLED for sim in listed)
            for change in scratch.plans.source_changes(header.plan_id):
                found.sims += 1
                found.counts.update(code.value for code in change.codes)
                if most is None or len(found.changes) < most:
                    found.changes.append(change)
    return found
