"""Discovery of a tick: pairs by hardware."""

from contextlib import closing
from pathlib import Path

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


def find_pairs(tick: Tick) -> None:
    """Judge the hardware of new SIMs, where some are newly alive.

    Exact pairs are accepted if the policy says so.
    """
    site = tick.site
    if not tick.told.get("newly_alive"):
        return
    result, folder = Discovered(), Path(tick.campaign.folder)
    with collecting_rarely(), closing(site.store.discovery(last_organization(site.store))) as seen:

        async def body(stopper: Stopper) -> None:
            async with (
                site.outside.source(site.settings, site.store, stopper) as source,
                site.heartbeat(tick.me, stopper),
            ):
                result.asked = await ask_old_sims(
                    seen,
                    source,
                    source=site.settings.carrier.name,
                    rps=site.settings.source_rps,
                    clock=site.clock,
                    stopper=stopper,
                    progress=site.progress,
                )

        site.outside.run_async(body)
        accepts = tick.bounds.discover is DiscoverMode.EXACT
        judged(
            seen,
            result,
            out=None,
            exceptions=folder / FILE,
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
