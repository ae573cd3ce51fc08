"""Plan file, checked against the fingerprint in its own header."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from migrator.core.fleet.iccid_text import RefusedIccid, read_iccid
from migrator.core.fleet.identifiers import ICCID_LONGEST, ICCID_SHORTEST
from migrator.core.plan.diff import PlanLine, header_differences
from migrator.core.plan.document import KIND, PLAN_VERSION, header_document, header_from, header_line
from migrator.core.plan.plan import PlanHeader
from migrator.errors import InputError

__all__ = ["must_be_the_stored_plan", "plan_file_lines", "read_plan_file"]

BLOCK_BYTES = 1 << 20
LONGEST_LINE_BYTES = 16 * 1024**2
"""Most bytes of a line that are read.

The header of a plan is its longest line.
"""

_ICCID = re.compile(r'"source_iccid":"(\d+)"')
"""Pattern of the source ICCID in a line of a plan.

No text inside a line can match, because quotes in a text have backslashes.
"""


def read_plan_file(path: Path) -> PlanHeader:
    """Read the header of a plan file.

    `apply` carries out the plan in the store. The file only names the plan.

    Raises: InputError, if the file is no plan file, or was changed since it was written.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as lines:
            header = _header(path, lines.readline(LONGEST_LINE_BYTES))
            while block := lines.read(BLOCK_BYTES):
                digest.update(block)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}", code="unreadable", hint="check the path"
        ) from error
    if digest.hexdigest() != header.fingerprints.changes:
        raise InputError(
            f"{path} was changed since it was written: its lines do not match the fingerprint in its header",
            code="edited_plan",
            hint="a plan is not edited: change policy or pairs and make a new one; or export this one again",
        )
    return header


def must_be_the_stored_plan(path: Path, stored: PlanHeader) -> None:
    """Refuse a plan file with another header than the stored plan.

    `read_plan_file` has checked the file before. The fingerprint in the header covers the lines, but not the header
    itself, and people read the header first.

    Raises: InputError, if the header is not the line of the stored plan.
    """
    with path.open("rb") as lines:
        line = lines.readline(LONGEST_LINE_BYTES)
    if line.rstrip(b"\r\n").decode(errors="replace") == header_line(stored):
        return
    before, after = header_document(stored), header_document(_header(path, line))
    names = ", ".join(header_differences(before, after)) or "how it is written"
    raise InputError(
        f"{path} was changed since it was written: its header is not that of plan {stored.plan_id} in this store; "
        f"other there: {names}",
        code="edited_plan",
        hint="a plan is not edited: change policy or pairs and make a new one; or export this one again",
    )


def plan_file_lines(path: Path) -> Iterator[PlanLine]:
    """Read the SIMs of a plan file that `read_plan_file` has checked.

    Raises: InputError, if a line names no SIM.
    """
    with path.open(encoding="utf-8", newline="\n") as lines:
        lines.readline(LONGEST_LINE_BYTES)
        for number, line in enumerate(iter(lambda: lines.readline(LONGEST_LINE_BYTES), ""), 2):
            found = _ICCID.search(line)
            if found is None:
                raise InputError(f"{path}:{number}: this line names no SIM", code="not_a_plan", hint="export it again")
            if not found[1].startswith("89") or not ICCID_SHORTEST <= len(found[1]) <= ICCID_LONGEST:
                _must_be_iccid(found[1], f"{path}:{number}")
            yield PlanLine(found[1], line.rstrip("\n"))


def _must_be_iccid(digits: str, place: str) -> None:
    """Refuse digits that are no ICCID.

    Zeros at the end are not judged again: that was done when the plan's SIMs were read.

    Raises: InputError.
    """
    try:
        read_iccid(digits)
    except RefusedIccid as error:
        raise InputError(f"{place}: {error}", code="not_a_plan", hint=error.hint or "export it again") from None


def _header(path: Path, line: bytes) -> PlanHeader:
    try:
        values = json.loads(line)
        version = values["plan_version"] if values["kind"] == KIND else values[KIND]
        if version == PLAN_VERSION:
            return header_from(values)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        hint = "give a plan's id, or a file that `plan export` or `plan create --out` wrote"
        raise InputError(f"{path}:1: this is not a plan file", code="not_a_plan", hint=hint) from error
    hint = f"this version reads plan_version {PLAN_VERSION}"
    raise InputError(f"{path}:1: plan_version {version} is not known here", code="plan_version", hint=hint)
