"""Picture of the whole fleet, from which the pages are drawn."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from migrator.core.campaign.forecast import Day, Forecast, forecast
from migrator.core.campaign.idle import IdleMoney
from migrator.core.campaign.life import ExceptionCode, LifeCounts, LifeStage, SimLife
from migrator.reports.campaign.model import FleetReport
from migrator.store import Store
from migrator.version import VERSION
from migrator.workflows.campaign.report import campaign_standing
from migrator.workflows.cutover.status import begun_by_hand
from migrator.workflows.report import caps_used

__all__ = ["Picture", "left_of", "picture_of"]

Standing = tuple[LifeStage, ExceptionCode | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Counts of the fleet, and the keys of the SIMs behind them.

    Args:
        made_at: when it was taken (UTC seconds).
        counts: SIMs by stage, and exceptions by code.
        keys: the old SIMs of each standing, by their keys, sorted.
        stock: the claimed cards without a unit, by their keys, sorted.
        taken_at: when the inventory in force was read (UTC seconds); None if there is none.
        report: what the report over all plans says first.
        newest_plan: the id of the migration that was made last; None without one.
        idle: money of the cards that are claimed and were never seen.
        days: what happened on each day (UTC), oldest first.
        forecast: of the day on which the fleet is cut over.
        claims: SIMs that were claimed, or may have been, by organization's plan.
        caps: of the newest plan, what is used and what is left; empty without one.
        outcomes: requests by kind and outcome.
        run_states: runs by state.
    """

    made_at: float
    counts: LifeCounts
    keys: Mapping[Standing, Sequence[str]] = field(repr=False)
    stock: Sequence[str] = field(repr=False)
    taken_at: float | None
    report: FleetReport
    newest_plan: str | None
    idle: IdleMoney
    days: Sequence[Day]
    forecast: Forecast
    claims: int
    caps: Mapping[str, Any]
    outcomes: Mapping[tuple[str, str], int]
    run_states: Mapping[str, int]

    def selected(self, stage: LifeStage | None, code: ExceptionCode | None) -> list[str]:
        """Return the keys of a stage, a code, or all, sorted."""
        wanted = [
            keys for (one, other), keys in self.keys.items() if stage in {None, one} and (code is None or code is other)
        ]
        return list(wanted[0]) if len(wanted) == 1 else sorted(key for keys in wanted for key in keys)


def left_of(counts: LifeCounts) -> int:
    """Return how many SIMs are still to be cut over."""
    over = counts.of(LifeStage.CUT_OVER) + counts.of(LifeStage.LEFT_ALONE)
    return counts.total - over - counts.codes.get(ExceptionCode.ROLLED_BACK, 0)


def _no_lives() -> Iterator[SimLife]:
    """Yield no lives: the pages read their own."""
    return iter(())


def picture_of(store: Store, now: float) -> Picture:
    """Take a picture of the fleet.

    `now` is in UTC seconds.
    """
    keys: defaultdict[Standing, list[str]] = defaultdict(list)
    for key, standing in store.lives.standings(now):
        keys[standing].append(key)
    inventory, newest = store.story.inventory(), store.plans.newest()
    header = None if newest is None else store.plans.header(newest)
    counts = store.lives.counted({standing: len(found) for standing, found in keys.items()})
    days = store.daily()
    claimed = [] if header is None else store.journal.claims_made(header.org_id)
    idle = store.idle(now)
    told = forecast(days, left_of(counts), datetime.fromtimestamp(now, UTC).date())
    report = FleetReport(
        generated_at=now,
        tool=f"migrator {VERSION}",
        store=store.lineage,
        counts=counts,
        idle=idle,
        days=days,
        forecast=told,
        exceptions=_no_lives,
        lives=_no_lives,
        plans=store.all_plans.plans(),
        campaign=campaign_standing(store, now),
        by_hand=begun_by_hand(store),
    )
    return Picture(
        made_at=now,
        counts=counts,
        report=report,
        keys=dict(keys),
        stock=store.lives.stock(),
        taken_at=None if inventory is None else inventory.completed_at,
        newest_plan=newest,
        idle=idle,
        days=days,
        forecast=told,
        claims=sum(one.sims for one in claimed),
        caps={} if header is None else caps_used(store, header),
        outcomes=store.glance.outcomes(),
        run_states=store.glance.run_states(),
    )
