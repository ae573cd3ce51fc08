"""The reconciliation as CSV for spreadsheets (RFC 4180).

The file has one row per SIM, in UTF-8 without a byte order mark. A double click must lose nothing and run nothing:

- Text that a spreadsheet would take for a formula gets an apostrophe in front: = + - @ (also after blanks), tab, line
  breaks.
- Text that a spreadsheet would take for a number and change gets an apostrophe, too: ICCIDs (a spreadsheet keeps 15
  digits), leading zeros, 12E3. `pair import` takes such values as they are. A script strips one leading apostrophe, or
  reads the JSON.
- No control character is in the file: each control character is shown as its escape, since some are orders to a
  terminal. The JSON has all text exactly.
- Counts and bytes stay numbers; -1 is no limit.
"""

import csv
import re
from typing import TextIO
from unicodedata import category

from migrator.reports.model import COLUMNS
from migrator.reports.rows_on_disk import Book

__all__ = ["as_text", "spreadsheet_safe", "without_controls", "write_csv"]

_FORMULA_STARTS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
"""Characters with which a formula begins.

Some spreadsheets take the full-width forms for the same characters.
"""
_CONTROL_STARTS = tuple("\t\r\n")
_CHANGED_NUMBER = re.compile(r"\s*(\d{16,}|0\d+|\d+(\.\d+)?[eE][+-]?\d+)\s*")
"""Text that spreadsheets read as a number and write otherwise.

Such text has more than 15 digits, leading zeros or an exponent.
"""


def write_csv(book: Book, out: TextIO) -> None:
    """Write every row, and nothing else.

    So any reader of CSV can take the file.
    """
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(as_text, row) for row in book.rows())


def as_text(value: object) -> object:
    """Return a value that a spreadsheet keeps letter by letter.

    Numbers stay numbers. None is empty.
    """
    if not isinstance(value, str):
        return value
    text = value if value.isprintable() else without_controls(value)
    if value[:1].isalpha():
        return text
    if _CHANGED_NUMBER.fullmatch(value):
        return f"'{text}"
    return f"'{text}" if spreadsheet_safe(value) != value else text


def without_controls(text: str) -> str:
    """Make the control characters in `text` visible.

    Marks of direction and separators of lines are made visible, too.
    """
    return "".join(
        letter if letter.isprintable() or category(letter) == "Zs" else letter.encode("unicode_escape").decode()
        for letter in text
    )


def spreadsheet_safe(value: object) -> str:
    """Return text that no spreadsheet takes for a formula.

    An apostrophe goes before = + - @ and control marks.
    """
    if value is None:
        return ""
    text = str(value)
    is_risky = text.startswith(_CONTROL_STARTS) or text.lstrip().startswith(_FORMULA_STARTS)
    return f"'{text}" if is_risky and isinstance(value, str) else text
