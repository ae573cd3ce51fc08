"""Corrections of pairs from a CSV: `pair correct`.

Each line names an old SIM, the new SIM that is in its unit, and how that is known.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from migrator.chunks import chunks
from migrator.core.fleet.corrections import Correction
from migrator.core.fleet.iccid_text import RefusedIccid, read_iccid
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.secrets import shown, shown_title
from migrator.errors import InputError, Problem
from migrator.inputs.files.csv_rows import csv_records, text_lines
from migrator.inputs.files.problems import spelled
from migrator.inputs.files.text import opened_text, unwrapped
from migrator.inputs.pairing.list_columns import PAIR_TITLES, Titles, field_named, find_columns, unused_titles

__all__ = ["CORRECTION_TITLES", "TAKEN", "CorrectionsRead", "read_corrections"]

SOURCE, TARGET = "source_iccid", "target_iccid"
CORRECTION_TITLES: Titles = {
    SOURCE: PAIR_TITLES[SOURCE],
    TARGET: PAIR_TITLES[TARGET],
    "evidence": ("proof", "Beleg", "Nachweis"),
    "reason": ("why", "Grund"),
    "by": ("corrected by", "person", "technician", "Techniker"),
    "bucket": (),
}
TAKEN = ("exact", "contradicts", "known")
"""Buckets of `pair discover --out` whose lines are corrections.

