"""Events of one campaign, among all of a log."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from migrator.core.audit.chain import AuditEvent
from migrator.core.campaign.state import CampaignState
from migrator.core.plan.approvals import people_of

__all__ = [
    "APPROVED",
    "ENDED",
    "MADE",
    "OWNED",
    "PAUSED",
    "POLICY",
    "POLICY_TEXT",
    "RESUMED",
    "CampaignEvents",
    "StandingTold",
    "people_for",
]

MADE, POLICY, APPROVED, OWNED = "campaign.made", "campaign.policy", "campaign.approved", "campaign.plan"
PAUSED, RESUMED, ENDED = "campaign.paused", "campaign.resumed", "campaign.ended"
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


def people_for(given: Iterable[tuple[str, str, str | None]], sha256: str, *, database_users: bool) -> tuple[str, ...]:
    """Return who approved a campaign's policy, each person once.

    Approvals from before another policy was approved do not count: nobody alone brings a former policy back.

    Args:
        given: every approval of the campaign, oldest first: hash of the policy, name, user of the database.
        sha256: of the policy in force.
        database_users: see `people_of`.
    """
    of_now: list[tuple[str, str | None]] = []
    for policy, name, user in given:
        if policy != sha256:
            of_now.clear()
        else:
            of_now.append((name, user))
    return people_of(of_now, database_users=database_users)


@dataclass(slots=True)
class StandingTold:
    """Standing of a campaign, by what its events tell.

    `sha256` is that of the last policy that was told.
    """

    sha256: str = ""
    made_s: float | None = None
    made_by: str = ""
    ended_s: float | None = None
    _is_paused: bool = False
    _given: list[tuple[str, str, str | None]] = field(default_factory=list)
    _since: dict[int, float] = field(default_factory=dict)

    def take(self, event: AuditEvent) -> None:
        """Note the next event of the campaign.

        Raises: KeyError, for an event that lacks what it should tell.
        """
        kind, detail = event.kind, event.detail
        if kind == MADE:
            self.made_s, self.made_by, self.sha256 = event.at, detail["by"], detail["policy_sha256"]
        elif kind == POLICY:  # former approvals made the campaign an approved one no more
            self.sha256 = detail["policy_sha256"]
            self._since.clear()
        elif kind == APPROVED:
            self._since[len(self._given)] = event.at
            self._given.append((detail["policy_sha256"], detail["by"], detail.get("database_user")))
        elif kind in {PAUSED, RESUMED}:
            self._is_paused = kind == PAUSED
        elif kind == ENDED:
            self.ended_s = event.at

    def approved_s(self, required: int, *, database_users: bool) -> float | None:
        """Return when enough people had approved the last policy, or None."""
        for place, at in self._since.items():
            given = self._given[: place + 1]
            is_of_it = given[-1][0] == self.sha256
            if is_of_it and len(people_for(given, self.sha256, database_users=database_users)) >= required:
                return at
        return None

    def state(self, approved_s: float | None) -> CampaignState:
        """Return the campaign's state."""
        if self.ended_s is not None:
            return CampaignState.ENDED
        if self._is_paused:
            return CampaignState.PAUSED
        return CampaignState.MADE if approved_s is None else CampaignState.APPROVED
