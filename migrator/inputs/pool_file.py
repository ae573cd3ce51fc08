"""A pool of new SIMs: read from a list or ranges, and dealt out to source SIMs in a stable order."""

import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from migrator.core.fleet import Pair
from migrator.core.iccid_text import (
    ZERO_REMEDY,
    RefusedIccid,
    looks_rounded,
    lost_digits,
    may_be_rounded,
    read_iccid,
)
from migrator.core.identifiers import Iccid, luhn_digit
from migrator.errors import InputError, Problem
from migrator.inputs.problems import refusal
from migrator.inputs.text_files import opened_text, unwrapped

__all__ = ["DealResult", "PoolEntry", "RangeMode", "deal", "read_pool"]

RangeMode = Literal["plain", "body"]
"""How a range is counted: all digits as one number, or the digits before the check digit, which is then appended."""

MOST_SIMS = 2_000_000
WITH_CHECK_DIGIT = 20
"""Assumed: ICCIDs this long end in a check digit, as 1NCE's `iccid_with_luhn` does. A wrong one is only warned of."""

_HEADERS = frozenset({"iccid", "target_iccid", "sim"})
_SEPARATOR = re.compile(r"[0-9][\"' ]*[,;\t]")
_RANGE = re.compile(r"(.+?)\s*[-\u2013]\s*(.+)")  # an en dash is what a word processor makes of it


@dataclass(frozen=True, slots=True)
class PoolEntry:
    """One new SIM, where it stands ("FILE:LINE"), and what looks odd about it (empty: nothing)."""

    iccid: Iccid
    origin: str
    in_range: bool = False
    warning: str = ""


@dataclass(frozen=True, slots=True)
class DealResult:
    """New pairs; the sources that went without, by ICCID; and the entries left over, in the pool's order."""

    pairs: list[Pair]
    missing: list[Iccid]
    unused: list[PoolEntry]


def read_pool(path: Path, *, range_mode: RangeMode | None) -> list[PoolEntry]:
    """Read one ICCID a line, or `first-last` with both ends included; `#` begins a comment.

    Returns: the SIMs in the file's order. `warning` is set where a check digit looks wrong: such digits are kept,
        since carriers also use ICCIDs without one. It does not repeat `origin`.
    Raises: InputError, with every problem by file and line.
    """
    reader = _Reader(str(path), range_mode)
    with opened_text(path) as stream:
        for line, text in enumerate(stream, start=1):
            reader.take(line, text.partition("#")[0])
    reader.judge_zeros()
    if reader.problems:
        raise refusal(reader.problems, what=str(path))
    if not reader.entries:
        raise InputError(f"{path} holds no ICCID", code="empty_file", hint="one ICCID a line, or first-last")
    return _with_warnings(reader.entries)