The lines of the others are passed over: their evidence does not settle them.
"""
LONGEST_TEXT = 1000
HEADER_REMEDY = f"make the first line {SOURCE},{TARGET},evidence; a column `reason` or `by` may stand beside them"


@dataclass(slots=True)
class CorrectionsRead:
    """Corrections of a file.

    Args:
        corrections: in the file's order.
        passed_over: lines whose bucket is none of `TAKEN`.
        known: lines of a discovery that repeat the pairs of then.
        unused_columns: titles of columns that are not read.
    """

    corrections: list[Correction] = field(default_factory=list)
    passed_over: int = 0
    known: int = 0
    unused_columns: list[str] = field(default_factory=list)


class _Row(NamedTuple):
    line: int
    source: str
    target: str
    evidence: str
    reason: str
    by: str
    bucket: str


def read_corrections(
    path: Path,
    *,
    by: str,
    reason: str,
    sources: Callable[[Sequence[str]], Mapping[str, Iccid]],
    chosen: Mapping[str, str] = MappingProxyType({}),
) -> CorrectionsRead:
    """Read every correction of a file, all or none.

    Args:
        path: the file.
        by: who answers for lines that name nobody.
        reason: for lines that give none; empty for no reason.
        sources: returns the old SIMs of the inventory among some keys.
        chosen: columns by hand, from `parse_choices`.

    Raises: InputError, naming every problem with its file and line.
    """
    read, problems = CorrectionsRead(), list[Problem]()
    by_source, by_target = dict[str, int](), dict[str, int]()
    for some in chunks(_rows(path, chosen, read)):
        parsed = [(row, *_iccids(row, path, problems)) for row in some]
        keys = [iccid.key for _, *both in parsed for iccid in both if iccid is not None]
        known = sources(keys)
        for row, source, target in parsed:
            if source is None or target is None:
                continue
            place = f"{path}:{row.line}"
            found = [
                *_of_inventory(place, source, target, known),
                *_twice(place, row.line, "old", source, by_source),
                *_twice(place, row.line, "new", target, by_target),
                *_of_words(place, row, reason),
            ]
            problems += found
            if not found:
                old = known[source.key]
                who = " ".join(row.by.split()) or by
                read.corrections.append(Correction(old, target, place, row.evidence, who, row.reason or reason))
    if problems:
        words = f"{path}: {len(problems)} problems; nothing was changed"
        raise InputError(words, code="pair_correct", problems=(*problems, Problem("pair_correct", words)))
    if not read.corrections and not read.known and not read.passed_over:
        raise InputError(f"{path} has a header and no corrections", code="empty_file", hint="add a line for each SIM")
    return read


def _rows(path: Path, chosen: Mapping[str, str], read: CorrectionsRead) -> Iterator[_Row]:
    """Yield the lines that may be corrections, and count the others."""
    with opened_text(path) as stream:
        records = csv_records(text_lines(stream, str(path)), str(path), skips_spaces=True, is_header=_is_header)
        first = next(records, None)
        if first is None:
            raise InputError(f"{path} is empty", code="empty_file", hint=HEADER_REMEDY)
        line, cells = first
        titles = [unwrapped(cell) for cell in cells]
        columns = find_columns(titles, CORRECTION_TITLES, chosen, place=f"{path}:{line}")
        if missing := [name for name in (SOURCE, TARGET) if name not in columns]:
            told = spelled(shown_title(title, quoted=False) for title in titles)[:200]
            words = f"{path}:{line}: no column {spelled(missing)}; found {told}"
            raise InputError(words, code="no_header", hint=HEADER_REMEDY)
        unused_titles(titles, columns, read.unused_columns.extend)
        names = (SOURCE, TARGET, "evidence", "reason", "by", "bucket")
        places = [columns.get(name, len(cells)) for name in names]
        for line, row in records:
            whole = [unwrapped(cell) for cell in row] + [""] * (max(places) + 1 - len(row))
            one = _Row(line, *(whole[place] for place in places))
            if one.bucket == TAKEN[-1]:
                read.known += 1
            elif one.bucket and one.bucket not in TAKEN:
                read.passed_over += 1
            else:
                yield one


def _is_header(cells: list[str]) -> bool:
    return {SOURCE, TARGET} <= {field_named(unwrapped(cell), CORRECTION_TITLES) for cell in cells}


def _iccids(row: _Row, path: Path, problems: list[Problem]) -> tuple[Iccid | None, Iccid | None]:
    """Return both SIMs of a line; None for no ICCID."""
    found: list[Iccid | None] = []
    for side, text in (("old", row.source), ("new", row.target)):
        place = f"{path}:{row.line}"
        try:
            found.append(read_iccid(text))
        except RefusedIccid as error:
            remedy = error.hint or "correct it, or remove the line"
            problem = Problem(error.code, f"{place}: {side} SIM: {error}", remedy)
            if not text:
                words = f"{place}: no {side} SIM"
                problem = Problem(f"empty_{side}", words, "fill it in, or remove the line; nothing was changed")
            problems.append(problem)
            found.append(None)
    return found[0], found[1]


def _of_inventory(place: str, source: Iccid, target: Iccid, known: Mapping[str, Iccid]) -> Iterator[Problem]:
    if source.key not in known:
        hint = "are the columns swapped? Else check the digits, or read the source again: `inventory pull`"
        yield Problem("unknown_source", f"{place}: {source} is no old SIM of the inventory", hint)
    if target.key in known:
        words = f"{place}: {target} is itself an old SIM of the inventory, and no new one"
        yield Problem("target_is_source", words, "give the ICCID of the Hologram SIM; are the columns swapped?")


def _twice(place: str, line: int, side: str, iccid: Iccid, seen: dict[str, int]) -> Iterator[Problem]:
    """Yield a problem for a SIM that an earlier line names, too."""
    earlier = seen.setdefault(iccid.key, line)
    if earlier != line:
        words = f"{place}: {side} SIM {iccid} stands on line {earlier}, too"
        yield Problem(f"{side}_twice", words, "keep the right one of the two lines")


def _of_words(place: str, row: _Row, reason: str) -> Iterator[Problem]:
    if not (row.evidence or row.reason or reason):
        words = f"{place}: no evidence: nobody could tell later why this pair is right"
        yield Problem("no_evidence", words, "write it into a column `evidence` or `reason`, or say --reason TEXT")
    for name, text in (("evidence", row.evidence), ("reason", row.reason), ("by", row.by)):
        if len(text) > LONGEST_TEXT or not text.isprintable():
            words = f"{place}: {name} has {len(text)} characters, or some that cannot be shown"
            yield Problem("odd_text", f"{words}: {shown(text[:20])}", f"at most {LONGEST_TEXT} visible characters")
