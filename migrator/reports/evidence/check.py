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

__all__ = ["RESTING", "evidence_problems"]

RESTING = ("answers, runs, approvals, steps, verdicts, and what Hologram showed last",)
"""Facts that the check does not compare with the log.

Somebody who changes the manifest can change these facts, too. So the manifest should be noted elsewhere.
"""

Row = Mapping[str, Any]


def evidence_problems(
    path: Path, *, head: str | None = None, manifest_sha256: str | None = None
) -> tuple[Mapping[str, Any], list[str]]:
    """Check a zip by itself.

    Args:
        path: the zip.
        head: the head of the log that was noted when the zip was written, or before.
        manifest_sha256: SHA-256 of the manifest that was noted when the zip was written.

    Returns: the manifest with its `sha256` (empty, if the manifest cannot be read), and what does not hold, in words.
    Raises: InputError, if the file is no evidence.
    """
    archive = opened(path)
    if archive is None:
        return {}, ["the zip is damaged: it cannot be opened"]
    with archive:
        evidence = EvidenceZip(archive)
        evidence.look()
        found = list(manifest_problems(evidence.manifest, manifest_sha256)) if evidence.manifest else []
        if EVENTS in evidence.readable:
            found += _Check(evidence, head).problems()
        return evidence.manifest, [*evidence.problems, *found]


class _Check:
    """Comparison of the members of one zip with its log.

    A member that is missing or cannot be read is reported before this comparison.
    """

    def __init__(self, evidence: EvidenceZip, head: str | None) -> None:
        self.zip = evidence
        self.manifest = evidence.manifest
        self.plan_id = str(evidence.manifest.get("plan_id"))
        self.head, self.last = head, GENESIS
        self.sent = SentRequests()
        self.made: dict[str, Row] = {}

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

    def _checks(self) -> Iterator[tuple[tuple[str, ...], Callable[[], Iterable[str]]]]:
        yield (PLAN,), self._plan
        yield (PLAN, POLICY, POLICY_READ), self._policy
        yield (REQUESTS,), self._requests
        yield (CUTOVERS, CUTOVER_SIMS), self._cutovers
        yield (CUTOVERS, CUTOVER_REQUESTS), self._cutover_requests

    def _noted(self) -> Iterator[AuditEvent]:
        """Yield every event, and note the events of this plan."""
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
        if event.plan_id != self.manifest.get("plan_id"):
            return
        self.sent.note(event)
        if event.kind == "plan.made":
            self.made[self.plan_id] = event.detail
        elif event.kind == "switch.made":
            self.made[event.detail["switch_id"]] = event.detail

    def _plan(self) -> Iterator[str]:
        header = next(self.zip.rows(PLAN), {})
        for name in ("plan_id", "lineage", "org_id"):
            if header.get(name) != self.manifest.get(name):
                yield f"{PLAN} and {MANIFEST} tell another {name}"
        digest = _digest_after_header(self.zip.lines(PLAN))
        if header["fingerprints"]["changes"] != digest:
            yield "the changes of the plan have another fingerprint than its header says"
        made = self.made.get(self.plan_id)
        if made is not None and (made["changes_sha256"], made["claims"]) != (digest, header["claims"]):
            yield f"{PLAN} is not what the log says was made"

    def _policy(self) -> Iterator[str]:
        told = self.made.get(self.plan_id, {}).get("plan_sha256")
        if told is None:
            return
        header = next(self.zip.lines(PLAN), b"").decode().removesuffix("\n")
        policy = self.zip.whole(POLICY).decode()
        read = self.zip.whole(POLICY_READ).decode().removesuffix("\n")
        texts = (policy.removesuffix("\n"), policy)  # as it was, without an end of its last line or with one
        if told not in {plan_digest(header, text, read) for text in texts}:
            yield f"{POLICY}, {POLICY_READ} or the header in {PLAN} is not what the log says was made"

    def _requests(self) -> Iterator[str]:
        yield from self.sent.problems(self.plan_id, map(_as_kept, self.zip.rows(REQUESTS)))

    def _cutovers(self) -> Iterator[str]:
        """Compare each cutover and rollback with what the log says was made."""
        sims: dict[str, Any] = defaultdict(hashlib.sha256)
        for row in self.zip.rows(CUTOVER_SIMS):
            steering = [row[name] for name in ("source_key", "position", "action", "wave", "document")]
            sims[row["switch_id"]].update(cutover_item_line(steering).encode())
        headers = {row["switch_id"]: row["header"] for row in self.zip.rows(CUTOVERS)}
        for cutover_id in sorted({*self.made, *headers} - {self.plan_id}):
            made = self.made.get(cutover_id)
            if cutover_id not in headers:
                yield f"{CUTOVERS}: plan {cutover_id} is in the log alone"
            elif made is None:
                if self.plan_id in self.made:  # nothing that was done for the plan is older than the log
                    yield f"{CUTOVERS}: plan {cutover_id} is not in the log"
            elif (hash_of_lines([headers[cutover_id]]), sims[cutover_id].hexdigest()) != (
                made["header"],
                made["items"],
            ):
                yield f"plan {cutover_id} is not what the log says was made"

    def _cutover_requests(self) -> Iterator[str]:
        for row in self.zip.rows(CUTOVERS):
            mine = (one for one in self.zip.rows(CUTOVER_REQUESTS) if one["switch_id"] == row["switch_id"])
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
