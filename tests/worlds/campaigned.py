"""A fleet that is migrated by a campaign: its ticks run in process, on the virtual clock."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from migrator.engine.run.context import quiet
from migrator.ports import Progress
from migrator.workflows.campaign.make import approve_campaign, create_campaign
from migrator.workflows.campaign.once import Ticked, run_once
from tests.worlds.corrected import CorrectedWorld
from tests.worlds.outside import SimulatedOutside, site_of
from tests.worlds.world import new_sims

__all__ = ["STAGES", "CampaignWorld"]

STAGES = (
    "1NCE",
    "intake",
    "Hologram",
    "begun plans",
    "claims",
    "discovery",
    "cutover",
    "intake again",
    "exceptions",
    "report",
    "handover",
)
"""Stages of a tick, by the names that it tells."""

CAMPAIGN = """\
policy_version = 1
[claim]
data_plan_id = 2096
zone = "global"
{ahead}
[status]
disabled = "{disabled}"
[campaign]
until = 2027-06-30
claims_per_day = {claims_per_day}
claims_total = {claims_total}
spend_per_day = {spend_per_day}
spend_total = {spend_total}
cutover = "{cutover}"
cutover_rest = "{rest}"
"""
DEFAULTS: dict[str, Any] = {
    "claims_per_day": 500,
    "claims_total": 50_000,
    "spend_per_day": "10000.00",
    "spend_total": "100000.00",
    "cutover": "auto",
    "rest": "48h",
    "ahead": "",
    "disabled": "skip",
}


@dataclass(slots=True)
class CampaignWorld(CorrectedWorld):
    """A world with a campaign in it."""

    outside: SimulatedOutside = field(init=False)
    cards: list[str] = field(default_factory=list, init=False)

    def began(self, *, more: str = "", approve: bool = True, **values: Any) -> None:
        """The cards are in our inventory; the campaign is made and approved."""
        self.outside = SimulatedOutside(self)
        self.cards = new_sims(self.sims)
        self.target.stock(self.cards)
        self.write_policy(more=more, **values)
        with site_of(self, self.outside) as site:
            create_campaign(site, self.folder / "policy.toml", folder=self.folder / "campaign")
        if approve:
            self.approve("ann@desk")

    def write_policy(self, *, more: str = "", **values: Any) -> None:
        """The policy's file, as somebody leaves it."""
        given = {**DEFAULTS, **values}
        given["ahead"] = f'ahead = "{given["ahead"]}"' if given["ahead"] else ""
        text = CAMPAIGN.format(**given) + more
        (self.folder / "policy.toml").write_text(text, encoding="utf-8")

    def approve(self, by: str) -> None:
        """`campaign approve --by`."""
        with site_of(self, self.outside) as site:
            approve_campaign(site, by=by)

    def hand_in(self, name: str, rows: Iterable[tuple[str, ...]]) -> None:
        """Put a file into the intake."""
        file = self.folder / "campaign" / "intake" / name
        with file.open("w", encoding="utf-8", newline="") as out:
            csv.writer(out).writerows(rows)

    def hand_in_pairs(self, name: str, pairs: Iterable[tuple[str, str]]) -> None:
        """Put a field file into the intake."""
        self.hand_in(name, [("source_iccid", "target_iccid"), *pairs])

    def tick(self, progress: Progress = quiet) -> Ticked:
        """`campaign run --once`, as a process of its own. Raises: Crash."""
        with site_of(self, self.outside, progress=progress) as site:
            ticked = run_once(site)
        self._known.clear()
        self._guards = None
        return ticked

    def swap(self, old: str) -> None:
        """A technician puts the new card into the unit."""
        self.seen_in(self.pairs()[old], old)

    def claims(self) -> int:
        """How many cards were charged."""
        return len(self.target.ledger.charges)
