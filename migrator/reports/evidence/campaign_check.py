"""Check of what the evidence of a campaign tells over its plans."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from migrator.core.audit.campaign import APPROVED, MADE, OWNED, POLICY_TEXT, CampaignEvents, StandingTold
from migrator.core.audit.chain import AuditEvent
from migrator.reports.evidence.file import APPROVALS, CAMPAIGN, MANIFEST, POLICIES, POLICY, POLICY_READ, plan_folder
from migrator.reports.evidence.zip_file import EvidenceZip
from migrator.reports.model import moment

__all__ = ["CampaignCheck", "policy_member"]

_WHICH = ("campaign_no", "name", "created_s")


def policy_member(number: int, sha256: str) -> str:
    """Return the name of the member of a policy."""
    return f"{POLICIES}{number}-{sha256[:12]}.toml"


class CampaignCheck:
    """Comparison of what is told over the plans with the log.

    That is the campaign, its standing approvals, its policies, and the list of its plans.
    """

    def __init__(self, evidence: EvidenceZip) -> None:
        self.zip = evidence
        which = evidence.manifest.get("campaign")
        self.which: Mapping[str, Any] = which if isinstance(which, Mapping) else {}
        self._own = CampaignEvents(str(self.which.get("name")), self.which.get("created_s", 0.0))
        self.lists_plans = False
        self._standing = StandingTold()
        self._texts: list[tuple[str, str]] = []
        self._owned: set[str] = set()
        self._approved: Counter[tuple[Any, ...]] = Counter()

    def take(self, event: AuditEvent) -> None:
        """Note what an event tells of the campaign.

        Raises: KeyError and the like, if the event lacks what it should tell.
        """
        if not self._own.has(event):
            return
        detail = event.detail
        self._standing.take(event)
        if event.kind == MADE:  # by a version that tells its plans, if it tells the policy's text
            self.lists_plans = POLICY_TEXT in detail
        if event.kind == APPROVED:
            named = (detail[name] for name in ("by", "policy_sha256", "ref", "note"))
            self._approved[(event.at, *named, detail.get("database_user"))] += 1
        elif event.kind == OWNED:
            self._owned.add(str(event.plan_id))
        elif POLICY_TEXT in detail:
            self._texts.append((detail["policy_sha256"], detail[POLICY_TEXT]))

    def checks(self) -> Iterator[tuple[tuple[str, ...], Callable[[], Iterable[str]]]]:
        """Yield each check, with the members that it reads."""
        yield (CAMPAIGN, POLICY_READ), self._campaign
        yield (POLICY,), self._policies
        yield (APPROVALS,), self._approvals
        yield (MANIFEST,), self._plans

    def _campaign(self) -> Iterator[str]:
        if self._standing.made_s is None:
            yield f"the log does not tell that campaign {self.which.get('name')} was made"
            return
        row = next(self.zip.rows(CAMPAIGN), {})
        if [row.get(name) for name in _WHICH] != [self.which.get(name) for name in _WHICH]:
            yield f"{CAMPAIGN} and {MANIFEST} tell another campaign"
        read = self.zip.whole(POLICY_READ).decode().removesuffix("\n")
        if {row.get("policy_sha256"), hashlib.sha256(read.encode()).hexdigest()} != {self._standing.sha256}:
            yield f"{POLICY_READ} or the policy's hash in {CAMPAIGN} is not what the log tells"
        for name, told in self._told(json.loads(read)).items():
            if row.get(name) != told:
                yield f"{name} in {CAMPAIGN} is {row.get(name)}, and the log tells {told}"

    def _told(self, policy: Mapping[str, Any]) -> dict[str, str | None]:
        """Return the campaign's standing by the log, spelled as its member.

        Args:
            policy: the policy in force, which says how many people must approve it.
        """
        standing, users = self._standing, policy.get("database_users") is True
        approved_s = standing.approved_s(policy["campaign"]["approvals"], database_users=users)
        return {
            "state": standing.state(approved_s),
            "created_by": standing.made_by,
            "created_at": moment(standing.made_s),
            "approved_at": moment(approved_s),
            "ended_at": moment(standing.ended_s),
        }

    def _policies(self) -> Iterator[str]:
        for number, (sha256, text) in enumerate(self._texts, 1):
            name = policy_member(number, sha256)
            if not self._is_text(name, text):
                yield f"{name} is not the policy that the log tells"
        told = {policy_member(number, sha256) for number, (sha256, _) in enumerate(self._texts, 1)}
        for name in sorted(name for name in self.zip.readable - told if name.startswith(POLICIES)):
            yield f"{name}: the log does not tell such a policy"
        if self._texts and not self._is_text(POLICY, self._texts[-1][1]):
            yield f"{POLICY} is not the last policy that the log tells"

    def _is_text(self, name: str, text: str) -> bool:
        return self.zip.whole(name).decode() in {text, f"{text}\n"}

    def _approvals(self) -> Iterator[str]:
        names = ("approved_s", "approved_by", "policy_sha256", "ref", "note", "database_user")
        told = Counter(tuple(row.get(name) for name in names) for row in self.zip.rows(APPROVALS))
        if told != self._approved:
            yield f"{APPROVALS}: the standing approvals are not those of the log"

    def _plans(self) -> Iterator[str]:
        for plan_id in sorted(self._owned - self.zip.plans.keys()):
            yield f"{plan_folder(plan_id)} is missing: the log tells that the plan is one of the campaign"
        for plan_id in sorted(self.zip.plans.keys() - self._owned if self.lists_plans else ()):
            yield f"{plan_folder(plan_id)}: the log does not tell that the plan is one of the campaign"
