"""File of source ICCIDs that a policy names: one a line."""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from migrator.chunks import chunks
from migrator.core.fleet.iccid_text import RefusedIccid, read_iccid
from migrator.core.fleet.identifiers import Iccid, luhn_digit
from migrator.errors import InputError, Problem
from migrator.inputs.files.csv_rows import text_lines
from migrator.inputs.files.iccids import IccidList
from migrator.inputs.files.problems import refusal
from migrator.inputs.files.text import opened_text, unwrapped

__all__ = ["BadLines", "KnownSims", "read_iccids", "unmatched"]

KnownSims = Callable[[Sequence[str]], Container[str]]
"""Some keys -> the SIMs of the inventory among them."""

MOST_SIMS = 2_000_000
WITH_CHECK_DIGIT = 20
"""Number of digits of an ICCID that ends in a check digit.

This is assumed, as in pools.
"""
MOST_PROBLEMS = 1000
"""Most problems that are collected from one file.

A file that is no list at all has a problem in every line.
"""
LINES_TOLD = 20
"""Most lines without a SIM that are reported for each file."""

_HEADERS = frozenset({"iccid", "source_iccid"})


class BadLines(InputError):
    """Lines of a list are no ICCIDs.

    Each problem names file and line.
    """

    code = "bad_iccid"


def read_iccids(path: Path) -> frozenset[str]:
    """Read the keys of the ICCIDs in a file, one a line.

    `#` begins a comment. A heading and repeated lines do no harm.

    Raises: BadLines, with every bad line; InputError, for a file without any ICCID.
    """
    listed = IccidList(str(path), code=BadLines.code)
    with opened_text(path) as lines:
        for line, value in _values(text_lines(lines, str(path))):
            listed.take(line, value)
            if len(listed.problems) > MOST_PROBLEMS or len(listed.lines) > MOST_SIMS:
                words = f"{path}:{line}: not read further"
                listed.problems.append(Problem(BadLines.code, words, "is this the right file?"))
                break
    if problems := listed.finished():
        raise refusal(problems, what=str(path), kind=BadLines)
    if not listed.lines:
        raise InputError(f"{path} holds no ICCID", code="empty_file", hint="one source ICCID a line")
    return frozenset(listed.lines)


def _values(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    """Read number and text of each line with content.

    A heading in the first such line is left out.
    """
    is_first = True
    for line, text in enumerate(lines, start=1):
        value = unwrapped(text.partition("#")[0])
        if value and not (is_first and value.lower() in _HEADERS):
            yield line, value
        is_first = is_first and not value


def unmatched(lists: Mapping[Path, frozenset[str]], known: KnownSims) -> Iterator[str]:
    """Write a message for each file with ICCIDs outside the inventory.

    The lines of such ICCIDs have no effect.

    Args:
        lists: the keys of each file, as they were read.
        known: asked for a page of keys at a time.
    """
    for path, keys in lists.items():
        missing: set[str] = set()
        for chunk in chunks(keys):
            found = known(chunk)
            missing.update(key for key in chunk if key not in found)
        if missing:
            yield _unmatched_words(path, missing, len(keys))


def _unmatched_words(path: Path, missing: set[str], listed: int) -> str:
    told = list(islice(_lines_of(path, missing), LINES_TOLD)) or sorted(missing)[:LINES_TOLD]
    more = f" and {len(missing) - len(told)} more" if len(missing) > len(told) else ""
    return f"{path}: {len(missing)} of {listed} ICCIDs are of no SIM of the inventory: {', '.join(told)}{more}"


def _lines_of(path: Path, keys: set[str]) -> Iterator[str]:
    """Read the lines of some ICCIDs, each once.

    The result is empty where the file cannot be read twice, as a pipe.
    """
    if not path.is_file():
        return
    left = set(keys)
    with opened_text(path) as lines:
        for line, value in _values(text_lines(lines, str(path))):
            iccid = _parsed(value)
            if iccid is not None and iccid.key in left:
                left.remove(iccid.key)
                yield f"{path}:{line} {iccid}{_oddity(iccid)}"


def _parsed(value: str) -> Iccid | None:
    try:
        return read_iccid(value)
    except RefusedIccid:
        return None  # somebody writes the file just now


def _oddity(iccid: Iccid) -> str:
    is_odd = len(iccid.digits) == WITH_CHECK_DIGIT and not iccid.has_right_check_digit
    return f" (its check digit would be {luhn_digit(iccid.digits[:-1])})" if is_odd else ""
