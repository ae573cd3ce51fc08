"""Formats of a handover: CSV and JSON lines, for programs.

The JSON lines have all text exactly. The CSV (RFC 4180, UTF-8) has digits as they are, without the apostrophe that the
report puts in front for spreadsheets: an import must find the ICCID. What a spreadsheet would take for a formula
(= + - @ in front) still gets an apostrophe, unless it is a plain number, and control characters are shown as escapes.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain

from migrator.core.fleet.spelling import json_text
from migrator.files import as_csv
from migrator.reports.formats.csv_file import spreadsheet_safe, without_controls
from migrator.reports.handover.row import HandoverRow, columns

__all__ = ["FORMATS", "csv_lines", "csv_value", "json_lines"]

_PLAIN_NUMBER = re.compile(r"\+?[0-9]+")


def csv_lines(rows: Iterable[HandoverRow]) -> Iterator[str]:
    """Return the lines of the CSV, titles first."""
    return as_csv(chain([columns()], (map(csv_value, row.values()) for row in rows)))


def json_lines(rows: Iterable[HandoverRow]) -> Iterator[str]:
    """Yield a JSON object in a line for each row."""
    for row in rows:
        yield json_text(row.document()) + "\n"


FORMATS: Mapping[str, Callable[[Iterable[HandoverRow]], Iterator[str]]] = {"csv": csv_lines, "jsonl": json_lines}
"""Writer of each format."""


def csv_value(value: object) -> object:
    """Return a value for a CSV that a program reads.

    None is empty; true and false are as in JSON.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str) or _PLAIN_NUMBER.fullmatch(value):
        return value
    text = value if value.isprintable() else without_controls(value)
    return f"'{text}" if spreadsheet_safe(value) != value else text
