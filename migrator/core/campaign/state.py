"""Campaigns: their state and approvals."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Campaign", "CampaignApproval", "CampaignState"]


class CampaignState(StrEnum):
    """State of a campaign."""

    MADE = "made"  # enough people have not approved it yet
    APPROVED = "approved"
    PAUSED = "paused"  # by a person: nothing is sent
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Campaign:
    """Campaign, with the policy as it was approved or is to be.

    `folder` holds its intake and what it writes. Failures before event `budget_since_no` of the log do not
    count any more; `budget_since_s` is its time, used where a store had no numbers yet.
    `asks_for_users`: whether those who approve must be as many users of the database.
    """

    campaign_no: int
    name: str
    state: CampaignState
    policy_file: str
    policy_text: str
    policy_sha256: str
    folder: str
    org_id: int | None
    created_s: float
    created_by: str
    approved_s: float | None
    ended_s: float | None
    budget_since_s: float
    budget_since_no: int
    asks_for_users: bool = False


@dataclass(frozen=True, slots=True)
class CampaignApproval:
    """Approval of one person, bound to the policy that they saw."""

    approved_by: str
    approved_s: float
    policy_sha256: str
    ref: str
    note: str
    db_user: str | None = None
