"""Words and tables for people.

No character of a text can steer a terminal, and nothing is cut off where the terminal is narrow.
"""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from migrator.core.fleet.units import BYTE_UNITS, grouped

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

__all__ = ["Rows", "printable", "table", "wrapped"]

INDENT = 3
PIPE_WIDTH = 200
"""Columns where the output is not a terminal."""

FOLDABLE = 16
"""Width that unbroken words may have; numbers and ICCIDs never break.

Longer words may be broken into lines of this width.
"""

GAP = 3
"""Cells between two columns; one less stands at the edges."""

ICCID_LENGTH = 18
_COMMAND = re.compile(r"`[^`\n]*`")


def printable(text: object) -> str:
    """Return `text` with all that could steer a terminal made visible.

    Ends of lines stay.
    """
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape", "backslashreplace").decode()
        for char in str(text)
    )


def wrapped(text: str, width: int, indent: str = "") -> str:
    """Break `text` between words into lines of at most this width.

    Commands in backticks stay whole, so that they can be copied.
    """
    kept = _COMMAND.sub(lambda match: match[0].replace(" ", "\0"), text)
    lines = (
        textwrap.wrap(
            line,
            max(width, FOLDABLE),
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
            replace_whitespace=False,
            drop_whitespace=True,
        )
        or [""]
        for line in kept.split("\n")
    )
    return "\n".join(part for of_line in lines for part in of_line).replace("\0", " ")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> "Rows":
    """Build a table of these rows.

    The values are escaped for the terminal. Amounts have a comma between thousands; numbers that are names have none.
    """
    texts = [tuple(_cell(value, columns[place], row[0]) for place, value in enumerate(row)) for row in rows]
    numeric = tuple(bool(rows) and all(_is_amount(row[number]) for row in rows) for number in range(len(columns)))
    return Rows(title, tuple(columns), texts, numeric)


NAMES = frozenset({"", "request", "run", "exit"})
"""Columns of numbers that are no amounts.

"" is a first column that numbers the rows.
"""


def _cell(value: object, column: str, first: object) -> str:
    """Write one value of a row.

    `first` is the first value of the row, which may say what the others are.
    """
    if value is None:
        return ""
    is_name = str(first).endswith("_id") or (column in NAMES and (column or value is first))
    is_amount = isinstance(value, int | float) or ("." in str(value) and _is_amount(value))
    return grouped(value) if is_amount and not is_name else printable(value)


@dataclass(frozen=True, slots=True)
class Rows:
    """Plain table, with numbers on the right.

    Where the table does not fit, the rows stand one below the other, each value with its heading.

    Args:
        title: what stands above; "" for nothing.
        columns: their headings.
        rows: a text per column.
        numeric: for each column, whether it holds amounts.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    numeric: tuple[bool, ...]

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        """Yield the parts that rich prints."""
        from rich.text import Text

        del console
        least = sum(self._least(number) + GAP for number in range(len(self.columns))) - 1
        spare = options.max_width - least
        if self.title:
            yield Text(self.title)
        if spare >= 0:
            yield self._table(self._widths(spare))
        else:
            yield from self._listing(options.max_width)

    def _texts(self, number: int) -> Iterator[str]:
        return (row[number] for row in self.rows)

    def _is_whole(self, number: int) -> bool:
        """True if values of this column are never broken."""
        column = self.columns[number].lower()
        return self.numeric[number] or "iccid" in column or column in {"source", "target"}

    def _least(self, number: int) -> int:
        """Return the smallest useful width of a column."""
        heading = max(map(_cells, self.columns[number].split()), default=0)
        if self._is_whole(number):
            return max(heading, *map(_cells, self._texts(number)), 0)
        words = (min(_cells(word), FOLDABLE) for text in self._texts(number) for word in text.split())
        return max(heading, max(words, default=0))

    def _widths(self, spare: int) -> list[int]:
        """Share the spare width out among the columns.

        Columns that need least come first.
        """
        widths = [self._least(number) for number in range(len(self.columns))]
        most = [
            max(map(_cells, (*self.columns[number].split("\n"), *_lines(self._texts(number)))), default=0)
            for number in range(len(self.columns))
        ]
        wanting = sorted(range(len(widths)), key=lambda number: most[number] - widths[number])
        for place, number in enumerate(wanting):
            more = min(max(most[number] - widths[number], 0), spare // (len(wanting) - place))
            widths[number] += more
            spare -= more
        return widths

    def _table(self, widths: Sequence[int]) -> Any:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=any(self.columns))
        for column, is_number, width in zip(self.columns, self.numeric, widths, strict=True):
            shown.add_column(
                Text(column), justify="right" if is_number else "left", overflow="fold", width=max(width, 1)
            )
        for row in self.rows:
            shown.add_row(*map(Text, row))
        return shown

    def _listing(self, width: int) -> Iterator[Any]:
        """Yield each row as its first value, with the others below.

        The other values have their headings. Empty values are left out.
        """
        from rich.padding import Padding
        from rich.text import Text

        for first, *others in self.rows:
            yield Text(f" {self.columns[0]}: {first}", overflow="fold")
            told = zip(self.columns[1:], others, strict=True)
            parts = [f"{column}: {text}" if column else text for column, text in told if text]
            for line in _packed(parts, width - INDENT):
                yield Padding(Text(line, overflow="fold"), (0, 0, 0, INDENT))
        yield Text("")


def _packed(parts: Sequence[str], width: int) -> Iterator[str]:
    """Join as many parts per line as fit.

    A part with line ends of its own stands alone.
    """
    line = ""
    for part in parts:
        longer = f"{line}{' ' * GAP}{part}" if line else part
        if line and ("\n" in longer or _cells(longer) > width):
            yield line
            longer = part
        line = longer
    if line:
        yield line


def _cells(text: str) -> int:
    """Return the number of terminal cells that a text takes.

    Letters of some scripts take two cells.
    """
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _lines(texts: Iterator[str]) -> Iterator[str]:
    for text in texts:
        yield from text.split("\n")


def _is_amount(value: object) -> bool:
    """True if a value is an amount, which stands on the right.

    Amounts are a count, a sum of money, or the word in place of one.
    """
    if isinstance(value, int | float):
        return True
    text, _, unit = str(value).partition(" ")
    digits = text.replace(",", "").replace(".", "", 1)
    is_number = digits.isdigit() and len(digits) < ICCID_LENGTH
    return str(value) == "unknown" or (is_number and unit in {"", *BYTE_UNITS})
