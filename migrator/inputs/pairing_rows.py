"""The rows of a pairing file: a CSV of source and target ICCIDs, in the shapes that spreadsheets leave it in."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from migrator.core.iccid_text import RefusedIccid, read_iccid
from migrator.core.redaction import shown_title
from migrator.errors import InputError
from migrator.inputs.csv_rows import csv_records, text_lines
from migrator.inputs.problems import spelled
from migrator.inputs.text_files import opened_text, unwrapped

__all__ = ["PairRow", "read_pairs"]

SOURCE, TARGET, EID = "source_iccid", "target_iccid", "eid"
HEADER_REMEDY = f"make the first line {SOURCE},{TARGET}; or give two columns of ICCIDs and no header"


class PairRow(NamedTuple):  # made in half the time of a frozen dataclass, a million times
    """One row as it was written, without the quotes and apostrophes around its values; a missing value is empty."""

    line: int
    source_text: str
    target_text: str
    eid_text: str = ""


def read_pairs(path: Path, *, unused: Callable[[Sequence[str]], None] | None = None) -> Iterator[PairRow]:
    """Every row that is not blank, in the file's order, read as it is asked for.

    Takes comma, semicolon or tab; a header in any case, its columns in any order, `eid` and others among them; or no
    header and just two columns of ICCIDs.

    Args:
        path: the file.
        unused: told the titles of the columns that mean nothing here, if there are any.

    Raises: InputError, naming the file and the remedy, when it cannot be read, is empty or has other columns.
    """
    with opened_text(path) as stream:
        records = csv_records(text_lines(stream, str(path)), str(path), skips_spaces=True)
        first = next(records, None)
        if first is None:
            raise InputError(f"{path} is empty", code="empty_file", hint=HEADER_REMEDY)
        line, cells = first
        headerless = _is_data(cells)
        columns = (0, 1) if headerless else _columns(cells, f"{path}:{line}")
        others = [] if headerless else [title for at, title in enumerate(cells) if at not in columns and title.strip()]
        if others and unused is not None:
            unused([shown_title(title, quoted=False) for title in others])
        source, target, *eid = columns
        widest, row = max(columns), None
        for line, cells in chain([first] if headerless else [], records):
            whole = cells if len(cells) > widest else [*cells, *[""] * (widest + 1 - len(cells))]
            chip = unwrapped(whole[eid[0]]) if eid else ""
            row = PairRow(line, unwrapped(whole[source]), unwrapped(whole[target]), chip)
            yield row
        if row is None:
            raise InputError(f"{path} has a header and no pairs", code="empty_file", hint="add a line for each SIM")


def _is_data(cells: list[str]) -> bool:
    """Whether a first row is two ICCIDs already, or what a spreadsheet made of them, and so no header."""
    filled = [unwrapped(cell) for cell in cells if cell.strip()]
    return len(filled) == 2 and all(_iccid_like(cell) for cell in filled)  # noqa: PLR2004 - a pair


def _iccid_like(text: str) -> bool:
    try:
        read_iccid(text)
    except RefusedIccid as error:
        return text.isdigit() or error.code != "not_an_iccid"
    return True


def _told(cells: Sequence[str]) -> str:
    """The titles for a message, cut short. They may be values, in a file without titles."""
    return spelled(shown_title(unwrapped(cell), quoted=False) for cell in cells)[:200]


def _columns(cells: list[str], place: str) -> tuple[int, ...]:
    """Where source, target and, if there is one, the EID stand under this header."""
    names = [unwrapped(cell).lower().replace(" ", "_").replace("-", "_") for cell in cells]
    missing = [name for name in (SOURCE, TARGET) if name not in names]
    if missing:
        raise InputError(
            f"{place}: no column {spelled(missing)}; found {_told(cells)}", code="no_header", hint=HEADER_REMEDY
        )
    twice = [name for name in (SOURCE, TARGET, EID) if names.count(name) > 1]
    if twice:
        raise InputError(
            f"{place}: more than one column {spelled(twice)}", code="no_header", hint="remove or rename all but one"
        )
    return tuple(names.index(name) for name in (SOURCE, TARGET, EID) if name in names)
