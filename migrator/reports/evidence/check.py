"""Check of an evidence zip without the store.

Each member is compared with its checksum, and what was made and sent with the log in the zip.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from migrator.core.audit.chain import (
    DAMAGE,
    GENESIS,
    AuditEvent,
    chain_problems,
    cutover_item_line,
    event_from,
    guarded,
    hash_of_lines,
    plan_digest,
)
from migrator.core.audit.sent import SentRequests
from migrator.reports.evidence.campaign_check import CampaignCheck
from migrator.reports.evidence.file import (
    CUTOVER_REQUESTS,
    CUTOVER_SIMS,
    CUTOVERS,
    EVENTS,
    MANIFEST,
    PLAN,
    POLICY,
    POLICY_READ,
    REQUESTS,
)
from migrator.reports.evidence.zip_file import EvidenceZip, manifest_problems, opened

__all__ = ["CAMPAIGN_RESTING", "RESTING", "UNLISTED", "evidence_problems"]

RESTING = ("answers, runs, approvals, steps, verdicts, and what Hologram showed last",)
"""Facts that the check does not compare with the log.

Somebody who changes the manifest can change these facts, too. So the manifest should be noted elsewhere.
"""

CAMPAIGN_RESTING = ("answers, runs, ticks, steps, verdicts, the report, and what Hologram showed last",)
"""The same of the evidence of a campaign.

