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
from migrator.workflows.field.discover import Discovered, ask_live, judged

__all__ = ["find_pairs"]

FILE = "discovered.csv"
OPEN = "to_settle"
"""Name of what a discovery left, in a tick."""


def find_pairs(tick: Tick) -> None:
    """Judge the hardware of new SIMs, where some are newly alive.

    Exact pairs are accepted if the policy says so. What a person has to decide is said in every tick, and looked at
    anew once the pairs are others. What waits for the next day's use of an old SIM is looked at once a day.
    """
    site, left = tick.site, _left_open(tick)
    accepts = tick.bounds.discover is DiscoverMode.EXACT and tick.is_policy_approved()
    if not tick.told.get("newly_alive") and not _is_due(tick, left, accepts=accepts):
        _say(tick, left)
        return
    tick.told[OPEN] = {"judged": False}  # until it is: a carrier may be down, or we may be killed
    if not tick.has_folder():
        return
    result, folder = Discovered(), Path(tick.campaign.folder)
    with collecting_rarely(), closing(site.store.discovery(last_organization(site.store))) as seen:

        async def body(stopper: Stopper) -> None:
            async with site.heartbeat(tick.me, stopper):
                await ask_live(site, seen, stopper, result)

        site.outside.run_async(body)
        judged(
            seen,
            result,
            out=folder / FILE,  # with the cards that contradict: `pair correct` reads it
            exceptions=None,
            accept=site.store if accepts else None,
            now=site.now(),
        )
    tick.count("pairs_discovered", result.accepted)
    buckets = result.tally.buckets
    _say(
        tick,
        {
            "contradicts": buckets[CardBucket.CONTRADICTS],
            "exact": 0 if accepts else buckets[CardBucket.EXACT],
            "waits": buckets[CardBucket.WAITING],
            "pairs": site.store.pairs.fingerprint(),
        },
    )


def _left_open(tick: Tick) -> Mapping[str, Any]:
    """Return what the tick before left; nothing if it left nothing."""
    for before in tick.earlier()[:1]:
        left: Mapping[str, Any] = before.told.get(OPEN, {}) if before.ended_s is not None else {"judged": False}
        return left
    return {}


def _is_due(tick: Tick, left: Mapping[str, Any], *, accepts: bool) -> bool:
    """True if what was left has to be judged again."""
    if not left:
        return False
    if "pairs" not in left or left["pairs"] != tick.site.store.pairs.fingerprint():
        return True
    if accepts and left["exact"]:  # they were found before they might be taken
        return True
    return bool(left["waits"]) and tick.earlier()[0].began_s < tick.day_began_s()


def _say(tick: Tick, left: Mapping[str, Any]) -> None:
    """Say what needs a person, and keep it for the next tick."""
    tick.told.pop(OPEN, None)
    if not any(left.get(name) for name in ("contradicts", "exact", "waits")):
        return
    tick.told[OPEN] = dict(left)
    if contradicts := left["contradicts"]:
        file = Path(tick.campaign.folder) / FILE
        hint = f"{file} names them; `migrator pair correct FILE` corrects those that are right"
        tick.hold(ExitCode.ATTENTION, f"cards in another unit than planned: {contradicts}", hint)
    if exact := left["exact"]:
        hint = "`migrator pair discover --accept exact` accepts them"
        tick.hold(ExitCode.ATTENTION, f"pairs that the hardware settles: {exact}", hint)
