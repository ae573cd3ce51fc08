"""`inventory import`: a file of SIMs, in whatever shape it comes, as rows with their lines."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from migrator.errors import InputError
from migrator.inputs.files.csv_rows import csv_records, text_lines
from migrator.inputs.files.text import Windows1252, opened_text
from migrator.inputs.inventory.columns import Columns, iccid_like, map_columns, names_iccid
from migrator.inputs.inventory.rows import CsvRows, ImportedRow, JsonRows
from migrator.inputs.inventory.titles import plain
from migrator.inputs.inventory.values import Words

__all__ = ["ImportedRow", "InventoryFile", "opened_inventory"]

SAMPLE = 500
"""Rows by which a column is known from its content."""


@dataclass(slots=True)
class InventoryFile:
    """An open file of SIMs. What it holds besides is known once `rows` is exhausted.

    Args:
        name: what messages call it.
        kind: "csv", or "jsonl" for our own export.
        columns: what stands where; None for our own export.
        rows: every row that is not blank, in order, to be read once.
        statuses: words for a status that nobody knows.
        fallback: counts bytes that were no UTF-8.
    """

    name: str
    kind: str
    columns: Columns | None
    rows: Iterator[ImportedRow]
    statuses: Words
    fallback: Windows1252
    unused: Words = field(default_factory=Words)
    secret: Words = field(default_factory=Words)

    @property
    def unused_titles(self) -> Sequence[str]:
        """Columns that were passed over."""
        return self.columns.unused if self.columns else tuple(self.unused.times)

    @property
    def secret_titles(self) -> Sequence[str]:
        """Columns with a PIN, PUK or key, that were dropped as they were read."""
        return self.columns.secret if self.columns else tuple(self.secret.times)


@contextmanager
def opened_inventory(path: Path, chosen: Mapping[str, str]) -> Iterator[InventoryFile]:
    """Open a CSV of the 1NCE portal, or JSON Lines of `inventory export`; `-` is standard input.

    Args:
        path: the file.
        chosen: columns by hand, from `parse_choices`.

    Raises: InputError, naming the file and the remedy; also while rows are read.
    """
    is_stdin = str(path) == "-"
    called = Path("stdin") if is_stdin else path
    fallback = Windows1252()
    with opened_text(called, fallback=fallback, stdin=is_stdin) as stream:
        lines = text_lines(stream, str(called))
        blank, first = _first_filled(lines)
        if first.lstrip()[:1] in {"{", "["}:
            yield _json_file(str(called), chain(blank, [first], lines), fallback, chosen)
        else:
            yield _csv_file(str(called), chain(blank, [first], lines), fallback, chosen)


def _first_filled(lines: Iterator[str]) -> tuple[list[str], str]:
    """The first line that is not blank, and those before it."""
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
    return InventoryFile(name, "jsonl", None, rows, statuses, fallback, reader.unused, reader.secret)


def _csv_file(name: str, lines: Iterator[str], fallback: Windows1252, chosen: Mapping[str, str]) -> InventoryFile:
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
    columns = map_columns(titles, [cells for _, cells in sample], chosen, place=f"{name}:{line}")
    statuses = Words()
    reader = CsvRows(name, columns, statuses)
    rows = (reader.row(line, cells) for line, cells in chain(sample, records))
    return InventoryFile(name, "csv", columns, rows, statuses, fallback)


def _title(cell: str) -> str:
    return " ".join(cell.split()).strip("\"'")
