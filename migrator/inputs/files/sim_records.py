"""Records of the customer's systems that name SIMs: CSV, or JSON lines."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from migrator.core.fleet.iccid_text import NoIccid, RefusedIccid, may_be_rounded, read_iccid
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.secrets import shown_title
from migrator.errors import InputError
from migrator.inputs.files.csv_rows import csv_records, text_lines
from migrator.inputs.files.problems import spelled
from migrator.inputs.files.text import Windows1252, opened_text, unwrapped

__all__ = ["SimRecord", "read_sim_records"]

_KNOWN = frozenset(
    {
        *("sim", "simnumber", "simno", "simcard", "simkarte", "simkartennummer", "kartennummer", "icc", "iccid"),
        *("sourcesim", "targetsim", "oldsim", "newsim", "altesim", "neuesim", "simserial", "simserialnumber"),
    }
)
"""Titles that name ICCIDs, beside all that hold the word ICCID."""

_SEVERAL = re.compile(r"[,;|/\r\n]+")
_DIGITS_OF_AN_ICCID = 15
_MOST_TITLES = 20


@dataclass(frozen=True, slots=True)
class SimRecord:
    """Record of a customer's system.

    Args:
        line: where it begins in the file.
        iccids: the ICCIDs that it names.
        rounded: of these, those that end in zeros as a spreadsheet leaves them.
        unread: why a value of it is no ICCID, though it looks like one.
    """

    line: int
    iccids: tuple[Iccid, ...]
    rounded: tuple[Iccid, ...] = ()
    unread: tuple[str, ...] = ()


def read_sim_records(path: Path, chosen: Sequence[str] = ()) -> Iterator[SimRecord]:
    """Read records one by one.

    A file whose first line begins with a brace is JSON lines, any other a CSV.

    Args:
        path: the file.
        chosen: titles of columns, or dotted names of fields, that hold ICCIDs; empty: the known ones.

    Raises: InputError, naming file and line, for a file that cannot be read or that names no ICCIDs anywhere.
    """
    with opened_text(path, fallback=Windows1252()) as stream:
        lines = text_lines(stream, str(path))
        first = next((line for line in lines if line.strip()), None)
        if first is None:
            raise InputError(f"{path} is empty", code="empty_file", hint="give the records of your system")
        start = first.lstrip("\ufeff \t")[:1]
        if start == "[":
            hint = f"write one object in a line: jq -c '.[]' {path.name}"
            raise InputError(f"{path} is one JSON list, expected one object in a line", code="bad_json", hint=hint)
        if start == "{":
            yield from _json_records(chain([first], lines), path, chosen)
        else:
            yield from _csv_records(chain([first], lines), path, chosen)


# --- CSV ------------------------------------------------------------------------------------------------------------


def _csv_records(lines: Iterator[str], path: Path, chosen: Sequence[str]) -> Iterator[SimRecord]:
    records = csv_records(lines, str(path), is_header=lambda cells: bool(_columns(cells, chosen)), is_data=_has_iccid)
    line, titles = next(records, (1, []))
    columns: Iterable[int] = _columns(titles, chosen)
    if not columns and not chosen and _has_iccid(titles):  # a list without titles
        yield _record(line, titles)
        for line, cells in records:
            yield _record(line, cells)
        return
    if not columns:
        wanted = f"no column {spelled(map(shown_title, chosen))}" if chosen else "no column of ICCIDs"
        found = spelled(shown_title(unwrapped(title), quoted=False) for title in titles[:_MOST_TITLES])
        words = f"{path}:{line}: {wanted}; found {found}"
        raise InputError(words, code="no_iccid_column", hint="name it: --column iccid=TITLE")
    for line, cells in records:
        yield _record(line, [cells[at] for at in columns if at < len(cells)])


def _columns(titles: Sequence[str], chosen: Sequence[str]) -> list[int]:
    return [at for at, title in enumerate(titles) if _is_wanted(unwrapped(title), unwrapped(title), chosen)]


def _has_iccid(cells: Sequence[str]) -> bool:
    return any(record.iccids or record.unread for record in (_record(0, cells),))


# --- JSON lines -----------------------------------------------------------------------------------------------------


def _json_records(lines: Iterator[str], path: Path, chosen: Sequence[str]) -> Iterator[SimRecord]:
    is_named = False
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            told = json.loads(line.lstrip("\ufeff"))
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            hint = "each line of JSON lines is one object"
            raise InputError(f"{path}:{number}: no JSON object", code="bad_json", hint=hint)
        values = [value for name, value in _leaves(told) if _is_wanted(name.rpartition(".")[2], name, chosen)]
        is_named = is_named or bool(values)
        yield _record(number, values)
    if not is_named:
        wanted = f"no field {spelled(map(shown_title, chosen))}" if chosen else "no field of ICCIDs"
        hint = "name it: --column iccid=NAME, or with dots: --column iccid=attributes.sim"
        raise InputError(f"{path}: {wanted} in any of its objects", code="no_iccid_column", hint=hint)


def _leaves(told: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield the texts and whole numbers of an object by dotted name."""
    for key, value in told.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Mapping):
                yield from _leaves(one, f"{before}{key}.")
            elif isinstance(one, str | int | float) and not isinstance(one, bool):
                yield f"{before}{key}", str(one)


# --- both -----------------------------------------------------------------------------------------------------------


def _is_wanted(title: str, whole: str, chosen: Sequence[str]) -> bool:
    if chosen:
        return any(wanted in {title, whole} or _plain(wanted) in {_plain(title), _plain(whole)} for wanted in chosen)
    return _plain(title) in _KNOWN or "iccid" in _plain(title)


def _plain(title: str) -> str:
    return "".join(letter for letter in title.casefold() if letter.isalnum())


def _record(line: int, values: Iterable[str]) -> SimRecord:
    iccids: dict[str, Iccid] = {}
    rounded, unread = [], []
    for value in values:
        for text in filter(None, map(unwrapped, _SEVERAL.split(value) if not value.isdigit() else [value])):
            try:
                iccid = read_iccid(text)
            except RefusedIccid as error:
                if not isinstance(error, NoIccid) or sum(map(str.isdigit, text)) >= _DIGITS_OF_AN_ICCID:
                    unread.append(str(error))
                continue
            iccids.setdefault(iccid.key, iccid)
            if may_be_rounded(text, iccid):
                rounded.append(iccid)
    return SimRecord(line, tuple(iccids.values()), tuple(rounded), tuple(unread))
