"""Standing of a campaign, from the store alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from migrator.core.campaign.budget import Spent
from migrator.core.campaign.calendar import day_began_s
from migrator.core.campaign.idle import IdleMoney
from migrator.core.campaign.life import LifeCounts
from migrator.core.policy.policy import CampaignPolicy
from migrator.store.campaigns.campaigns import Campaign
from migrator.store.campaigns.ticks import KeptTick
from migrator.workflows.campaign.make import bounds_of
from migrator.workflows.campaign.report import fleet_report
from migrator.workflows.site import Site, living_holder

__all__ = ["CampaignStatus", "campaign_status"]

TICKS = 10


@dataclass(frozen=True, slots=True)
class CampaignStatus:
    """Standing of a campaign.

    Args:
        campaign: the campaign.
        bounds: of its policy.
        people: who approved the policy.
        spent: claims and money so far, and today.
        counts: old SIMs by the stage of their life, and exceptions by code.
        idle: cards that are claimed and were never seen, with their money.
        ticks: the newest ones, newest first.
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

    Raises: InputError, without a campaign.
    """
    from migrator.reports.campaign.model import headline, next_commands

    store, campaign = site.store, site.store.campaigns.required()
    bounds = bounds_of(campaign)
    began_s = day_began_s(site.clock.now(), ZoneInfo(bounds.time_zone))
    holder = None if site.held_by else living_holder(store)
    report = fleet_report(store, now=site.now(), holder=holder)
    told = headline(report)
    return CampaignStatus(
        campaign,
        bounds,
        store.campaigns.people(campaign),
        store.due.spent(campaign, began_s),
        report.counts,
        report.idle,
        store.ticks.list(TICKS),
        f"{told.words}. {told.detail}",
        next_commands(report),
    )
