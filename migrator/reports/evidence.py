"""The evidence: one zip that can be checked without the store."""

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from migrator.core.audit import chain_problems, event_from, request_digest
from migrator.errors import InputError

__all__ = ["EVIDENCE_VERSION", "MANIFEST", "evidence_problems", "write_evidence"]

EVIDENCE_VERSION = 1
MANIFEST = "manifest.json"
KIND = "migrator-evidence"
PLAN, EVENTS, REQUESTS = "plan.jsonl", "events.jsonl", "requests.jsonl"
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
        with _whole(path) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
            held = {name: _write(archive, name, lines()) for name, lines in members.items()}
            manifest = {"kind": KIND, "evidence_version": EVIDENCE_VERSION, **facts, "members": held}
            text = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
            archive.writestr(MANIFEST, text)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror}", code="unwritable", hint="name a file in another folder"
        ) from None
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A private file that takes the place of `path` only when it is whole."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        yield Path(name)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _write(archive: zipfile.ZipFile, name: str, lines: Iterable[str]) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with archive.open(name, "w", force_zip64=True) as out:
        for line in lines:
            data = f"{line}\n".encode()
            digest.update(data)
            size += len(data)
            out.write(data)
    return {"sha256": digest.hexdigest(), "bytes": size}


def evidence_problems(path: Path, *, head: str | None = None) -> tuple[Mapping[str, Any], list[str]]:
    """Check a zip by itself: checksums, the chain of events, the plan's fingerprint, requests against events.

    Returns: its manifest, and what does not hold, in words.
    Raises: InputError, if the file is no evidence.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read(MANIFEST))
            if manifest["kind"] != KIND or manifest["evidence_version"] != EVIDENCE_VERSION:
                raise InputError(f"{path} is evidence of another kind or version", code="not_evidence")
            damaged = list(_damaged(archive, manifest["members"]))
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
    sent = {
        row["detail"]["request_id"]: row["detail"]["sha256"]
        for row in _rows(archive, EVENTS)
        if row["kind"] == "request.sent" and row["plan_id"] == manifest["plan_id"]
    }
    for row in _rows(archive, REQUESTS):
        told = sent.pop(row["request_id"], None)
        body = json.dumps(row["body"], separators=(",", ":"))
        if told != request_digest(row["method"], row["path"], body) and (
            told is not None or row["request_id"] > manifest["audited_after_request"]
        ):
            yield f"request {row['request_id']} is not what the log says was sent"
    yield from (f"request {request_id} is in the log alone" for request_id in sorted(sent))


def _plan_digest(archive: zipfile.ZipFile) -> str:
    """SHA-256 over the lines after the header, as the plan's own fingerprint is taken."""
    digest = hashlib.sha256()
    with archive.open(PLAN) as lines:
        next(lines)
        for line in lines:
            digest.update(line)
    return digest.hexdigest()


def _rows(archive: zipfile.ZipFile, name: str) -> Iterator[dict[str, Any]]:
    with archive.open(name) as lines:
        yield from map(json.loads, lines)
