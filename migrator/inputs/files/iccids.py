"""File of source ICCIDs, one a line: the SIMs of a command."""

from pathlib import Path
from typing import TYPE_CHECKING

from migrator.core.fleet.iccid_text import ZERO_REMEDY, RefusedIccid, lost_digits, may_be_rounded, read_iccid
from migrator.errors import InputError, Problem
from migrator.inputs.files.csv_rows import text_lines
from migrator.inputs.files.problems import refusal
from migrator.inputs.files.text import opened_text, unwrapped

if TYPE_CHECKING:
    from migrator.core.fleet.identifiers import Iccid

__all__ = ["IccidList", "read_iccids", "unknown_iccids"]

_HEADERS = frozenset({"iccid", "source_iccid", "sim"})


def read_iccids(path: Path) -> dict[str, int]:
    """Read one ICCID a line.

    `#` begins a comment. A header is skipped.

    Returns: the line of each SIM, by its key. For a SIM that is named twice, the first line.
    Raises: InputError, with every bad line, or when the file holds no ICCID.
    """
    listed = IccidList(str(path))
    with opened_text(path) as stream:
        for line, text in enumerate(text_lines(stream, str(path)), start=1):
            listed.take(line, unwrapped(text.partition("#")[0]))
    if problems := listed.finished():
        raise refusal(problems, what=str(path))
    if not listed.lines:
        raise InputError(f"{path} holds no ICCID", code="empty_file", hint="one source ICCID a line")
    return listed.lines


class IccidList:
    """ICCIDs of old SIMs, line by line.

    Args:
        file: the file's name in messages.
        code: of every problem, for callers that rely on the code; empty: each problem has its own.
    """

    def __init__(self, file: str, *, code: str = "") -> None:
        self.lines: dict[str, int] = {}
        self.problems: list[Problem] = []
        self._file = file
        self._code = code
        self._read = 0
        self._zeros: list[tuple[Iccid, int]] = []

    def take(self, line: int, value: str) -> None:
        """Take in one line, without its comment.

        Blank lines and a header are skipped.
        """
        if not value or (not self._read and value.lower() in _HEADERS):
            return
        self._read += 1
        try:
            iccid = read_iccid(value)
        except RefusedIccid as error:
            self._note(line, error.code, str(error), error.hint or "one source ICCID a line; # begins a comment")
            return
        self.lines.setdefault(iccid.key, line)
        if may_be_rounded(value, iccid):
            self._zeros.append((iccid, line))

    def finished(self) -> list[Problem]:
        """Return every problem, after the last line was taken in."""
        for line in lost_digits(self._zeros, total=self._read, among=lambda keys: self.lines.keys() & set(keys)):
            words = "this ICCID ends in zeros from its 16th digit on, as a spreadsheet rounds it"
            self._note(line, "rounded_by_spreadsheet", words, ZERO_REMEDY)
        return self.problems

    def _note(self, line: int, code: str, words: str, hint: str) -> None:
        self.problems.append(Problem(self._code or code, f"{self._file}:{line}: {words}", hint))


def unknown_iccids(path: Path, lines: dict[str, int], unknown: set[str], *, plan_id: str) -> InputError:
    """Build the error for SIMs that are not in a plan.

    The SIMs stand in a file. The error gives the line of each SIM.
    """
    hint = "give the old ICCIDs of the plan's SIMs; `migrator plan show` lists them"
    problems = [
        Problem("not_in_plan", f"{path}:{lines[key]}: plan {plan_id} holds no source SIM {key}", hint)
        for key in sorted(unknown, key=lines.__getitem__)
    ]
    return refusal(problems, what=str(path))