Its standing approvals are compared.
"""

UNLISTED = "which plans are the campaign's (an older version began it, and its log does not tell)"
"""The same of a campaign whose plans could be taken out unnoticed."""

Row = Mapping[str, Any]
Named = tuple[tuple[str, ...], Callable[[], Iterable[str]]]
"""Check, with the members that it reads."""


def evidence_problems(
    path: Path, *, head: str | None = None, manifest_sha256: str | None = None
) -> tuple[Mapping[str, Any], list[str]]:
    """Check a zip by itself.

    Args:
        path: the zip.
        head: the head of the log that was noted when the zip was written, or before.
        manifest_sha256: SHA-256 of the manifest that was noted when the zip was written.

    Returns: the manifest with its `sha256` (empty, if the manifest cannot be read), and what does not hold, in words.
        Of a campaign the manifest also has `log_lists_plans`: an older version's log does not tell its plans.
    Raises: InputError, if the file is no evidence.
    """
    archive = opened(path)
    if archive is None:
        return {}, ["the zip is damaged: it cannot be opened"]
    with archive:
        evidence = EvidenceZip(archive)
        evidence.look()
        manifest = evidence.manifest
        found = list(manifest_problems(manifest, manifest_sha256)) if manifest else []
        if EVENTS in evidence.readable:
            check = _Check(evidence, head)
            found += check.problems()
            if check.campaign is not None:
                manifest = {**manifest, "log_lists_plans": check.campaign.lists_plans}
        return manifest, [*evidence.problems, *found]


class _Check:
    """Comparison of the members of one zip with its log.

    A member that is missing or cannot be read is reported before this comparison.
    """

    def __init__(self, evidence: EvidenceZip, head: str | None) -> None:
        self.zip = evidence
        self.manifest = evidence.manifest
        self.head, self.last = head, GENESIS
        self.sent = SentRequests()
        self.made: dict[str, dict[str, Row]] = {plan_id: {} for plan_id in evidence.plans}
        self.campaign = CampaignCheck(evidence) if evidence.is_campaign else None

    def problems(self) -> list[str]:
        """Return what does not hold, in words.

        The log comes first: all other members are compared with the log.
        """
        found = list(guarded(EVENTS, lambda: chain_problems(self._noted(), head=self.head)))
        if self.manifest and self.last != self.manifest.get("head"):
            found.append(f"the head of the log in {EVENTS} is not that in {MANIFEST}")
        for names, check in self._checks():
            if self.zip.lost.isdisjoint(names):
                found += guarded(" or ".join(names), check)
        return found

    def _checks(self) -> Iterator[Named]:
        if self.campaign is not None:
            yield from self.campaign.checks()
        for plan_id, folder in self.zip.plans.items():
            yield from _PlanCheck(self.zip, plan_id, folder, self.made[plan_id], self.sent).checks()

    def _noted(self) -> Iterator[AuditEvent]:
        """Yield every event, and note the events of these plans."""
        for row in self.zip.rows(EVENTS):
            try:
                event = event_from(row)
            except DAMAGE:
                self.zip.note(f"{EVENTS}: {row.get('seq')} is no event")
                continue
            try:
                self._note(event)
            except DAMAGE:
                self.zip.note(f"{EVENTS}: event {event.seq} ({event.kind}) does not tell what such an event tells")
            yield event

    def _note(self, event: AuditEvent) -> None:
        self.last = event.digest
        if self.campaign is not None:
            self.campaign.take(event)
        if event.plan_id is None or event.plan_id not in self.made:
            return
        self.sent.note(event)
        if event.kind == "plan.made":
            self.made[event.plan_id][event.plan_id] = event.detail
        elif event.kind == "switch.made":
            self.made[event.plan_id][event.detail["switch_id"]] = event.detail


class _PlanCheck:
    """Comparison of the members of one plan with the log.

    Args:
        evidence: the zip.
        plan_id: the plan.
        folder: of its members; "" for the evidence of one plan.
        made: what the log says was made: plan, cutovers and rollbacks, by id.
        sent: what the log says was sent.
    """

    def __init__(
        self, evidence: EvidenceZip, plan_id: str, folder: str, made: Mapping[str, Row], sent: SentRequests
    ) -> None:
        self.zip, self.manifest = evidence, evidence.manifest
        self.plan_id, self.folder, self.made, self.sent = plan_id, folder, made, sent

    def checks(self) -> Iterator[Named]:
        """Yield each check, with the members that it reads."""
        yield self._named(PLAN), self._plan
        yield self._named(PLAN, POLICY, POLICY_READ), self._policy
        yield self._named(REQUESTS), self._requests
        yield self._named(CUTOVERS, CUTOVER_SIMS), self._cutovers
        yield self._named(CUTOVERS, CUTOVER_REQUESTS), self._cutover_requests

    def _named(self, *names: str) -> tuple[str, ...]:
        return tuple(f"{self.folder}{name}" for name in names)

    def _plan(self) -> Iterator[str]:
        (plan,) = self._named(PLAN)
        header = next(self.zip.rows(plan), {})
        wanted = {name: self.manifest.get(name) for name in ("lineage", "org_id")} | {"plan_id": self.plan_id}
        for name in ("plan_id", "lineage", "org_id"):
            if header.get(name) != wanted[name]:
                yield f"{plan} and {MANIFEST} tell another {name}"
        digest = _digest_after_header(self.zip.lines(plan))
        if header["fingerprints"]["changes"] != digest:
            yield f"{self.folder}the changes of the plan have another fingerprint than its header says"
        made = self.made.get(self.plan_id)
        if made is not None and (made["changes_sha256"], made["claims"]) != (digest, header["claims"]):
            yield f"{plan} is not what the log says was made"

    def _policy(self) -> Iterator[str]:
        told = self.made.get(self.plan_id, {}).get("plan_sha256")
        if told is None:
            return
        plan, policy_name, read_name = self._named(PLAN, POLICY, POLICY_READ)
        header = next(self.zip.lines(plan), b"").decode().removesuffix("\n")
        policy = self.zip.whole(policy_name).decode()
        read = self.zip.whole(read_name).decode().removesuffix("\n")
        texts = (policy.removesuffix("\n"), policy)  # as it was, without an end of its last line or with one
        if told not in {plan_digest(header, text, read) for text in texts}:
            yield f"{policy_name}, {read_name} or the header in {plan} is not what the log says was made"

    def _requests(self) -> Iterator[str]:
        (requests,) = self._named(REQUESTS)
        yield from self.sent.problems(self.plan_id, map(_as_kept, self.zip.rows(requests)))

    def _cutovers(self) -> Iterator[str]:
        """Compare each cutover and rollback with what the log says was made."""
        cutovers, cutover_sims = self._named(CUTOVERS, CUTOVER_SIMS)
        sims: dict[str, Any] = defaultdict(hashlib.sha256)
        for row in self.zip.rows(cutover_sims):
            steering = [row[name] for name in ("source_key", "position", "action", "wave", "document")]
            sims[row["switch_id"]].update(cutover_item_line(steering).encode())
        headers = {row["switch_id"]: row["header"] for row in self.zip.rows(cutovers)}
        for cutover_id in sorted({*self.made, *headers} - {self.plan_id}):
            made = self.made.get(cutover_id)
            if cutover_id not in headers:
                yield f"{cutovers}: plan {cutover_id} is in the log alone"
            elif made is None:
                if self.plan_id in self.made:  # nothing that was done for the plan is older than the log
                    yield f"{cutovers}: plan {cutover_id} is not in the log"
            elif (hash_of_lines([headers[cutover_id]]), sims[cutover_id].hexdigest()) != (
                made["header"],
                made["items"],
            ):
                yield f"plan {cutover_id} is not what the log says was made"

    def _cutover_requests(self) -> Iterator[str]:
        cutovers, requests = self._named(CUTOVERS, CUTOVER_REQUESTS)
        for row in self.zip.rows(cutovers):
            mine = (one for one in self.zip.rows(requests) if one["switch_id"] == row["switch_id"])
            yield from self.sent.problems(row["switch_id"], map(_as_kept, mine))


def _as_kept(row: Row) -> Row:
    """Return a request with its body as text."""
    return {**row, "body": json.dumps(row["body"], separators=(",", ":"))}


def _digest_after_header(lines: Iterator[bytes]) -> str:
    """Return SHA-256 of the lines after the header.

    The plan's own fingerprint is made in the same way.
    """
    next(lines, None)
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line)
    return digest.hexdigest()
