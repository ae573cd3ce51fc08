"""File of SIMs for `inventory import`, as rows with their lines.

The file may have any known format.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from migrator.errors import InputError
from migrator.inputs.files.csv_rows import csv_records, text_lines
from migrator.inputs.files.text import Windows1252, opened_text
from migrator.inputs.inventory.columns import Columns, iccid_like, map_columns, names_iccid
from migrator.inputs.inventory.dialects import OF_ONENCE, Dialect
from migrator.inputs.inventory.rows import CsvRows, ImportedRow, JsonRows
from migrator.inputs.inventory.titles import plain
from migrator.inputs.inventory.values import Words

__all__ = ["ImportedRow", "InventoryFile", "opened_inventory"]

SAMPLE = 500
"""Number of rows that show the content of a column."""


@dataclass(slots=True)
class InventoryFile:
    """Open file of SIMs.

    The other values are complete once `rows` is exhausted.

    Args:
        name: the file's name in messages.
        kind: "csv", or "jsonl" for our own export.
        columns: the columns of the file; None for our own export.
        rows: every row that is not blank, in order, to be read once.
        statuses: words for a status that are not known.
        fallback: counts bytes that were no UTF-8.
        dialect: whose file it is.
    """

    name: str
    kind: str
    columns: Columns | None
    rows: Iterator[ImportedRow]
    statuses: Words
    fallback: Windows1252
    dialect: Dialect = OF_ONENCE
    unused: Words = field(default_factory=Words)
    secret: Words = field(default_factory=Words)

    @property
    def unused_titles(self) -> Sequence[str]:
        """Titles of columns that were not read."""
        return self.columns.unused if self.columns else tuple(self.unused.times)

    @property
    def secret_titles(self) -> Sequence[str]:
        """Titles of columns with a PIN, PUK or key.

        The values of these columns were dropped as they were read.
        """
        return self.columns.secret if self.columns else tuple(self.secret.times)


@contextmanager
def opened_inventory(path: Path, chosen: Mapping[str, str], dialect: Dialect = OF_ONENCE) -> Iterator[InventoryFile]:
    """Open a CSV of a carrier's portal, or an `inventory export`.

    The export is JSON Lines. `-` is standard input.

    Args:
        path: the file.
        chosen: columns by hand, from `parse_choices`.
        dialect: whose file it is, from `dialect_of`.

    Raises: InputError, naming the file and the remedy; also while rows are read.
    """
    is_stdin = str(path) == "-"
    called = Path("stdin") if is_stdin else path
    fallback = Windows1252()
    with opened_text(called, fallback=fallback, stdin=is_stdin) as stream:
        lines = text_lines(stream, str(called))
        blank, first = _first_filled(lines)
        if first.lstrip()[:1] in {"{", "["}:
            opened = _json_file(str(called), chain(blank, [first], lines), fallback, chosen)
            opened.dialect = dialect
            yield opened
        else:
            yield _csv_file(str(called), chain(blank, [first], lines), fallback, chosen, dialect)


def _first_filled(lines: Iterator[str]) -> tuple[list[str], str]:
    """Return the first line that is not blank, and those before."""
    blank: list[str] = []
    for line in islice(lines, SAMPLE):
        if line.strip():
            return blank, line
        blank.append(line)
    return blank, ""


def _json_file(name: str, lines: Iterator[str], fallback: Windows1252, chosen: Mapping[str, str]) -> InventoryFile:
    if chosen:
        words = f"{name} is JSON Lines of our own export: its fields have names, and --column is not for it"
        raise InputError(words, code="bad_column", hint="leave --column out")
    statuses = Words()
    reader = JsonRows(name, statuses)
    rows = (reader.row(number, line) for number, line in enumerate(lines, start=1) if line.strip())
    return InventoryFile(name, "jsonl", None, rows, statuses, fallback, unused=reader.unused, secret=reader.secret)


def _csv_file(
    name: str, lines: Iterator[str], fallback: Windows1252, chosen: Mapping[str, str], dialect: Dialect
) -> InventoryFile:
    chosen_title = plain(chosen.get("iccid", ""))
    records = csv_records(
        lines,
        name,
        is_header=lambda cells: any(names_iccid(cell) or plain(cell) == chosen_title != "" for cell in cells),
        is_data=lambda cells: any(map(iccid_like, cells)),
    )
    first = next(records, None)
    if first is None:
        raise InputError(f"{name} is empty", code="empty_file", hint="is this the right file? Nothing was changed")
    line, cells = first
    is_headerless = any(map(iccid_like, cells))
    titles = [f"column {number}" for number in range(1, len(cells) + 1)] if is_headerless else list(map(_title, cells))
    if is_headerless:
        records = chain([first], records)
    sample = list(islice(records, SAMPLE))
    columns = map_columns(titles, [cells for _, cells in sample], chosen, place=f"{name}:{line}", dialect=dialect)
    statuses = Words()
    reader = CsvRows(name, columns, statuses, dialect)
    rows = (reader.row(line, cells) for line, cells in chain(sample, records))
    return InventoryFile(name, "csv", columns, rows, statuses, fallback, dialect)


def _title(cell: str) -> str:
    return " ".join(cell.split()).strip("\"'")
