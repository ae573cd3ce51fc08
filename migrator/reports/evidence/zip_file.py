"""Reading of an evidence zip that somebody may have damaged.

What cannot be read is a finding. The rest is read.
"""

import hashlib
import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from migrator.core.audit.chain import DAMAGE
from migrator.errors import InputError
from migrator.reports.evidence.file import (
    ALWAYS,
    CAMPAIGN,
    CAMPAIGN_ALWAYS,
    CAMPAIGN_KIND,
    CAMPAIGN_MEMBERS,
    CAMPAIGN_VERSION,
    EVENTS,
    EVIDENCE_VERSION,
    KIND,
    MANIFEST,
    MEMBERS,
    OF_PLAN,
    POLICIES,
    REPORT,
    plan_folder,
)

__all__ = ["EvidenceZip", "manifest_problems", "opened"]

BLOCK = 1 << 20
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError, *DAMAGE)
"""Errors that a zip raises if its bytes were changed."""
PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
LARGEST_BYTES = 16 * 1024**3
"""Most bytes to which a zip may unpack.

The evidence of a million SIMs has some 4 GB.
"""
LONGEST_LINE_BYTES = 16 * 1024**2
"""Most bytes held in memory at once.

That is a line, the manifest, or a policy.
"""
MOST_MEMBERS, MOST_OF_CAMPAIGN = 100, 500_000
"""Most members of a zip: a plan has a dozen."""
MOST_PROBLEMS = 1_000


