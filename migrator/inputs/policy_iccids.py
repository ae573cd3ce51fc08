"""A file of source ICCIDs that a policy names: one a line."""

from collections.abc import Iterator
from pathlib import Path

from migrator.core.identifiers import Iccid, NotAnIdentifier
from migrator.errors import InputError, Problem
from migrator.inputs.problems import refusal
from migrator.inputs.text_files import SPREADSHEET_REMEDY, opened_text, rounding_notation, unwrapped

__all__ = ["BAD_ICCID", "read_iccids"]

BAD_ICCID = "bad_iccid"
"""The code of a problem with a line, whose message names the list and its line."""

MOST_SIMS = 2_000_000
MOST_PROBLEMS = 1000
"""A file that is no list at all has a problem in every line."""

_HEADERS = frozenset({"iccid", "source_iccid"})


def read_iccids(path: Path) -> frozenset[str]:
    """The keys of the ICCIDs in a file: one a line, `#` begins a comment, a heading and repeated lines do no harm.

    Raises: InputError, with every bad line by file and line; also for a file without any ICCID.
    """
    keys: set[str] = set()
    problems: list[Problem] = []
    with opened_text(path) as lines:
        for line, value in _values(lines):
            try:
                keys.add(_key(value))
            except NotAnIdentifier as error:
                hint = SPREADSHEET_REMEDY if rounding_notation(value) else "one source ICCID a line, as 1NCE lists it"
                problems.append(Problem(BAD_ICCID, f"{path}:{line}: {error}", hint))
            if len(problems) > MOST_PROBLEMS or len(keys) > MOST_SIMS:
                problems.append(Problem(BAD_ICCID, f"{path}:{line}: not read further", "is this the right file?"))
                break
    if problems:
        raise refusal(problems, what=str(path))
    if not keys:
        raise InputError(f"{path} holds no ICCID", code="empty_file", hint="one source ICCID a line")
    return frozenset(keys)


def _values(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    """Number and text of each line that says something, but for a heading in the first."""
    is_first = True
    for line, text in enumerate(lines, start=1):
        value = unwrapped(text.partition("#")[0])
        if value and not (is_first and value.lower() in _HEADERS):
            yield line, value
        is_first = is_first and not value


def _key(value: str) -> str:
    """Raises: NotAnIdentifier."""
    if rounding_notation(value):
        raise NotAnIdentifier(f"{value[:40]!r} was rounded by a spreadsheet: its last digits are lost")
    return Iccid.parse(value).key
