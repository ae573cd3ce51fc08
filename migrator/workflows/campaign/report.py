"""Report over all plans of a store; no campaign need be there."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from migrator import wiring
from migrator.core.campaign.budget import bounds_used
from migrator.core.campaign.calendar import day_began_s, is_over
from migrator.core.campaign.forecast import forecast
from migrator.core.campaign.idle import idle_money
from migrator.core.campaign.life import ExceptionCode, LifeCounts, LifeStage, SimLife
from migrator.core.campaign.state import CampaignState
from migrator.core.fleet.units import money
from migrator.core.run.results import ExitCode
from migrator.errors import InputError
from migrator.inputs.policy.file import read_policy
from migrator.reports.model import moment
from migrator.store.campaigns.ticks import without_end
from migrator.version import VERSION
from migrator.wiring.gc import collecting_rarely
from migrator.workflows.campaign.make import INTAKE, bounds_of
from migrator.workflows.cutover.status import begun_by_hand
from migrator.workflows.report import caps_used
from migrator.workflows.site import Site, living_holder

if TYPE_CHECKING:
    from migrator.core.campaign.idle import IdleMoney
    from migrator.core.campaign.state import Campaign
    from migrator.reports.campaign.model import CampaignStanding, FleetReport
    from migrator.store import Owner, Store
    from migrator.store.campaigns.ticks import KeptTick

__all__ = [
    "WrittenFleet",
    "campaign_exceptions",
    "campaign_report",
    "campaign_standing",
    "fleet_report",
    "fleet_summary",
]

MOST_RUNS, MOST_IDLE, MOST_CALLS = 100, 1000, 20
_TIMES = ("created_at", "started_at", "finished_at", "ended_at")


@dataclass(frozen=True, slots=True)
class WrittenFleet:
    """Files of a report over all plans, and what it says first.

    Args:
        files: the files.
        counts: SIMs by stage, and exceptions by code.
        headline: words that say whether all is well, with the detail.
        steps: what to do next, the most pressing first; code words stand in backticks.
        idle: words on idle cards.
        exceptions: reads the exceptions anew, those that the report has.
    """

    files: Sequence[Path]
    counts: LifeCounts
    headline: str
    steps: Sequence[str]
    idle: str
    exceptions: Callable[[], Iterator[SimLife]]


def campaign_report(
    site: Site,
    formats: Sequence[str] | None,
    folder: Path | str,
    *,
    now: float | None = None,
    counts: LifeCounts | None = None,
    held: Sequence[Mapping[str, Any]] | None = None,
) -> WrittenFleet:
    """Write the report over all plans.

    Args:
        site: the store.
        formats: some of html, json, csv and md; None: all.
        folder: where `campaign.html` and the others go.
        now: UTC seconds; None for the system's time.
        counts: of this moment, where they are known already; else they are counted.
        held: what holds up the call of `campaign run` that writes it; None for what held up the last one.

    Raises: InputError, if a file cannot be written.
    """
    from migrator.reports.campaign.model import headline, next_commands
    from migrator.reports.campaign.writers import FORMATS, write_fleet_report  # templates take time

    with collecting_rarely():
        holder = None if site.held_by else living_holder(site.store)
        report = fleet_report(site.store, now=_now(now), counts=counts, holder=holder, held=held)
        files = write_fleet_report(report, Path(folder), tuple(FORMATS) if formats is None else formats)
    told = headline(report)
    words = f"{told.words}. {told.detail}"
    return WrittenFleet(files, report.counts, words, next_commands(report), report.idle.words, report.exceptions)


def campaign_exceptions(
    site: Site, *, form: str = "csv", code: ExceptionCode | None = None, now: float | None = None
) -> Iterator[str]:
    """Yield the lines of a list of all exceptions.

    Args:
        site: the store.
        form: "csv" or "json".
        code: only exceptions with this code; None for all.
        now: UTC seconds; None for the system's time.
    """
    from migrator.reports.campaign.documents import exception_lines

    yield from exception_lines(site.store.lives.walk(_now(now), stage=LifeStage.EXCEPTION, code=code), form)


def fleet_report(
    store: "Store",
    *,
    now: float,
    counts: LifeCounts | None = None,
    holder: "Owner | None" = None,
    held: Sequence[Mapping[str, Any]] | None = None,
) -> "FleetReport":
    """Return the content of the report.

    Args:
        store: the store.
        now: UTC seconds.
        counts: those of this moment, where they are known already.
        holder: who else is at work on the store; None for nobody.
        held: what holds up the call of `campaign run` that is at work; None for what held up the last one.
    """
    cards = sorted((card.idle() for card in store.cards.never_seen()), key=lambda card: card.claimed_s or 0.0)
    summary = fleet_summary(store, now=now, idle=idle_money(cards, now), counts=counts, holder=holder, held=held)
    return replace(
        summary,
        idle_cards=[card.as_dict(now) for card in cards[:MOST_IDLE]],
        runs=[_with_moments(run) for run in store.all_plans.runs(MOST_RUNS)],
        money=_money(store),
    )


def fleet_summary(
    store: "Store",
    *,
    now: float,
    idle: "IdleMoney",
    counts: LifeCounts | None = None,
    holder: "Owner | None" = None,
    held: Sequence[Mapping[str, Any]] | None = None,
) -> "FleetReport":
    """Return what a report says first.

    Single cards, runs, and money beside the caps are left out. See `fleet_report`.
    """
    from migrator.reports.campaign.model import FleetReport

    counts, days = counts or store.lives.counts(now), store.daily()

    @cache
    def exceptions() -> list[str]:
        return store.lives.keys(now, stage=LifeStage.EXCEPTION) if counts.exceptions else []

    left = counts.total - counts.of(LifeStage.CUT_OVER) - counts.of(LifeStage.LEFT_ALONE)
    left -= counts.codes.get(ExceptionCode.ROLLED_BACK, 0)
    return FleetReport(
        generated_at=now,
        tool=f"migrator {VERSION}",
        store=store.lineage,
        counts=counts,
        idle=idle,
        days=days,
        forecast=forecast(days, left, datetime.fromtimestamp(now, UTC).date()),
        exceptions=lambda: store.lives.those(exceptions(), now),
        lives=lambda: store.lives.walk(now),
        plans=[_with_moments(plan) for plan in store.all_plans.plans()],
        running=None if holder is None else str(holder),
        campaign=campaign_standing(store, now, held=held),
        by_hand=begun_by_hand(store),
    )


def campaign_standing(
    store: "Store", now: float, *, held: Sequence[Mapping[str, Any]] | None = None
) -> "CampaignStanding | None":
    """Return where the open campaign stands; None without one.

    Args:
        store: the store.
        now: UTC seconds.
        held: what holds up the call that is at work; None for what held up the last one.
    """
    from migrator.reports.campaign.model import CampaignStanding

    campaign = store.campaigns.open()
    if campaign is None:
        return None
    bounds = bounds_of(campaign)
    today, zone = datetime.fromtimestamp(now, UTC), ZoneInfo(bounds.time_zone)
    spent, trouble = store.due.spent(campaign, day_began_s(today, zone)), _trouble(campaign)
    ticks = [one for one in store.ticks.list(MOST_CALLS) if one.campaign_no == campaign.campaign_no]
    newest_s = max([campaign.approved_s or campaign.created_s, *(one.began_s for one in ticks[:1])])
    is_awaited = held is None and campaign.state is CampaignState.APPROVED
    return CampaignStanding(
        campaign_no=campaign.campaign_no,
        name=campaign.name,
        state=campaign.state.value,
        people=store.campaigns.people(campaign),
        required=bounds.approvals,
        ref=store.campaigns.ref(campaign),
        until=bounds.until,
        is_over=is_over(today, bounds.until, zone),
        is_changed=trouble != "",
        trouble=trouble or "",
        cutover=bounds.cutover.value,
        intake=str(Path(campaign.folder) / INTAKE),
        due=sum(1 for _ in store.due.waiting(campaign)),
        bounds=bounds_used(bounds, spent),
        spent=spent,
        calls=list(map(_call, ticks)),
        held=_held_last(campaign, ticks, now) if held is None else held,
        uncalled_s=max(0.0, now - newest_s) if is_awaited else 0.0,
        died=max(0, without_end(ticks) - 1) if is_awaited else 0,
    )


def _held_last(campaign: "Campaign", ticks: Sequence["KeptTick"], now: float) -> Sequence[Mapping[str, Any]]:
    """Return what held the last call up that ended.

    What a person let go on since is none of it. A time that is still to come is of a clock that was ahead.
    """
    ended = next((one for one in ticks if one.ended_s is not None), None)
    if ended is None:
        return []
    let_go_s = max((at for at in (campaign.approved_s, campaign.budget_since_s) if at and at <= now), default=0.0)
    is_older = ended.began_s <= let_go_s
    return [one for one in ended.held if not is_older or one["exit_code"] != ExitCode.HALTED]


def _trouble(campaign: "Campaign") -> str | None:
    """Return what is wrong with the policy's file.

    "" stands for nothing, None for another file than was approved. A machine that only watches need not have it, or may
    not read it.
    """
    if not os.access(campaign.policy_file, os.R_OK):
        return ""
    try:
        is_same = read_policy(Path(campaign.policy_file)).fingerprint == campaign.policy_sha256
    except InputError as error:
        return error.problems[0].message
    return "" if is_same else None


def _call(tick: "KeptTick") -> dict[str, Any]:
    return {
        "tick": tick.tick_no,
        "began_at": moment(tick.began_s),
        "ended_at": moment(tick.ended_s),
        "exit_code": tick.exit_code,
        "reason": tick.reason,
        "ref": tick.told.get("ref", ""),
    }


def _now(now: float | None) -> float:
    return wiring.SystemClock().now().timestamp() if now is None else now


def _with_moments(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: moment(value) if name in _TIMES else value for name, value in row.items()}


def _money(store: "Store") -> dict[str, Any]:
    """Return what all claims cost, beside the caps."""
    newest = store.plans.newest()
    if newest is None:
        return {}
    header = store.plans.header(newest)
    claimed = store.journal.claims_made(header.org_id)
    known = sum((one.price * one.sims for one in claimed if one.price is not None), Decimal(0))
    told = {
        "sims_claimed": sum(one.sims for one in claimed),
        "charged_for_claims": money(known),
        "claims_without_price": sum(one.sims for one in claimed if one.price is None),
    }
    caps = caps_used(store, header)
    del caps["by_plan"]
    return told | {f"cap_{name}" if name == "scope" else name: value for name, value in caps.items()}
