"""Discovery of a tick: pairs by hardware."""

from collections.abc import Mapping
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
FOUND = "found_pairs"
"""Name of what waits for a person, in a tick."""


def find_pairs(tick: Tick) -> None:
    """Judge the hardware of new SIMs, where some are newly alive.

    Exact pairs are accepted if the policy says so. What a person has to decide is said in every tick, and looked at
    anew once the pairs are others.
    """
    site, was = tick.site, _found_before(tick)
    if not tick.told.get("newly_alive"):
        if was is None:
            return
        if was["pairs"] == site.store.pairs.fingerprint():
            _say(tick, was)
            return
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
            out=None,
            exceptions=folder / FILE,
            accept=site.store if accepts else None,
            now=site.now(),
        )
    tick.count("pairs_discovered", result.accepted)
    found = {
        "contradicts": result.tally.buckets[CardBucket.CONTRADICTS],
        "exact": 0 if accepts else result.tally.buckets[CardBucket.EXACT],
    }
    if any(found.values()) or was is not None:
        _say(tick, {**found, "pairs": site.store.pairs.fingerprint()})


def _found_before(tick: Tick) -> Mapping[str, Any] | None:
    """Return what the tick before found and left to a person."""
    found = next((one.told[FOUND] for one in tick.earlier() if FOUND in one.told), None)
    return found if found is not None and (found["contradicts"] or found["exact"]) else None


def _say(tick: Tick, found: Mapping[str, Any]) -> None:
    tick.told[FOUND] = dict(found)
    if contradicts := found["contradicts"]:
        file = Path(tick.campaign.folder) / FILE
        hint = f"{file} names them; `migrator pair correct FILE` corrects those that are right"
        tick.hold(ExitCode.ATTENTION, f"cards in another unit than planned: {contradicts}", hint)
    if exact := found["exact"]:
        hint = "`migrator pair discover --accept exact` accepts them"
        tick.hold(ExitCode.ATTENTION, f"pairs that the hardware settles: {exact}", hint)