class EvidenceZip:
    """An open evidence zip.

    `manifest` is empty if the manifest cannot be read. `problems` grows while members are read. `readable` names the
    members that are there and can be read. `lost` names the members that are damaged, and the members that are missing
    though every zip has them. `plans` has the folder of each plan: the evidence of one plan has it without a folder.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.problems: list[str] = []
        self.readable: set[str] = set()
        self.lost: set[str] = set()
        self.manifest: Mapping[str, Any] = {}
        self.is_campaign = CAMPAIGN in archive.namelist()
        self.plans: dict[str, str] = {}

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a member with their ends.

        A member that is not there has no lines: what was not done has no member.
        """
        if name in self.readable:
            with self._archive.open(name) as lines:
                while line := lines.readline(LONGEST_LINE_BYTES + 1):
                    if len(line) > LONGEST_LINE_BYTES:
                        raise ValueError(f"a line of more than {LONGEST_LINE_BYTES // 1024**2} MiB")
                    yield line

    def whole(self, name: str) -> bytes:
        """Return the content of a small member.

        Raises: ValueError, if it is not small.
        """
        if name in self.readable and self._archive.getinfo(name).file_size > LONGEST_LINE_BYTES:
            raise ValueError(f"more than {LONGEST_LINE_BYTES // 1024**2} MiB")
        return b"".join(self.lines(name))

    def rows(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the lines of a member that are JSON objects.

        Each other line is noted as a problem.
        """
        for number, line in enumerate(self.lines(name), start=1):
            row = _object(line)
            if row is None:
                self.note(f"{name}: line {number} is damaged, it is no JSON object")
            else:
                yield row

    def look(self) -> None:
        """Read the manifest, and compare every member with the manifest."""
        names = Counter(self._archive.namelist())
        for name in sorted(name for name, count in names.items() if count > 1):
            self.note(f"{name} is in it twice")
        told = self._manifest(names)
        self.plans = self._folders(names)
        for name in sorted({*names, *told, *self._always()} - {MANIFEST}):
            self._look_at(name, told, is_there=name in names)

    def _folders(self, names: Iterable[str]) -> dict[str, str]:
        """Return the folder of each plan.

        Plans are those of the manifest, and those that are there.
        """
        if not self.is_campaign:
            return {str(self.manifest.get("plan_id")): ""}
        listed = self.manifest.get("plans")
        told = [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
        there = [name.split("/")[1] for name in names if name.startswith("plans/") and name.count("/") > 1]
        return {plan_id: plan_folder(plan_id) for plan_id in sorted({*told, *there})}

    def _always(self) -> set[str]:
        if not self.is_campaign:
            return set(ALWAYS)
        of_plans = (f"{folder}{name}" for folder in self.plans.values() for name in ALWAYS if name != EVENTS)
        return {*CAMPAIGN_ALWAYS, *of_plans}

    def _is_known(self, name: str) -> bool:
        if not self.is_campaign:
            return name in MEMBERS
        folder, _, rest = name.rpartition("/")
        is_of_plan = rest in OF_PLAN and f"{folder}/" in self.plans.values()
        return name in CAMPAIGN_MEMBERS or is_of_plan or f"{folder}/" in {POLICIES, REPORT}

    def _manifest(self, names: Container[str]) -> Mapping[str, Mapping[str, Any]]:
        """Return the manifest's entry for each member.

        Raises: InputError, if the manifest belongs to something else.
        """
        if MANIFEST not in names:
            self.note(f"{MANIFEST} is missing")
            return {}
        try:
            with self._archive.open(MANIFEST) as member:
                text = member.read(LONGEST_LINE_BYTES + 1)
            if len(text) > LONGEST_LINE_BYTES:
                raise zipfile.BadZipFile("larger than any manifest")
        except UNREADABLE as error:
            self.note(f"{MANIFEST} is damaged: it cannot be read ({type(error).__name__})")
            return {}
        values = _object(text)
        kind = None if values is None else (values.get("kind"), values.get("evidence_version"))
        if values is None or kind not in {(KIND, EVIDENCE_VERSION), (CAMPAIGN_KIND, CAMPAIGN_VERSION)}:
            raise InputError(
                f"{self._archive.filename} is no evidence file, or one of another version",
                code="not_evidence",
                hint="`migrator report --evidence FILE`, or `campaign report --evidence FILE`, writes one",
            )
        self.is_campaign = values["kind"] == CAMPAIGN_KIND
        self.manifest = {**values, "sha256": hashlib.sha256(text).hexdigest()}
        members = values.get("members")
        return members if isinstance(members, dict) else {}

    def _look_at(self, name: str, told: Mapping[str, Any], *, is_there: bool) -> None:
        if not is_there:
            self.lost.add(name)
            self.note(f"{name} is missing")
            return
        try:
            digest, size = self._digest(name)
        except UNREADABLE as error:
            self.lost.add(name)
            self.note(f"{name} is damaged: it cannot be read ({type(error).__name__})")
            return
        self.readable.add(name)
        if not self._is_known(name):
            self.note(f"{name} is no part of an evidence file")
        if not self.manifest:
            return
        held = told.get(name)
        if held is None:
            self.note(f"{name} is not in the manifest")
        elif held != {"sha256": digest, "bytes": size}:
            self.note(f"{name} is not what was written")

    def _digest(self, name: str) -> tuple[str, int]:
        if self._archive.getinfo(name).compress_type not in PLAIN:
            raise zipfile.BadZipFile("packed in a way that we never use")
        digest, size = hashlib.sha256(), 0
        with self._archive.open(name) as member:
            while block := member.read(BLOCK):
                digest.update(block)
                size += len(block)
        return digest.hexdigest(), size

    def note(self, words: str) -> None:
        """Add a problem, once."""
        if len(self.problems) > MOST_PROBLEMS or words in self.problems:  # a member may be read more than once
            return
        self.problems.append(words if len(self.problems) < MOST_PROBLEMS else "and more that is not listed")


def opened(path: Path) -> zipfile.ZipFile | None:
    """Open the zip, or return None if the zip is too damaged.

    None is returned only for a zip of ours.

    Raises: InputError, if the zip is none of ours.
    """
    try:
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", code="unreadable") from None
    except UNREADABLE as error:
        if _begins_like_ours(path):
            return None
        raise _not_evidence(path, type(error).__name__) from None
    if {MANIFEST, CAMPAIGN, *MEMBERS}.isdisjoint(archive.namelist()):
        archive.close()
        if _begins_like_ours(path):
            return None
        raise _not_evidence(path, "none of its members is in this zip")
    if (too_large := _too_large(archive)) is not None:
        archive.close()
        raise InputError(f"{path} is not read: {too_large}", code="too_large", hint="is this the right file?")
    return archive


def _too_large(archive: zipfile.ZipFile) -> str | None:
    """Return why a zip is not read, or None.

    A member never gives more bytes than the zip says that it has.
    """
    members = archive.infolist()
    most = MOST_OF_CAMPAIGN if any(member.filename == CAMPAIGN for member in members) else MOST_MEMBERS
    if len(members) > most:
        return f"it has {len(members)} members, more than {most}"
    size = sum(member.file_size for member in members)
    if size > LARGEST_BYTES:
        return f"it unpacks to {size / 1024**3:,.0f} GiB, more than {LARGEST_BYTES // 1024**3}"
    return None


def manifest_problems(manifest: Mapping[str, Any], noted: str | None) -> Iterator[str]:
    """Yield what is wrong with a manifest.

    `noted` is the SHA-256 of the manifest that was noted when the manifest was written.
    """
    what = ("campaign", "plans") if manifest["kind"] == CAMPAIGN_KIND else ("plan_id",)
    names = (*what, "lineage", "org_id", "head", "members")
    if missing := [name for name in names if name not in manifest]:
        yield f"{MANIFEST} does not tell {', '.join(missing)}"
    if noted not in {None, manifest.get("sha256")}:
        yield "the manifest is not the one that was noted"


def _not_evidence(path: Path, why: str) -> InputError:
    return InputError(
        f"{path} is no evidence file: {why}",
        code="not_evidence",
        hint="`migrator report --evidence FILE`, or `campaign report --evidence FILE`, writes one",
    )


def _begins_like_ours(path: Path) -> bool:
    with path.open("rb") as file:
        begins = file.read(64)
        return any(name.encode() in begins for name in (MEMBERS[0], CAMPAIGN))


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except DAMAGE:
        return None
    return row if isinstance(row, dict) else None
