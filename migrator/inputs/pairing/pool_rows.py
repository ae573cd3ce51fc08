"""Rows of a vendor's list or delivery note.

The file is a table with a column of ICCIDs, or with columns for the ends of ranges.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from migrator.errors import InputError
from migrator.inputs.files.csv_rows import csv_records
from migrator.inputs.files.text import unwrapped
from migrator.inputs.inventory.columns import iccid_like
from migrator.inputs.pairing.list_columns import PAIR_TITLES, POOL_TITLES, field_named, find_columns, unused_titles

__all__ = ["PoolRow", "is_pool_header", "pool_rows"]

NAME_IT = "name it: --column iccid=TITLE, or --column first=TITLE --column last=TITLE for ranges"


class PoolRow(NamedTuple):
    """Row as written: a SIM, or the ends of a range.

    `quantity` is None where there is no such column.
    """

    line: int
    first: str
    last: str
    quantity: str | None


def is_pool_header(cells: Sequence[str]) -> bool:
    """True if the cells are the header of a pool table.

    Such a header has more than one cell, and a title of ICCIDs.
    """
    names = {field_named(cell, POOL_TITLES) for cell in cells}
    return len(cells) > 1 and ("iccid" in names or {"first", "last"} <= names)


def pool_rows(
    lines: Iterable[str], name: str, chosen: Mapping[str, str], unused: Callable[[Sequence[str]], None] | None
) -> Iterator[PoolRow]:
    """Read every row that is not blank and no comment.

    Args:
        lines: of the file.
        name: the file's, for messages.
        chosen: columns by hand.
        unused: called with the titles of the columns that are not read, if there are any.

    Raises: InputError, for a table without ICCIDs, with two columns of them, or of pairs.
    """
    records = csv_records(iter(lines), name, skips_spaces=True, is_header=is_pool_header, is_data=_has_iccid)
    first = next(records, None)
    if first is None:
        return
    line, cells = first
    is_headerless = _has_iccid(cells)
    titles = [""] * len(cells) if is_headerless else [unwrapped(cell) for cell in cells]
    columns = _columns(titles, chosen, f"{name}:{line}")
    if not is_headerless:
        unused_titles(titles, columns, unused)
    for number, row in chain([first] if is_headerless else [], records):
        if row[0].lstrip().startswith("#"):
            continue
        values = {field: unwrapped(row[at]) if at < len(row) else "" for field, at in columns.items()}
        start = values.get("iccid", values.get("first", ""))
        yield PoolRow(number, start, values.get("last", ""), values.get("quantity"))


def _has_iccid(cells: Sequence[str]) -> bool:
    return any(map(iccid_like, cells))


def _columns(titles: Sequence[str], chosen: Mapping[str, str], place: str) -> Mapping[str, int]:
    """Return the places of ICCIDs or ranges.

    Raises: InputError.
    """
    if any(field_named(title, PAIR_TITLES) == "source_iccid" for title in titles) and "iccid" not in chosen:
        hint = "`migrator pair import` reads it; to deal its new SIMs out anew: --column iccid=TITLE"
        raise InputError(f"{place}: this is a list of pairs, with a column of old ICCIDs", code="no_header", hint=hint)
    columns = find_columns(titles, POOL_TITLES, chosen, place=place)
    has_range = {"first", "last"} <= columns.keys()
    if "iccid" in columns and has_range:
        hint = "leave one out: --column iccid= or --column first= --column last="
        raise InputError(f"{place}: columns of ICCIDs and of ranges", code="no_header", hint=hint)
    if "iccid" not in columns and not has_range:
        raise InputError(f"{place}: no column of ICCIDs", code="no_iccid_column", hint=NAME_IT)
    return {name: at for name, at in columns.items() if name == "quantity" or (name in {"first", "last"}) == has_range}
