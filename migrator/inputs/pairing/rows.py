"""Rows of a pairing file: a CSV of source and target ICCIDs.

The CSV is read as spreadsheets save it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from migrator.core.fleet.iccid_text import NoIccid, RefusedIccid, read_iccid
from migrator.core.fleet.secrets import shown_title
from migrator.errors import InputError
from migrator.inputs.files.csv_rows import csv_records, text_lines
from migrator.inputs.files.problems import spelled
from migrator.inputs.files.text import opened_text, unwrapped
from migrator.inputs.inventory.titles import is_secret_title, plain
from migrator.inputs.pairing.list_columns import (
    FACTS,
    NAMES_OF_OLD,
    PAIR_TITLES,
    field_named,
    find_columns,
    unused_titles,
)

__all__ = ["FieldColumns", "PairRow", "RowTold", "read_pairs"]

SOURCE, TARGET, EID = "source_iccid", "target_iccid", "eid"
HEADER_REMEDY = (
    f"make the first line {SOURCE},{TARGET}; or give two columns of ICCIDs and no header; or tell which columns "
    f"they are: --column {SOURCE}=TITLE --column {TARGET}=TITLE (a column {spelled(NAMES_OF_OLD)} may name the old SIM)"
)
OF_EXCEPTIONS = ("problem_code", "problem")
"""Columns that we add to rows that were not taken."""
_BESIDE = tuple(dict.fromkeys((*NAMES_OF_OLD, *FACTS)))
"""Columns that only some files have."""


class RowTold(NamedTuple):
    """Values of a row beside the two ICCIDs, as written.

    Args:
        texts: by field, without empty ones.
        cells: all cells that may be written again, as read; without secrets.
    """

    texts: Mapping[str, str]
    cells: Sequence[str] = ()


@dataclass(slots=True)
class FieldColumns:
    """Titles of a file, known once its header was read.

    Args:
        titles: of the columns that may be written again.
        empty: titles of known columns without any value, once all rows were read.
        is_plain: whether the file has ICCIDs and EIDs alone.
        keeps_cells: whether each row keeps its cells, to be set before the reading.
    """

    titles: Sequence[str] = ()
    empty: Sequence[str] = ()
    is_plain: bool = True
    keeps_cells: bool = False


class PairRow(NamedTuple):  # made in half the time of a frozen dataclass, a million times
    """Row as written, without quotes and apostrophes around the values.

    A missing value is empty.
    """

    line: int
    source_text: str
    target_text: str
    eid_text: str = ""
    told: RowTold | None = None


def read_pairs(
    path: Path,
    *,
    unused: Callable[[Sequence[str]], None] | None = None,
    chosen: Mapping[str, str] = MappingProxyType({}),
    columns: FieldColumns | None = None,
) -> Iterator[PairRow]:
    """Read every row that is not blank, in the file's order.

    A row is read only when it is needed. The file may have any delimiter of `csv_records`. The file has a header in any
    case, with the columns in any order, `eid` and others among them; or no header and just two columns of ICCIDs.

    Args:
        path: the file.
        unused: called with the titles of the columns that are not read, if there are any.
        chosen: columns by hand, from `parse_choices`.
        columns: filled, if given.

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
        places = _columns(cells, chosen, f"{path}:{line}", headerless=headerless)
        if not headerless:
            unused_titles([cell if plain(cell) not in _OURS else "" for cell in cells], places, unused)
        reading = _Reading(
            cells, places, headerless=headerless, wants_cells=columns is not None and columns.keeps_cells
        )
        if columns is not None:
            columns.titles, columns.is_plain = reading.titles, SOURCE in places and not reading.beside
        source, target, eid = (places.get(name, -1) for name in (SOURCE, TARGET, EID))
        widest, row = max(places.values()), None
        for line, cells in chain([first] if headerless else [], records):
            whole = cells if len(cells) > widest else [*cells, *[""] * (widest + 1 - len(cells))]
            chip = unwrapped(whole[eid]) if eid >= 0 else ""
            old = unwrapped(whole[source]) if source >= 0 else ""
            told = reading.told(whole) if reading.tells or (reading.beside and not old) else None
            row = PairRow(line, old, unwrapped(whole[target]), chip, told)
            yield row
        if columns is not None:
            columns.empty = reading.empty()
        if row is None:
            raise InputError(f"{path} has a header and no pairs", code="empty_file", hint="add a line for each SIM")


class _Reading:
    """Columns beside the ICCIDs, read row by row."""

    def __init__(self, cells: Sequence[str], places: Mapping[str, int], *, headerless: bool, wants_cells: bool) -> None:
        self.beside = [(name, places[name]) for name in _BESIDE if name in places]
        self._kept: list[int] = []
        self.titles: list[str] = []
        self.tells = wants_cells or SOURCE not in places or any(name in places for name in FACTS)
        self._filled: set[str] = set()
        self._named = {name: unwrapped(cells[at]) for name, at in self.beside}
        if headerless:
            self._kept, self.titles = list(places.values()), list(places)
        elif wants_cells:
            self._kept = [at for at, cell in enumerate(cells) if not is_secret_title(cell) and plain(cell) not in _OURS]
            self.titles = [cells[at] for at in self._kept]
        self._wants_cells = wants_cells

    def told(self, cells: Sequence[str]) -> RowTold:
        """Return what a row tells beside its ICCIDs."""
        texts = {name: text for name, at in self.beside if (text := unwrapped(cells[at]))}
        self._filled |= texts.keys()
        if not self._wants_cells:
            return RowTold(texts)
        return RowTold(texts, [cells[at] if at < len(cells) else "" for at in self._kept])

    def empty(self) -> list[str]:
        """Return the titles of the columns that never had a value."""
        return [title for name, title in self._named.items() if name not in self._filled]


_OURS = frozenset(map(plain, OF_EXCEPTIONS))


def _is_header(cells: list[str]) -> bool:
    """True if the cells are titles of pairs."""
    named = {field_named(unwrapped(cell), PAIR_TITLES) for cell in cells}
    return TARGET in named and not named.isdisjoint((SOURCE, *NAMES_OF_OLD))


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
    except NoIccid:
        return text.isdigit()
    except RefusedIccid:
        return True
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
    named = SOURCE in columns or any(name in columns for name in NAMES_OF_OLD)
    missing = [name for name, there in ((SOURCE, named), (TARGET, TARGET in columns)) if not there]
    if missing:
        words = f"{place}: no column {spelled(missing)}; found {_told(cells)}"
        raise InputError(words, code="no_header", hint=HEADER_REMEDY)
    return columns
