"""Standing of a campaign, from the store alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from migrator.core.campaign.budget import Spent
from migrator.core.campaign.calendar import day_began_s
from migrator.core.policy.policy import CampaignPolicy
from migrator.inputs.policy.file import stored_policy
from migrator.store.campaigns.campaigns import Campaign
from migrator.store.campaigns.ticks import Tick
from migrator.workflows.site import Site

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
        counts: SIMs, from the first pair to the cutover.
        exceptions: SIMs that need a person, by code.
        ticks: the newest ones, newest first.
    """

    campaign: Campaign
    bounds: CampaignPolicy
    people: Sequence[str]
    spent: Spent
    counts: Mapping[str, int]
    exceptions: Mapping[str, int]
    ticks: Sequence[Tick]


def campaign_status(site: Site) -> CampaignStatus:
    """Return how far the campaign is; no carrier is asked.

    Raises: InputError, without a campaign.
    """
    store, campaign = site.store, site.store.campaigns.required()
    bounds = stored_policy(campaign.policy_text, name=campaign.name).campaign
    assert bounds is not None  # noqa: S101 - a campaign is made of a policy with bounds
    began_s = day_began_s(site.clock.now(), ZoneInfo(bounds.time_zone))
    spent = store.due.spent(campaign, began_s)
    silent = store.due.silent(campaign)
    counts: dict[str, Any] = {
        "old SIMs": int(store.inventory.summary().get("count", 0)),
        "paired": store.pairs.count(),
        "claimed": spent.sims,
        "claimed, never seen": silent,
        "seen alive": store.due.swaps(campaign, 0.0),
        "switched off": len(store.switches.switched_off()),
    }
    return CampaignStatus(
        campaign,
        bounds,
        store.campaigns.people(campaign),
        spent,
        counts,
        store.due.exceptions(campaign, site.now() - bounds.silent_after_s),
        store.ticks.list(TICKS),
    )
