"""Records of a CSV file, as spreadsheets and portals save it."""

import csv
import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TextIO

from migrator.errors import InputError

__all__ = ["LONGEST_LINE", "csv_records", "split_line", "text_lines"]

LONGEST_LINE = 1_000_000
"""Most characters in a line.

A longer line is no list of SIMs, and would be read into memory whole.
"""

_DELIMITERS = (",", ";", "\t", "|")
_BLANK = " \t\r\n\"'" + "".join(_DELIMITERS)
_HEADER_WITHIN = 20
"""Number of lines with content in which a header is searched.

Other text may stand above the header.
"""

_TOTAL = re.compile(
    r"(grand )?(total|sum|summe|gesamt|anzahl|count)\W{0,3}(?P<count>\d{1,7})( \w{1,10})?", re.IGNORECASE
)

IsRow = Callable[[list[str]], bool]


def csv_records(
    lines: Iterator[str],
    name: str,
    *,
    skips_spaces: bool | None = None,
    is_header: IsRow | None = None,
    is_data: IsRow | None = None,
) -> Iterator[tuple[int, list[str]]]:
    """Read the line number and the cells of each record with content.

    The delimiter is the one that the header uses most. A last line that gives the number of records is left out, if the
    number is right.

    Args:
        lines: from `text_lines`.
        name: the file's, for messages.
        skips_spaces: whether spaces after a delimiter are no part of a value; None: the header decides.
        is_header: whether a row holds the wanted titles; the lines above such a row are skipped.
        is_data: whether a row has a wanted value; a header is searched only above the first such row.

    Raises: InputError, where the text is no CSV.
    """
    top = _top(lines)
    filled = [at for at, line in enumerate(top) if _says_something(line)]
    if not filled:
        return
    before = filled[_header_at([top[at] for at in filled], is_header, is_data)]  # lines ahead of the header
    delimiter = _delimiter(*(top[at] for at in filled if at >= before))
    skips_spaces = _is_spaced(top[before], delimiter) if skips_spaces is None else skips_spaces
    held = chain(top[before:], lines)
    reader = csv.reader(held, delimiter=delimiter, skipinitialspace=skips_spaces, strict=True)
    start = before + 1
    given, totals = -1, None  # rows below the header so far; a line of totals, which only the last one may be
    try:
        for cells in reader:
            row = [cell.strip() for cell in cells] if delimiter == "|" else cells
            if ((row and row[0].strip()) or any(cell.strip() for cell in row)) and not _is_ruler(row, delimiter):
                if totals is not None:
                    yield totals
                given += 1 + (given < 0 and is_data is not None and is_data(row))
                totals = (start, row) if _is_total(row, given - 1) else None
                if totals is None:
                    yield start, row
            start = before + 1 + reader.line_num
    except csv.Error as error:
        raise InputError(
            f"{name}:{start}: not readable as CSV: {error}", code="bad_csv", hint="is a quotation mark left open there?"
        ) from None


def _top(lines: Iterator[str]) -> list[str]:
    """Read the first lines, up to the limit for the header.

    Blank lines among them are included.
    """
    top: list[str] = []
    said = 0
    for line in lines:
        top.append(line)
        said += _says_something(line)
        if said == _HEADER_WITHIN:
            break
    return top


def _says_something(line: str) -> bool:
    return bool(line.strip(_BLANK)) and not _is_separator_line(line)


def _header_at(top: list[str], is_header: IsRow | None, is_data: IsRow | None) -> int:
    """Return the position of the line with the titles.

    The titles are the first line that `is_header` knows, or else the last line above the first row of data. The second
    rule holds only where every line above the titles has one cell, as the name of a report has.
    """
    rows = [split_line(line) for line in top]
    data = next((at for at, row in enumerate(rows) if is_data is not None and is_data(row)), len(rows))
    if is_header is not None and (known := [at for at in range(min(data, len(rows))) if is_header(rows[at])]):
        return known[0]
    above = data - 1
    if not 0 < above < len(rows) - 1:
        return 0
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows]
    return above if filled[above] > 1 and max(filled[:above]) == 1 else 0


def split_line(line: str) -> list[str]:
    """Return the cells of one line, or none where unreadable."""
    try:
        return next(csv.reader([line], delimiter=_delimiter(line)), [])
    except csv.Error:
        return []


def _is_total(cells: list[str], records: int) -> bool:
    """True if the row only gives the number of rows above.

    Example: "Total: 10".
    """
    found = _TOTAL.fullmatch(" ".join(filter(None, map(str.strip, cells))))
    return found is not None and int(found["count"]) == records


def _is_ruler(cells: list[str], delimiter: str) -> bool:
    """True if the row is the line below titles drawn with pipes."""
    return delimiter == "|" and any(cells) and not any(cell.strip("-: ") for cell in cells)


def text_lines(stream: TextIO, name: str) -> Iterator[str]:
    """Read the lines with their line ends unchanged.

    Raises: InputError, where a line is too long or holds a NUL.
    """
    number = 0
    while line := stream.readline(LONGEST_LINE):
        number += 1
        if "\0" in line:
            hint = 'export it again as "CSV UTF-8"'
            raise InputError(f"{name}:{number}: holds a NUL byte, so this is no text", code="bad_encoding", hint=hint)
        if len(line) == LONGEST_LINE and line[-1] not in "\r\n":
            words = f"{name}:{number}: a line of more than {LONGEST_LINE:,} characters"
            raise InputError(words, code="bad_csv", hint="is this a list of SIMs?")
        yield line


def _is_separator_line(line: str) -> bool:
    """True if the line is `sep=;`, which names the delimiter.

    Excel writes such a first line.
    """
    return re.fullmatch(r"sep=.", line.strip('\r\n" '), re.IGNORECASE) is not None


def _delimiter(*lines: str) -> str:
    """Return the delimiter that the first line uses most.

    Quoted text does not count. Where the first line has no delimiter, the lines below decide.
    """
    for text in lines:
        bare = _without_quoted(text)
        found = max(_DELIMITERS, key=bare.count)
        if found in bare:
            return found
    return _DELIMITERS[0]


def _is_spaced(line: str, delimiter: str) -> bool:
    """True if a space follows every delimiter, as people write.

    Such spaces are no part of the values.
    """
    bare = _without_quoted(line)
    return bare.count(delimiter) == len(re.findall(re.escape(delimiter) + r"(?= |$)", bare.rstrip("\r\n")))


def _without_quoted(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)
