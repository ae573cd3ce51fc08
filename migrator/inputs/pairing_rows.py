"""The rows of a pairing file: a CSV of source and target ICCIDs, in the shapes that spreadsheets leave it in."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TextIO

from migrator.core.identifiers import Iccid, NotAnIdentifier
from migrator.errors import InputError
from migrator.inputs.problems import spelled
from migrator.inputs.text_files import opened_text, rounding_notation, unwrapped

__all__ = ["PairRow", "read_pairs"]

SOURCE, TARGET = "source_iccid", "target_iccid"
HEADER_REMEDY = f"make the first line {SOURCE},{TARGET}; or give two columns of ICCIDs and no header"
_DELIMITERS = (",", ";", "\t")
_BLANK = " \t\r\n\"'" + "".join(_DELIMITERS)


@dataclass(frozen=True, slots=True)
class PairRow:
    """One row as it was written, without the quotes and apostrophes around its values; a missing value is empty."""

    line: int
    source_text: str
    target_text: str


def read_pairs(path: Path) -> Iterator[PairRow]:
    """Every row that is not blank, in the file's order, read as it is asked for.

    Takes comma, semicolon or tab; a header in any case, its columns in any order and among others; or no header and
    just two columns of ICCIDs.

    Raises: InputError, naming the file and the remedy, when it cannot be read, is empty or has other columns.
    """
    with opened_text(path) as stream:
        records = _records(stream, path)
        first = next(records, None)
        if first is None:
            raise InputError(f"{path} is empty", code="empty_file", hint=HEADER_REMEDY)
        line, cells = first
        headerless = _is_data(cells)
        columns = (0, 1) if headerless else _columns(cells, f"{path}:{line}")
        row = None
        for line, cells in chain([first] if headerless else [], records):
            row = PairRow(line, *(_cell(cells, column) for column in columns))
            yield row
        if row is None:
            raise InputError(f"{path} has a header and no pairs", code="empty_file", hint="add a line for each SIM")


def _records(stream: TextIO, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of each record that has anything in it."""
    before = 0  # lines ahead of those that the CSV reader counts
    for line in stream:
        before += 1
        if line.strip(_BLANK) and not _is_separator_line(line):
            break
    else:
        return
    lines = chain([line], stream)
    reader = csv.reader(lines, delimiter=_delimiter(line), skipinitialspace=True, strict=True)
    start = before
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield start, cells
            start = before + reader.line_num
    except csv.Error as error:
        raise InputError(
            f"{path}:{start}: not readable as CSV: {error}", code="bad_csv", hint="is a quotation mark left open there?"
        ) from None


def _is_separator_line(line: str) -> bool:
    """Whether this is `sep=;`, a first line of Excel's own that names the delimiter."""
    return re.fullmatch(r"sep=.", line.strip('\r\n" '), re.IGNORECASE) is not None


def _delimiter(line: str) -> str:
    """The delimiter that the first line uses most, quoted text left aside."""
    bare = re.sub(r'"[^"]*"', "", line)
    return max(_DELIMITERS, key=bare.count)


def _is_data(cells: list[str]) -> bool:
    """Whether a first row is two ICCIDs already, or what a spreadsheet made of them, and so no header."""
    filled = [unwrapped(cell) for cell in cells if cell.strip()]
    return len(filled) == 2 and all(_iccid_like(cell) for cell in filled)  # noqa: PLR2004 - a pair


def _iccid_like(text: str) -> bool:
    try:
        Iccid.parse(text)
    except NotAnIdentifier:
        return text.isdigit() or rounding_notation(text)
    return True


def _columns(cells: list[str], place: str) -> tuple[int, int]:
    """Where source and target stand under this header."""
    names = [unwrapped(cell).lower().replace(" ", "_").replace("-", "_") for cell in cells]
    missing = [name for name in (SOURCE, TARGET) if name not in names]
    if missing:
        raise InputError(
            f"{place}: no column {spelled(missing)}; found {spelled(names)[:200]}", code="no_header", hint=HEADER_REMEDY
        )
    twice = [name for name in (SOURCE, TARGET) if names.count(name) > 1]
    if twice:
        raise InputError(
            f"{place}: more than one column {spelled(twice)}", code="no_header", hint="remove or rename all but one"
        )
    return names.index(SOURCE), names.index(TARGET)


def _cell(cells: list[str], column: int) -> str:
    return unwrapped(cells[column]) if column < len(cells) else ""
