"""Results of a tick for others: exceptions, and changed units."""

from pathlib import Path

from migrator.core.run.results import ExitCode
from migrator.workflows.campaign.tick import Tick
from migrator.workflows.handover.export import handover

__all__ = ["count_exceptions", "write_deltas"]

CURSOR = "handover.cursor"
CHANGES = {"claimed", "writes", "switched_off", "pairs_added", "pairs_replaced", "pairs_discovered", "newly_alive"}


def count_exceptions(tick: Tick) -> None:
    """Count the SIMs that need a person, by code."""
    store, now = tick.site.store, tick.site.now()
    found = store.due.exceptions(tick.campaign, now - tick.bounds.silent_after_s)
    tick.told["exceptions"] = found
    if found:
        words = ", ".join(f"{code}: {sims}" for code, sims in found.items())
        tick.hold(ExitCode.ATTENTION, f"exceptions: {words}", "`migrator campaign status` counts them")


def write_deltas(tick: Tick) -> None:
    """Write the rows of units that changed.

    Nothing is written where this tick changed none, and the one before was not killed.
    """
    was_killed = any(one.ended_s is None for one in tick.site.store.ticks.list(2)[1:])
    if not (was_killed or CHANGES & tick.told.keys()):
        return
    folder = Path(tick.campaign.folder) / "handover"
    folder.mkdir(parents=True, exist_ok=True)
    cursor = folder / CURSOR
    stamp = tick.now().strftime("%Y%m%d-%H%M%S")
    fresh = folder / f"{CURSOR}.new"  # in place of the former one once the rows are written: none is ever left out
    done = handover(tick.site, folder / f"{stamp}.csv", since=cursor if cursor.exists() else None, cursor=fresh)
    fresh.replace(cursor)
    tick.told["handover"] = str(done.cursor.parent / f"{stamp}.csv") if done.cursor else ""
