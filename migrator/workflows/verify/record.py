"""The record of each SIM of a plan, read afresh."""

from collections.abc import Callable

from migrator.core.plan.plan import PlanHeader
from migrator.engine.run.context import Stopper
from migrator.ports import DevicePage, TargetPlatform
from migrator.workflows.plans.make import look
from migrator.workflows.site import Site

__all__ = ["read_records"]


async def read_records(
    site: Site,
    target: TargetPlatform,
    header: PlanHeader,
    stopper: Stopper,
    listed: Callable[[DevicePage], None] = lambda _page: None,
) -> None:
    """Read every SIM of a plan afresh, and keep the verdicts.

    `listed` gets every page of the device list that is read for this.

    Raises: PlatformError.
    """
    await look(
        site.store,
        target,
        header,
        absent_after_s=site.settings.absent_after_s,
        clock=site.clock,
        stopper=stopper,
        progress=site.progress,
        listed=listed,
    )
