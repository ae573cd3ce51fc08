"""Rows of a pairing file: a CSV of source and target ICCIDs.

The CSV is read as spreadsheets save it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from migrator.core.fleet.iccid_text import RefusedIccid, read_iccid
from migrator.core.fleet.secrets import shown_title
from migrator.errors import InputError
from migrator.inputs.files.csv_rows import csv_records, text_lines
from migrator.inputs.files.problems import spelled
from migrator.inputs.files.text import opened_text, unwrapped
from migrator.inputs.pairing.list_columns import PAIR_TITLES, field_named, find_columns, unused_titles

__all__ = ["PairRow", "read_pairs"]

SOURCE, TARGET, EID = "source_iccid", "target_iccid", "eid"
HEADER_REMEDY = (
    f"make the first line {SOURCE},{TARGET}; or give two columns of ICCIDs and no header; or tell which columns "
    f"they are: --column {SOURCE}=TITLE --column {TARGET}=TITLE"
)


class PairRow(NamedTuple):  # made in half the time of a frozen dataclass, a million times
    """Row as written, without quotes and apostrophes around the values.

    A missing value is empty.
    """

    line: int
    source_text: str
    target_text: str
    eid_text: str = ""


def read_pairs(
    path: Path,
    *,
    unused: Callable[[Sequence[str]], None] | None = None,
    chosen: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[PairRow]:
    """Read every row that is not blank, in the file's order.

    A row is read only when it is needed. The file may have any delimiter of `csv_records`. The file has a header in any
    case, with the columns in any order, `eid` and others among them; or no header and just two columns of ICCIDs.

    Args:
        path: the file.
        unused: called with the titles of the columns that are not read, if there are any.
        chosen: columns by hand, from `parse_choices`.

    Raises: InputError, naming the file and the remedy, when the file cannot be read, is empty or has other columns.
    """
    with opened_text(path) as stream:
        lines = text_lines(stream, str(path))
        records = csv_records(lines, str(path), skips_spaces=True, is_header=_is_header, is_data=_has_iccid)
        first = next(records, None)
        if first is None:
            raise InputError(f"{path} is empty", code="empty_file", hint=HEADER_REMEDY)
        line, cells = first
        headerless = _is_data(cells) or (bool(chosen) and _has_iccid(cells))
        columns = _columns(cells, chosen, f"{path}:{line}", headerless=headerless)
        if not headerless:
            unused_titles(cells, columns, unused)
        source, target, eid = (columns.get(name, -1) for name in (SOURCE, TARGET, EID))
        widest, row = max(columns.values()), None
        for line, cells in chain([first] if headerless else [], records):
            whole = cells if len(cells) > widest else [*cells, *[""] * (widest + 1 - len(cells))]
            chip = unwrapped(whole[eid]) if eid >= 0 else ""
            row = PairRow(line, unwrapped(whole[source]), unwrapped(whole[target]), chip)
            yield row
        if row is None:
            raise InputError(f"{path} has a header and no pairs", code="empty_file", hint="add a line for each SIM")


def _is_header(cells: list[str]) -> bool:
    """True if the cells are titles of pairs."""
    return {SOURCE, TARGET} <= {field_named(unwrapped(cell), PAIR_TITLES) for cell in cells}


def _has_iccid(cells: list[str]) -> bool:
    return any(_iccid_like(unwrapped(cell)) for cell in cells if cell.strip())


def _is_data(cells: list[str]) -> bool:
    """True if the first row is two ICCIDs, and so no header.

    A spreadsheet may have rounded the ICCIDs.
    """
    filled = [unwrapped(cell) for cell in cells if cell.strip()]
    return len(filled) == 2 and all(_iccid_like(cell) for cell in filled)  # noqa: PLR2004 - a pair


def _iccid_like(text: str) -> bool:
    try:
        read_iccid(text)
    except RefusedIccid as error:
        return text.isdigit() or error.code != "not_an_iccid"
    return True


def _told(cells: Sequence[str]) -> str:
    """Write the titles for a message, cut short.

    In a file without titles, the cells may be values.
    """
    return spelled(shown_title(unwrapped(cell), quoted=False) for cell in cells)[:200]


def _columns(cells: list[str], chosen: Mapping[str, str], place: str, *, headerless: bool) -> Mapping[str, int]:
    """Return the places of source, target and, if present, EID.

    Raises: InputError.
    """
    if headerless:
        columns = {SOURCE: 0, TARGET: 1} if not chosen else find_columns([""] * len(cells), {}, chosen, place=place)
    else:
        columns = find_columns([unwrapped(cell) for cell in cells], PAIR_TITLES, chosen, place=place)
    missing = [name for name in (SOURCE, TARGET) if name not in columns]
    if missing:
        words = f"{place}: no column {spelled(missing)}; found {_told(cells)}"
        raise InputError(words, code="no_header", hint=HEADER_REMEDY)
    return columns