@dataclass(slots=True)
class _Reader:
    """The pool so far."""

    file: str
    range_mode: RangeMode | None
    entries: list[PoolEntry] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)  # the line of each SIM
    problems: list[Problem] = field(default_factory=list)
    zeros: list[tuple[Iccid, int]] = field(default_factory=list)  # SIMs that a spreadsheet may have rounded, by line

    def take(self, line: int, text: str) -> None:
        """Take in one line, without its comment."""
        value = unwrapped(text)
        if not value or (not self.entries and not self.problems and value.lower() in _HEADERS):
            return
        span = _RANGE.fullmatch(value)
        try:
            if span is None:
                self._add(line, [self._single(line, value)], in_range=False)
            else:
                self._add(line, self._range(span[1], span[2]), in_range=True, warning=_one_end(span[1], span[2]))
        except _Refused as error:
            self._note(line, error)

    def judge_zeros(self) -> None:
        """Refuse the SIMs that a spreadsheet rounded, once all lines are known."""
        for line in lost_digits(self.zeros, total=len(self.entries), among=lambda keys: self.lines.keys() & set(keys)):
            words = "this ICCID ends in zeros from its 16th digit on, as a spreadsheet rounds it"
            self._note(line, _Refused("rounded_by_spreadsheet", words, ZERO_REMEDY))

    def _single(self, line: int, value: str) -> Iccid:
        """The SIM of a line. Raises: _Refused."""
        iccid = _iccid(value)
        if may_be_rounded(value, iccid):
            self.zeros.append((iccid, line))
        return iccid

    def _range(self, first_text: str, last_text: str) -> Iterator[Iccid]:
        """The SIMs of a range, once its ends are seen to be sound. Raises: _Refused."""
        first, last = _iccid(unwrapped(first_text)), _iccid(unwrapped(last_text))
        if may_be_rounded(unwrapped(first_text), first) and may_be_rounded(unwrapped(last_text), last):
            words = f"both ends of the range {first}-{last} end in zeros, as a spreadsheet rounds them"
            raise _Refused("rounded_by_spreadsheet", words, ZERO_REMEDY)
        if len(first.digits) != len(last.digits):
            words = f"{first} has {len(first.digits)} digits and {last} has {len(last.digits)}"
            raise _Refused("bad_range", words, "both ends of a range need the same length")
        if first.digits > last.digits:
            raise _Refused("bad_range", f"the range {first}-{last} runs backwards", "write the smaller ICCID first")
        if self.range_mode is None:
            _refuse_mistyped_end(first, last)
        with_check_digits = first.has_right_check_digit and last.has_right_check_digit
        if self.range_mode == "body" and not with_check_digits:
            words = f"--range body, but {first} and {last} do not both end in a right check digit"
            raise _Refused("bad_range", words, "correct the ends, or pass --range plain")
        if self.range_mode is None and with_check_digits and first.digits != last.digits:
            words = f"the range {first}-{last} can be counted with or without the check digits at its ends"
            hint = "pass --range body if each SIM ends in a check digit (usual), --range plain to count all digits"
            raise _Refused("unclear_range", words, hint)
        return self._counted(first.digits, last.digits)

    def _counted(self, first: str, last: str) -> Iterator[Iccid]:
        by_body = self.range_mode == "body"
        start, stop = (int(first[:-1]), int(last[:-1])) if by_body else (int(first), int(last))
        if stop - start >= MOST_SIMS:
            words = f"the range {first}-{last} holds {stop - start + 1:,} SIMs, expected at most {MOST_SIMS:,}"
            raise _Refused("bad_range", words, "is a digit missing or doubled at one of its ends?")
        width = len(first) - by_body
        bodies = (str(number).zfill(width) for number in range(start, stop + 1))
        return (Iccid.parse(body + luhn_digit(body) if by_body else body) for body in bodies)

    def _add(self, line: int, iccids: Iterable[Iccid], *, in_range: bool, warning: str = "") -> None:
        origin, repeated = f"{self.file}:{line}", Counter[int]()
        for iccid in iccids:
            earlier = self.lines.setdefault(iccid.key, line)
            if earlier != line:
                repeated[earlier] += 1
            elif len(self.entries) < MOST_SIMS:
                self.entries.append(PoolEntry(iccid, origin, in_range, warning))
                warning = ""  # once for the range
            else:
                raise _Refused("too_many", f"more than {MOST_SIMS:,} SIMs in the pool", "deal it out file by file")
        for earlier, times in repeated.items():
            words = f"{times:,} SIMs of this range stand" if in_range else "this SIM stands"
            hint = "each new SIM is listed once: correct one of the two lines"
            self._note(line, _Refused("pool_twice", f"{words} on line {earlier} already", hint))

    def _note(self, line: int, error: "_Refused") -> None:
        self.problems.append(Problem(error.code, f"{self.file}:{line}: {error.words}", error.hint))


def _refuse_mistyped_end(first: Iccid, last: Iccid) -> None:
    """Raises: _Refused, where one end shows that the range has check digits, and the other end's is wrong."""
    if len(first.digits) != WITH_CHECK_DIGIT or first.has_right_check_digit == last.has_right_check_digit:
        return
    right, wrong = (first, last) if first.has_right_check_digit else (last, first)
    expected = luhn_digit(wrong.digits[:-1])
    words = f"{right} ends in a right check digit; {wrong} does not, its own would be {expected}: is it mistyped?"
    hint = "correct it and pass --range body; or pass --range plain, if these ICCIDs have no check digit"
    raise _Refused("unclear_range", words, hint)


