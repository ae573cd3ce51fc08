"""Reads of a tick: the lists of both carriers."""

from migrator import wiring
from migrator.core.run.results import ExitCode
from migrator.engine.run.context import Stopper
from migrator.workflows.campaign.tick import Tick
from migrator.workflows.field.discover import read_devices
from migrator.workflows.plans.choices import needs_records
from migrator.workflows.pull import pull_list

__all__ = ["read_source", "read_target"]


def read_source(tick: Tick) -> None:
    """Read the source's list into the inventory.

    The SIMs of a file are renewed by a person: `inventory import`.
    """
    if not wiring.is_asked(tick.site.settings, tick.site.store):
        return
    pulled = pull_list(tick.site, quotas=_needs_records(tick))
    tick.told["old_sims"] = pulled.sims
    if not pulled.settled:
        tick.hold(
            ExitCode.RESUMABLE,
            f"the list of {tick.site.settings.carrier.name} has not settled yet",
            "the next tick reads it again",
        )


def _needs_records(tick: Tick) -> bool:
    """True if limits of SIMs to be planned need their records.

    Each record is a request or two, so that none is read for SIMs that have their plan.
    """
    store, carrier = tick.site.store, tick.site.settings.carrier
    if not needs_records(tick.loaded.policy, asks_each=carrier.asks_each):
        return False
    return bool(tick.files) or any(True for _ in store.due.waiting(tick.campaign))


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
