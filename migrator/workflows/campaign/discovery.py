"""Discovery of a tick: pairs by hardware."""

from contextlib import closing
from pathlib import Path
from typing import Any

from migrator.core.cutover.discovery import CardBucket
from migrator.core.policy.policy import DiscoverMode
from migrator.core.run.results import ExitCode
from migrator.engine.run.context import Stopper
from migrator.wiring.gc import collecting_rarely
from migrator.workflows.campaign.tick import Tick
from migrator.workflows.check_pairs import last_organization
from migrator.workflows.field.discover import Discovered, ask_old_sims, judged

__all__ = ["find_pairs"]

FILE = "discovered.csv"
OPEN, NOT_JUDGED, WAITS = "to_settle", "not judged yet", "known tomorrow"


def find_pairs(tick: Tick) -> None:
    """Judge the hardware of new SIMs, where some are newly alive.

    Exact pairs are accepted if the policy says so. What needs a person is judged again by every tick until it is
    settled, and what waits for the next day's use of an old SIM once a day.
    """
    site = tick.site
    left, is_due = _left_open(tick)
    if not tick.told.get("newly_alive") and not is_due:
        tick.told |= {OPEN: left} if left else {}
        return
    tick.told[OPEN] = NOT_JUDGED  # until it is: a carrier may be down, or we may be killed
    result, folder = Discovered(), Path(tick.campaign.folder)
    with collecting_rarely(), closing(site.store.discovery(last_organization(site.store))) as seen:

        async def body(stopper: Stopper) -> None:
            async with (
                site.outside.source(site.settings, site.store, stopper) as source,
                site.heartbeat(tick.me, stopper),
            ):
                rps = site.settings.onence().max_rps
                result.asked = await ask_old_sims(
                    seen, source, rps=rps, clock=site.clock, stopper=stopper, progress=site.progress
                )

        site.outside.run_async(body)
        accepts = tick.bounds.discover is DiscoverMode.EXACT
        judged(
            seen,
            result,
            out=folder / FILE,  # with the cards that contradict: `pair correct` reads it
            exceptions=None,
            accept=site.store if accepts else None,
            now=site.now(),
        )
    tick.count("pairs_discovered", result.accepted)
    contradicts = result.tally.buckets[CardBucket.CONTRADICTS]
    if contradicts:
        hint = f"{folder / FILE} names them; `migrator pair correct FILE` corrects those that are right"
        tick.hold(ExitCode.ATTENTION, f"cards in another unit than planned: {contradicts}", hint)
    exact = result.tally.buckets[CardBucket.EXACT]
    if exact and not accepts:
        hint = "`migrator pair discover --accept exact` accepts them"
        tick.hold(ExitCode.ATTENTION, f"pairs that the hardware settles: {exact}", hint)
    del tick.told[OPEN]
    if result.tally.buckets[CardBucket.WAITING]:
        tick.told[OPEN] = WAITS
    if to_settle := contradicts + (0 if accepts else exact):
        tick.told[OPEN] = to_settle


def _left_open(tick: Tick) -> tuple[Any, bool]:
    """Return what the tick before left, and whether that is due."""
    for before in tick.site.store.ticks.list(2)[1:]:
        left = NOT_JUDGED if before.ended_s is None else before.told.get(OPEN)
        return left, left is not None and (left != WAITS or before.began_s < tick.day_began_s())
    return None, False