class _Refused(Exception):
    """A line that cannot be taken in."""

    def __init__(self, code: str, words: str, hint: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words
        self.hint = hint


def _iccid(text: str) -> Iccid:
    try:
        return read_iccid(text)
    except RefusedIccid as error:
        hint = error.hint or "one ICCID a line, or first-last; # begins a comment"
        if not error.hint and _SEPARATOR.search(text):
            hint += "; pairs of source and target are for `migrator pair import`"
        raise _Refused(error.code, str(error), hint) from None


def _one_end(first: str, last: str) -> str:
    """Words on a range of which one end is in zeros: blocks begin so, and so does what a spreadsheet rounded."""
    rounded = [text for text in map(unwrapped, (first, last)) if looks_rounded(text)]
    if len(rounded) != 1:
        return ""
    return f"the end {rounded[0]} of this range is in zeros, as a spreadsheet leaves them; compare it with the cards"


def _with_warnings(entries: list[PoolEntry]) -> list[PoolEntry]:
    """The entries, with a word on those whose check digit looks wrong: of a range at its first SIM, for all of it.

    At 20 digits the last one is a check digit. Shorter ICCIDs come with and without: there, an entry is odd when most
    others of its length end in a right digit (of bare ones, only one in ten does by chance).
    """
    singles = [entry.iccid for entry in entries if not entry.in_range]
    total = Counter(len(iccid.digits) for iccid in singles)
    right = Counter(len(iccid.digits) for iccid in singles if iccid.has_right_check_digit)
    checked = {length for length in total if length == WITH_CHECK_DIGIT or right[length] * 2 > total[length]}
    ranges = _range_warnings(entry for entry in entries if entry.in_range)
    told = (ranges.pop(entry.origin, "") if entry.in_range else _warning(entry, checked) for entry in entries)
    return [replace(entry, warning=words) if words else entry for entry, words in zip(entries, told, strict=True)]


def _range_warnings(entries: Iterable[PoolEntry]) -> dict[str, str]:
    """Words on each range, by where it stands, with wrong check digits in it."""
    sims, odd = Counter[str](), Counter[str]()
    for entry in entries:
        if len(entry.iccid.digits) == WITH_CHECK_DIGIT:
            sims[entry.origin] += 1
            odd[entry.origin] += not entry.iccid.has_right_check_digit
    return {
        origin: f"of the {sims[origin]:,} SIMs of this range {times:,} end in a wrong check digit; "
        "SIMs that have one are counted with --range body"
        for origin, times in odd.items()
        if times
    }


def _warning(entry: PoolEntry, checked_lengths: Container[int]) -> str:
    digits = entry.iccid.digits
    if looks_rounded(digits):
        return f"{digits} ends in zeros as a spreadsheet leaves them; compare it with the card"
    if len(digits) in checked_lengths and not entry.iccid.has_right_check_digit:
        expected = luhn_digit(digits[:-1])
        return f"{digits} ends in {digits[-1]}, its check digit would be {expected}; is it mistyped?"
    return ""


def deal(sources: Iterable[Iccid], pool: Sequence[PoolEntry], *, taken: Container[str]) -> DealResult:
    """Give each source that has no pair the next new SIM of the pool: sources by ICCID text, the pool in its order.

    Args:
        sources: SIMs of the source fleet.
        taken: canonical keys of sources and targets that stand in a pair already; both are left out.

    Raises: InputError, if the pool holds SIMs of the source fleet: those cannot be claimed.
    """
    fleet = sorted(sources, key=lambda iccid: iccid.digits)
    own = {iccid.key for iccid in fleet}
    misplaced = [entry for entry in pool if entry.iccid.key in own]
    if misplaced:
        raise refusal([_misplaced(entry) for entry in misplaced], what="the pool")
    waiting = [iccid for iccid in fleet if iccid.key not in taken]
    free = [entry for entry in pool if entry.iccid.key not in taken]
    pairs = [Pair(iccid, entry.iccid, entry.origin) for iccid, entry in zip(waiting, free, strict=False)]
    return DealResult(pairs, waiting[len(pairs) :], free[len(pairs) :])


def _misplaced(entry: PoolEntry) -> Problem:
    words = f"{entry.origin}: {entry.iccid} is a 1NCE SIM of the inventory, and cannot be claimed at Hologram"
    return Problem("target_is_source", words, "a pool holds new Hologram SIMs only: remove the line")
