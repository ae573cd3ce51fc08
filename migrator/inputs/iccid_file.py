"""A file of source ICCIDs, one a line: which SIMs a command is about."""

from pathlib import Path

from migrator.core.identifiers import Iccid, NotAnIdentifier
from migrator.errors import InputError, Problem
from migrator.inputs.problems import refusal
from migrator.inputs.text_files import SPREADSHEET_REMEDY, opened_text, rounding_notation, unwrapped

__all__ = ["read_iccids", "unknown_iccids"]

_HEADERS = frozenset({"iccid", "source_iccid", "sim"})


def read_iccids(path: Path) -> dict[str, int]:
    """Read one ICCID a line; `#` begins a comment, and a header is passed over.

    Returns: the line of each SIM, by its key; of one that is named twice, the first.
    Raises: InputError, with every bad line, or when there is none at all.
    """
    found: dict[str, int] = {}
    problems: list[Problem] = []
    with opened_text(path) as stream:
        for line, text in enumerate(stream, start=1):
            value = unwrapped(text.partition("#")[0])
            if not value or (not found and not problems and value.lower() in _HEADERS):
                continue
            try:
                found.setdefault(Iccid.parse(value).key, line)
            except NotAnIdentifier as error:
                problems.append(_problem(f"{path}:{line}", value, error))
    if problems:
        raise refusal(problems, what=str(path))
    if not found:
        raise InputError(f"{path} holds no ICCID", code="empty_file", hint="one source ICCID a line")
    return found


def _problem(where: str, value: str, error: NotAnIdentifier) -> Problem:
    if rounding_notation(value):
        words = f"{value[:40]!r} is a number that a spreadsheet rounded, not an ICCID"
        return Problem("rounded_by_spreadsheet", f"{where}: {words}", SPREADSHEET_REMEDY)
    return Problem("not_an_iccid", f"{where}: {error}", "one source ICCID a line; # begins a comment")


def unknown_iccids(path: Path, lines: dict[str, int], unknown: set[str], *, plan_id: str) -> InputError:
    """The error for SIMs of a file that a plan does not hold, with their lines."""
    hint = "give the 1NCE ICCIDs of the plan's SIMs; `migrator plan show` lists them"
    problems = [
        Problem("not_in_plan", f"{path}:{lines[key]}: plan {plan_id} holds no source SIM {key}", hint)
        for key in sorted(unknown, key=lines.__getitem__)
    ]
    return refusal(problems, what=str(path))
