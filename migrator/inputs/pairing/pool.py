"""Pool of new SIMs, and the assignment to source SIMs.

The pool is read from a list or ranges. The order of the assignment is stable.
"""

import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from migrator.core.fleet.iccid_text import (
    ZERO_REMEDY,
    RefusedIccid,
    looks_rounded,
    lost_digits,
    may_be_rounded,
    read_iccid,
)
from migrator.core.fleet.identifiers import Iccid, luhn_digit
from migrator.core.fleet.secrets import shown
from migrator.core.fleet.sims import Pair
from migrator.errors import InputError, Problem
from migrator.inputs.files.csv_rows import split_line, text_lines
from migrator.inputs.files.problems import refusal
from migrator.inputs.files.text import opened_text, unwrapped
from migrator.inputs.pairing.pool_rows import PoolRow, is_pool_header, pool_rows

__all__ = ["DealResult", "PoolEntry", "RangeMode", "deal", "read_pool"]

RangeMode = Literal["plain", "body"]
"""Way to count a range.

"plain" counts all digits as one number. "body" counts the digits before the check digit, which is then appended.
"""

MOST_SIMS = 2_000_000
WITH_CHECK_DIGIT = 20
"""Number of digits of an ICCID that ends in a check digit.

This is assumed, as in 1NCE's `iccid_with_luhn`. A wrong check digit gives only a warning.
"""

LINES_ON_TOP = 60
"""Number of lines in which a header is searched."""

_HEADERS = frozenset({"iccid", "target_iccid", "sim"})
_SEPARATOR = re.compile(r"[0-9][\"' ]*[,;\t]")
_BEHIND = re.compile(r"[\s,;|]+$")
"""Characters that a spreadsheet leaves at the end of each line.

The cause is an empty second column.
"""
_THOUSANDS = re.compile(r"(?<=\d)[.,' \u00a0](?=\d{3}(?!\d))")
_RANGE = re.compile(r"(.+?)\s*[-\u2013]\s*(.+)")  # an en dash is what a word processor makes of it


@dataclass(frozen=True, slots=True)
class PoolEntry:
    """New SIM, with its place ("FILE:LINE") and a warning.

    The warning is empty where nothing looks odd.
    """

    iccid: Iccid
    origin: str
    in_range: bool = False
    warning: str = ""


@dataclass(frozen=True, slots=True)
class DealResult:
    """New pairs, sources without a new SIM, and entries left over.

    The sources are ordered by ICCID, the entries as in the pool.
    """

    pairs: list[Pair]
    missing: list[Iccid]
    unused: list[PoolEntry]


def read_pool(
    path: Path,
    *,
    range_mode: RangeMode | None,
    chosen: Mapping[str, str] = MappingProxyType({}),
    unused: Callable[[Sequence[str]], None] | None = None,
) -> list[PoolEntry]:
    """Read a pool from a list or a table.

    A list has one ICCID a line, or `first-last` with both ends included. `#` begins a comment. A table is read by its
    columns.

    Args:
        path: the file.
        range_mode: how ranges are counted; None refuses a range that can be counted in two ways.
        chosen: columns by hand, from `parse_choices`; the file is then a table, as where a header names the ICCIDs.
        unused: called with the titles of a table's columns that are not read, if there are any.

    Returns: the SIMs in the file's order. `warning` is set where a check digit looks wrong: such digits are kept,
        since carriers also use ICCIDs without one. `warning` does not repeat `origin`.
    Raises: InputError, with every problem by file and line.
    """
    reader = _Reader(str(path), range_mode)
    with opened_text(path) as stream:
        rest = text_lines(stream, str(path))
        top = list(islice(rest, LINES_ON_TOP))
        lines = chain(top, rest)
        if chosen or any(is_pool_header(split_line(line)) for line in top):
            for row in pool_rows(lines, str(path), chosen, unused):
                reader.take_row(row)
        else:
            for line, text in enumerate(lines, start=1):
                reader.take(line, text.partition("#")[0])
    reader.judge_zeros()
    if reader.problems:
        raise refusal(reader.problems, what=str(path))
    if not reader.entries:
        raise InputError(f"{path} holds no ICCID", code="empty_file", hint="one ICCID a line, or first-last")
    return _with_warnings(reader.entries)


