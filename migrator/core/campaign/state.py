"""State of a campaign."""

from enum import StrEnum

__all__ = ["CampaignState"]


class CampaignState(StrEnum):
    """State of a campaign."""

    MADE = "made"  # enough people have not approved it yet
    APPROVED = "approved"
    PAUSED = "paused"  # by a person: nothing is sent
    ENDED = "ended"
