"""Events of one campaign, among all of a log."""

from dataclasses import dataclass, field

from migrator.core.audit.chain import AuditEvent

__all__ = ["APPROVED", "MADE", "OWNED", "POLICY_TEXT", "CampaignEvents"]

MADE, APPROVED, OWNED = "campaign.made", "campaign.approved", "campaign.plan"
POLICY_TEXT = "policy_toml"
"""Name of the policy's text in the events that tell a policy.

Logs of older versions tell its hash alone.
"""


@dataclass(slots=True)
class CampaignEvents:
    """Choice of the events of a campaign.

    At most one campaign is not ended: its events stand between its making and that of the next one. Names may recur.
    """

    name: str
    created_s: float
    _is_its_turn: bool = field(default=False, init=False)

    def has(self, event: AuditEvent) -> bool:
        """True for an event of the campaign.

        Events are shown in their order.

        Raises: KeyError and the like, for an event that lacks what it should tell.
        """
        if event.kind == MADE:
            self._is_its_turn = (event.detail["name"], event.at) == (self.name, self.created_s)
        return self._is_its_turn and event.kind.startswith("campaign.")
