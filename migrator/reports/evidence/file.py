"""The evidence: one zip that can be checked without the store.

`reports.evidence.check` checks the zip.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from migrator.errors import InputError
from migrator.files import beside

__all__ = [
    "ALWAYS",
    "APPROVALS",
    "CAMPAIGN",
    "CAMPAIGN_ALWAYS",
    "CAMPAIGN_KIND",
    "CAMPAIGN_MEMBERS",
    "CAMPAIGN_VERSION",
    "CUTOVERS",
    "CUTOVER_REQUESTS",
    "CUTOVER_SIMS",
    "CUTOVER_STEPS",
    "EVENTS",
    "EVIDENCE_VERSION",
    "KIND",
    "MANIFEST",
    "MEMBERS",
    "OF_PLAN",
    "PLAN",
    "POLICIES",
    "POLICY",
    "POLICY_READ",
    "REPORT",
    "REQUESTS",
    "RUNS",
    "SIMS",
    "TICKS",
    "plan_folder",
    "write_evidence",
]

EVIDENCE_VERSION = 2
"""Version of the evidence format.

Version 1 had no policy.json, and of the steps of a SIM only the states.
"""
CAMPAIGN_VERSION = 1
MANIFEST = "manifest.json"
KIND, CAMPAIGN_KIND = "migrator-evidence", "migrator-campaign-evidence"
PLAN, POLICY, POLICY_READ = "plan.jsonl", "policy.toml", "policy.json"
EVENTS, RUNS, REQUESTS, SIMS = "events.jsonl", "runs.jsonl", "requests.jsonl", "sims.jsonl"
APPROVALS = "approvals.jsonl"
CUTOVERS, CUTOVER_SIMS = "switches.jsonl", "switch_sims.jsonl"
CUTOVER_STEPS, CUTOVER_REQUESTS = "switch_steps.jsonl", "switch_requests.jsonl"
ALWAYS = (PLAN, POLICY, POLICY_READ, EVENTS, RUNS, REQUESTS, SIMS)
MEMBERS = (*ALWAYS, APPROVALS, CUTOVERS, CUTOVER_SIMS, CUTOVER_STEPS, CUTOVER_REQUESTS)
"""Names of the members that an evidence zip may have.

The first name is also the first member in the zip. What was never done has no member.
"""


CAMPAIGN, TICKS = "campaign.json", "ticks.jsonl"
POLICIES, REPORT = "policies/", "report/"
"""Folders of a campaign's evidence.

They have every policy that the log tells, and the report over all plans.
"""
OF_PLAN = frozenset(MEMBERS) - {EVENTS}
"""Members of one plan's folder: the log stands beside the folders, once."""
CAMPAIGN_ALWAYS = (CAMPAIGN, POLICY, POLICY_READ, TICKS, EVENTS)
CAMPAIGN_MEMBERS = (*CAMPAIGN_ALWAYS, APPROVALS)


def plan_folder(plan_id: str) -> str:
    """Return the folder of a plan in the evidence of a campaign."""
    return f"plans/{plan_id}/"


def write_evidence(
    path: Path,
    members: Mapping[str, Callable[[], Iterable[str]]],
    facts: Mapping[str, Any],
    *,
    kind: tuple[str, int] = (KIND, EVIDENCE_VERSION),
) -> str:
    """Write a zip, whole or not at all.

    Args:
        path: the file to write; an existing file is replaced.
        members: the lines of each text file in the zip, by name; the lines stream.
        facts: what the manifest says beside names, sizes and SHA-256 of the members.
        kind: of the evidence, and the version of its format.

    Returns: SHA-256 of the manifest, to be noted elsewhere.
    Raises: InputError, if the file cannot be written.
    """
    try:
        with beside(path) as out, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            held = {name: _write(archive, name, lines()) for name, lines in members.items()}
            manifest = {"kind": kind[0], "evidence_version": kind[1], **facts, "members": held}
            text = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
            archive.writestr(MANIFEST, text)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror}", code="unwritable", hint="name a file in another folder"
        ) from None
    return hashlib.sha256(text.encode()).hexdigest()


def _write(archive: zipfile.ZipFile, name: str, lines: Iterable[str]) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with archive.open(name, "w", force_zip64=True) as out:
        for line in lines:
            data = f"{line}\n".encode()
            digest.update(data)
            size += len(data)
            out.write(data)
    return {"sha256": digest.hexdigest(), "bytes": size}
