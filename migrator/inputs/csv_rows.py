"""The records of a CSV file, in the shapes that spreadsheets and portals leave it in."""

import csv
import re
from collections.abc import Iterator
from itertools import chain
from typing import TextIO

from migrator.errors import InputError

__all__ = ["LONGEST_LINE", "csv_records", "text_lines"]

LONGEST_LINE = 1_000_000
"""Characters. A line of more is no list of SIMs, and would be read into memory whole."""

_DELIMITERS = (",", ";", "\t")
_BLANK = " \t\r\n\"'" + "".join(_DELIMITERS)


def csv_records(
    lines: Iterator[str], name: str, *, skips_spaces: bool | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of each record that has anything in it; the delimiter is the one that the first line uses most.

    Args:
        lines: from `text_lines`.
        name: the file's, for messages.
        skips_spaces: whether spaces after a delimiter are no part of a value; None where the first line tells.

    Raises: InputError, where it is no CSV.
    """
    before = 0  # lines ahead of those that the CSV reader counts
    for line in lines:
        before += 1
        if line.strip(_BLANK) and not _is_separator_line(line):
            break
    else:
        return
    delimiter = _delimiter(line)
    skips_spaces = _is_spaced(line, delimiter) if skips_spaces is None else skips_spaces
    reader = csv.reader(chain([line], lines), delimiter=delimiter, skipinitialspace=skips_spaces, strict=True)
    start = before
    try:
        for cells in reader:
            if (cells and cells[0].strip()) or any(cell.strip() for cell in cells):
                yield start, cells
            start = before + reader.line_num
    except csv.Error as error:
        raise InputError(
            f"{name}:{start}: not readable as CSV: {error}", code="bad_csv", hint="is a quotation mark left open there?"
        ) from None


def text_lines(stream: TextIO, name: str) -> Iterator[str]:
    """Lines with their ends as they are. Raises: InputError, where one is too long or holds a NUL."""
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
    """Whether this is `sep=;`, a first line of Excel's own that names the delimiter."""
    return re.fullmatch(r"sep=.", line.strip('\r\n" '), re.IGNORECASE) is not None


def _delimiter(line: str) -> str:
    """The delimiter that the first line uses most, quoted text left aside."""
    bare = _without_quoted(line)
    return max(_DELIMITERS, key=bare.count)


def _is_spaced(line: str, delimiter: str) -> bool:
    """Whether a space follows every delimiter, as people write: it is no part of the values then."""
    bare = _without_quoted(line)
    return bare.count(delimiter) == len(re.findall(re.escape(delimiter) + r"(?= |$)", bare.rstrip("\r\n")))


def _without_quoted(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)