@dataclass(slots=True)
class _Reader:
    """State of the pool so far."""

    file: str
    range_mode: RangeMode | None
    entries: list[PoolEntry] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)  # the line of each SIM
    problems: list[Problem] = field(default_factory=list)
    zeros: list[tuple[Iccid, int]] = field(default_factory=list)  # SIMs that a spreadsheet may have rounded, by line

    def take(self, line: int, text: str) -> None:
        """Take in one line, without its comment."""
        value = unwrapped(_BEHIND.sub("", unwrapped(text)))
        if not value or (not self.entries and not self.problems and value.lower() in _HEADERS):
            return
        span = _RANGE.fullmatch(value)
        try:
            self._take(line, *((value, "") if span is None else (span[1], span[2])), quantity=None)
        except _Refused as error:
            self._note(line, error)

    def take_row(self, row: PoolRow) -> None:
        """Take in one row of a table."""
        span = None if row.last else _RANGE.fullmatch(row.first)
        first, last = (row.first, row.last) if span is None else (span[1], span[2])
        try:
            self._take(row.line, first, last, quantity=None if row.quantity is None else _quantity(row.quantity))
        except _Refused as error:
            self._note(row.line, error)

    def _take(self, line: int, first: str, last: str, *, quantity: int | None) -> None:
        """Take in a SIM, or a range if `last` is given.

        Raises: _Refused.
        """
        if last:
            iccids = self._range(first, last, quantity)
            self._add(line, iccids, in_range=True, warning=_one_end(first, last))
            return
        iccid = self._single(line, first)
        if quantity not in {None, 1}:
            words = f"a quantity of {quantity:,}, and {iccid} is one SIM"
            raise _Refused("wrong_quantity", words, "correct the line; or leave that column out: --column quantity=")
        self._add(line, [iccid], in_range=False)

    def judge_zeros(self) -> None:
        """Refuse the SIMs that a spreadsheet rounded, once all lines are known."""
        for line in lost_digits(self.zeros, total=len(self.entries), among=lambda keys: self.lines.keys() & set(keys)):
            words = "this ICCID ends in zeros from its 16th digit on, as a spreadsheet rounds it"
            self._note(line, _Refused("rounded_by_spreadsheet", words, ZERO_REMEDY))

    def _single(self, line: int, value: str) -> Iccid:
        """Return the SIM of a line.

        Raises: _Refused.
        """
        iccid = _iccid(value)
        if may_be_rounded(value, iccid):
            self.zeros.append((iccid, line))
        return iccid

    def _range(self, first_text: str, last_text: str, quantity: int | None) -> Iterator[Iccid]:
        """Return the SIMs of a range, after a check of both ends.

        Raises: _Refused.
        """
        first, last = _iccid(unwrapped(first_text)), _iccid(unwrapped(last_text))
        if may_be_rounded(unwrapped(first_text), first) and may_be_rounded(unwrapped(last_text), last):
            words = f"both ends of the range {first}-{last} end in zeros, as a spreadsheet rounds them"
            raise _Refused("rounded_by_spreadsheet", words, ZERO_REMEDY)
        if len(first.digits) != len(last.digits):
            words = f"{first} has {len(first.digits)} digits and {last} has {len(last.digits)}"
            raise _Refused("bad_range", words, "both ends of a range need the same length")
        if first.digits > last.digits:
            raise _Refused("bad_range", f"the range {first}-{last} runs backwards", "write the smaller ICCID first")
        if quantity is not None:
            return self._counted(first.digits, last.digits, by_body=self._by_body(first, last, quantity))
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
        return self._counted(first.digits, last.digits, by_body=self.range_mode == "body")

    def _by_body(self, first: Iccid, last: Iccid, quantity: int) -> bool:
        """True if a range of this quantity is counted without check digits.

        Raises: _Refused, if no way to count gives the quantity.
        """
        counts = {"plain": int(last.digits) - int(first.digits) + 1}
        if first.has_right_check_digit and last.has_right_check_digit:
            counts["body"] = int(last.digits[:-1]) - int(first.digits[:-1]) + 1
        if self.range_mode is not None:
            counts = {mode: count for mode, count in counts.items() if mode == self.range_mode}
        for mode, count in sorted(counts.items()):
            if count == quantity:
                return mode == "body"
        held = " or ".join(f"{count:,}" for count in sorted(counts.values())) or "none to be counted so"
        words = f"a quantity of {quantity:,}, and the range {first}-{last} holds {held}"
        raise _Refused("wrong_quantity", words, "which of the three is right? Ask who sent it, and correct the line")

    def _counted(self, first: str, last: str, *, by_body: bool) -> Iterator[Iccid]:
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


