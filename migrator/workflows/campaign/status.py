"""Standing of a campaign, from the store alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from migrator.core.campaign.budget import Spent
from migrator.core.campaign.calendar import day_began_s
from migrator.core.campaign.idle import IdleMoney
from migrator.core.campaign.life import LifeCounts
from migrator.core.campaign.state import Campaign
from migrator.core.policy.policy import CampaignPolicy
from migrator.store.campaigns.ticks import KeptTick
from migrator.workflows.campaign.make import bounds_of
from migrator.workflows.campaign.report import fleet_summary
from migrator.workflows.site import Site, living_holder

__all__ = ["CampaignStatus", "campaign_status"]

TICKS = 10


@dataclass(frozen=True, slots=True)
class CampaignStatus:
    """Standing of a campaign.

    Args:
        campaign: the open campaign, or the last one that was ended.
        bounds: of its policy.
        people: who approved the policy.
        spent: claims and money so far, and today.
        counts: old SIMs by the stage of their life, and exceptions by code.
        idle: cards that are claimed and were never seen, with their money.
        ticks: its newest ones, newest first.
        headline: words that say whether all is well, with the detail, as in the report.
        steps: what to do next, the most pressing first; code words stand in backticks.
    """

    campaign: Campaign
    bounds: CampaignPolicy
    people: Sequence[str]
    spent: Spent
    counts: LifeCounts
    idle: IdleMoney
    ticks: Sequence[KeptTick]
    headline: str
    steps: Sequence[str]


def campaign_status(site: Site) -> CampaignStatus:
    """Return how far the campaign is; no carrier is asked.

    Where no campaign is open, the last one that was ended is told.

    Raises: InputError, without any campaign.
    """
    from migrator.reports.campaign.model import headline, next_commands

    store, campaign = site.store, site.store.campaigns.last()
    bounds, now = bounds_of(campaign), site.now()
    holder = None if site.held_by else living_holder(store)
    report = fleet_summary(store, now=now, idle=store.idle(now), holder=holder)
    if report.campaign is None:
        spent = store.due.spent(campaign, day_began_s(site.clock.now(), ZoneInfo(bounds.time_zone)))
    else:
        spent = report.campaign.spent
    told = headline(report)
    return CampaignStatus(
        campaign,
        bounds,
        store.campaigns.people(campaign),
        spent,
        report.counts,
        report.idle,
        [one for one in store.ticks.list(TICKS) if one.campaign_no == campaign.campaign_no],
        f"{told.words}. {told.detail}",
        next_commands(report),
    )
