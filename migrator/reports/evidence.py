"""The evidence: one zip that can be checked without the store."""

import hashlib
import json
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from migrator.core.audit import chain_problems, event_from, hash_of_lines, request_digest, switch_item_line
from migrator.errors import InputError
from migrator.reports.placing import beside

__all__ = ["EVIDENCE_VERSION", "MANIFEST", "evidence_problems", "write_evidence"]

EVIDENCE_VERSION = 1
MANIFEST = "manifest.json"
KIND = "migrator-evidence"
PLAN, EVENTS, REQUESTS, APPROVALS = "plan.jsonl", "events.jsonl", "requests.jsonl", "approvals.jsonl"
SWITCHES, SWITCH_SIMS, SWITCH_REQUESTS = "switches.jsonl", "switch_sims.jsonl", "switch_requests.jsonl"
BLOCK = 1 << 20


def write_evidence(path: Path, members: Mapping[str, Callable[[], Iterable[str]]], facts: Mapping[str, Any]) -> str:
    """Write a zip, whole or not at all.

    Args:
        path: where; an existing file is replaced.
        members: the lines of each text file in it, by name; they stream.
        facts: what the manifest says beside names, sizes and SHA-256 of the members.

    Returns: SHA-256 of the manifest, to be noted elsewhere.
    Raises: InputError, if the file cannot be written.
    """
    try:
        with beside(path) as out, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            held = {name: _write(archive, name, lines()) for name, lines in members.items()}
            manifest = {"kind": KIND, "evidence_version": EVIDENCE_VERSION, **facts, "members": held}
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


def evidence_problems(
    path: Path, *, head: str | None = None, manifest_sha256: str | None = None
) -> tuple[Mapping[str, Any], list[str]]:
    """Check a zip by itself: checksums, the chain of events, the plan's fingerprint, requests against events.

    Args:
        path: the zip.
        head: the head of the log that was noted when it was written, or before.
        manifest_sha256: what was noted of the manifest when it was written.

    Returns: its manifest with its `sha256`, and what does not hold, in words.
    Raises: InputError, if the file is no evidence.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            text = archive.read(MANIFEST)
            manifest = {**json.loads(text), "sha256": hashlib.sha256(text).hexdigest()}
            if manifest["kind"] != KIND or manifest["evidence_version"] != EVIDENCE_VERSION:
                raise InputError(f"{path} is evidence of another kind or version", code="not_evidence")
            damaged = list(_damaged(archive, manifest["members"]))
            if manifest_sha256 not in {None, manifest["sha256"]}:
                damaged.append("the manifest is not the one that was noted")
            return manifest, damaged or list(_contradictions(archive, manifest, head))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", code="unreadable") from None
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        words = f"{path} is no evidence file: {type(error).__name__}"
        raise InputError(words, code="not_evidence", hint="`migrator report --evidence FILE` writes one") from None


def _damaged(archive: zipfile.ZipFile, members: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    names = set(archive.namelist()) - {MANIFEST}
    yield from (f"{name} is not in the manifest" for name in sorted(names - set(members)))
    for name, told in sorted(members.items()):
        if name not in names:
            yield f"{name} is missing"
        elif _sha256(archive, name) != told["sha256"]:
            yield f"{name} is not what was written"


def _sha256(archive: zipfile.ZipFile, name: str) -> str:
    digest = hashlib.sha256()
    with archive.open(name) as member:
        while block := member.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _contradictions(archive: zipfile.ZipFile, manifest: Mapping[str, Any], head: str | None) -> Iterator[str]:
    yield from chain_problems(map(event_from, _rows(archive, EVENTS)), head=head or manifest["head"])
    plan = _rows(archive, PLAN)
    expected = next(plan)["fingerprints"]["changes"]
    if _plan_digest(archive) != expected:
        yield "the changes of the plan have another fingerprint than its header says"
    mine = [row for row in _rows(archive, EVENTS) if row["plan_id"] == manifest["plan_id"]]
    for kind, name, first in (
        ("request.sent", REQUESTS, "audited_after_request"),
        ("switch.request_sent", SWITCH_REQUESTS, "audited_after_switch_request"),
    ):
        sent = {row["detail"]["request_id"]: row["detail"]["sha256"] for row in mine if row["kind"] == kind}
        yield from _unlike_the_log(archive, name, sent, manifest[first])
    yield from _switches_unlike_the_log(archive, [row["detail"] for row in mine if row["kind"] == "switch.made"])
    yield from _approvals_unlike_the_log(archive, [row["detail"] for row in mine if row["kind"] == "plan.approved"])


def _unlike_the_log(archive: zipfile.ZipFile, name: str, sent: dict[int, str], first: int) -> Iterator[str]:
    """Requests that are not as they were sent. Up to the number `first` there was no log yet."""
    for row in _rows(archive, name):
        told = sent.pop(row["request_id"], None)
        body = json.dumps(row["body"], separators=(",", ":"))
        is_older = told is None and row["request_id"] <= first
        if not is_older and told != request_digest(row["method"], row["path"], body):
            yield f"{name}: request {row['request_id']} is not what the log says was sent"
    yield from (f"{name}: request {request_id} is in the log alone" for request_id in sorted(sent))


def _switches_unlike_the_log(archive: zipfile.ZipFile, made: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    headers = {row["switch_id"]: hash_of_lines([row["header"]]) for row in _rows(archive, SWITCHES)}
    sims: dict[str, Any] = defaultdict(hashlib.sha256)
    for row in _rows(archive, SWITCH_SIMS):
        steering = [row[name] for name in ("source_key", "position", "action", "wave", "document")]
        sims[row["switch_id"]].update(switch_item_line(steering).encode())
    for told in made:
        switch_id = told["switch_id"]
        if (headers.get(switch_id), sims[switch_id].hexdigest()) != (told["header"], told["items"]):
            yield f"plan {switch_id} is not what the log says was made"


def _approvals_unlike_the_log(archive: zipfile.ZipFile, given: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = ("changes_sha256", "note")
    held = {(row["approved_by"], *(row[name] for name in names)) for row in _rows(archive, APPROVALS)}
    for told in given:
        if (told["by"], *(told[name] for name in names)) not in held:
            yield f"the approval of {told['by']} is in the log alone"


def _plan_digest(archive: zipfile.ZipFile) -> str:
    """SHA-256 over the lines after the header, as the plan's own fingerprint is taken."""
    digest = hashlib.sha256()
    with archive.open(PLAN) as lines:
        next(lines)
        for line in lines:
            digest.update(line)
    return digest.hexdigest()


def _rows(archive: zipfile.ZipFile, name: str) -> Iterator[dict[str, Any]]:
    """The lines of a member; none if it is not there: what was not done has none."""
    if name not in archive.namelist():
        return
    with archive.open(name) as lines:
        yield from map(json.loads, lines)