def _quantity(text: str) -> int:
    """Read the number in a column of quantities.

    Raises: _Refused.
    """
    digits = _THOUSANDS.sub("", text)
    if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(MOST_SIMS))):
        raise _Refused("wrong_quantity", f"{shown(text) if text else 'nothing'} as the quantity", "write how many SIMs")
    return int(digits)


def _refuse_mistyped_end(first: Iccid, last: Iccid) -> None:
    """Refuse a range with a wrong check digit at only one end.

    The right check digit at the other end shows that the range has check digits.

    Raises: _Refused.
    """
    if len(first.digits) != WITH_CHECK_DIGIT or first.has_right_check_digit == last.has_right_check_digit:
        return
    right, wrong = (first, last) if first.has_right_check_digit else (last, first)
    expected = luhn_digit(wrong.digits[:-1])
    words = f"{right} ends in a right check digit; {wrong} does not, its own would be {expected}: is it mistyped?"
    hint = "correct it and pass --range body; or pass --range plain, if these ICCIDs have no check digit"
    raise _Refused("unclear_range", words, hint)


class _Refused(Exception):
    """Line that cannot be taken in."""

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
            hint += "; pairs of source and target are for `migrator pair import`, columns for --column iccid=TITLE"
        raise _Refused(error.code, str(error), hint) from None


def _one_end(first: str, last: str) -> str:
    """Write a warning for a range with only one end in zeros.

    Blocks of SIMs may begin at such an ICCID, but a spreadsheet also rounds so.
    """
    rounded = [text for text in map(unwrapped, (first, last)) if looks_rounded(text)]
    if len(rounded) != 1:
        return ""
    return f"the end {rounded[0]} of this range is in zeros, as a spreadsheet leaves them; compare it with the cards"


def _with_warnings(entries: list[PoolEntry]) -> list[PoolEntry]:
    """Return the entries, with a warning where a check digit looks wrong.

    A range has the warning at its first SIM, for the whole range. At 20 digits the last digit is a check digit.
    Shorter ICCIDs come with and without a check digit: an entry is odd there when most others of its length end in a
    right digit (of ICCIDs without a check digit, only one in ten does by chance).
    """
    singles = [entry.iccid for entry in entries if not entry.in_range]
    total = Counter(len(iccid.digits) for iccid in singles)
    right = Counter(len(iccid.digits) for iccid in singles if iccid.has_right_check_digit)
    checked = {length for length in total if length == WITH_CHECK_DIGIT or right[length] * 2 > total[length]}
    ranges = _range_warnings(entry for entry in entries if entry.in_range)
    found = (ranges.pop(entry.origin, "") if entry.in_range else _warning(entry, checked) for entry in entries)
    return [
        replace(entry, warning="; ".join(filter(None, [entry.warning, words]))) if words else entry
        for entry, words in zip(entries, found, strict=True)
    ]


def _range_warnings(entries: Iterable[PoolEntry]) -> dict[str, str]:
    """Return a warning for each range with wrong check digits.

    The key is the place of the range.
    """
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
    """Give the next new SIM to each source without a pair.

    Sources are ordered by ICCID text. The pool keeps its order.

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
    words = f"{entry.origin}: {entry.iccid} is an old SIM of the inventory, and cannot be claimed at Hologram"
    return Problem("target_is_source", words, "a pool holds new Hologram SIMs only: remove the line")
