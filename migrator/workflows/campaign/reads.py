"""Reads of a tick: the lists of both carriers."""

from migrator.core.run.results import ExitCode
from migrator.engine.run.context import Stopper
from migrator.workflows.campaign.tick import Tick
from migrator.workflows.field.discover import read_devices
from migrator.workflows.pull import pull_list

__all__ = ["read_source", "read_target"]


def read_source(tick: Tick) -> None:
    """Read the source's list into the inventory."""
    pulled = pull_list(tick.site)
    tick.told["old_sims"] = pulled.sims
    if not pulled.settled:
        tick.hold(
            ExitCode.RESUMABLE,
            f"the list of {tick.site.settings.carrier.name} has not settled yet",
            "the next tick reads it again",
        )


def read_target(tick: Tick) -> None:
    """Read the device list, and note new SIMs that live."""
    site = tick.site

    async def body(stopper: Stopper) -> int:
        async with (
            site.outside.target(site.settings, site.store, stopper, read_only=True) as target,
            site.heartbeat(tick.me, stopper),
        ):
            return await read_devices(
                site.store, target, clock=site.clock, stopper=stopper, progress=site.progress, announces=False
            )

    tick.told["devices"] = site.outside.run_async(body)
    tick.count("newly_alive", site.store.due.note_lives(site.now()))
