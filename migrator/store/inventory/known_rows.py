"""Rows of a list that the inventory in force has already.

Most pulls of a fleet find little that is new. Their other rows need not be written again.
"""

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, literal, select

from migrator.chunks import chunks
from migrator.ports import ComparedPage, SourcePage, SourceRow
from migrator.store.database.database import Database, storable
from migrator.store.database.documents import raw_text
from migrator.store.database.rows import SIM_COLUMNS, among, json_list, sim_values
from migrator.store.database.sql import Query, insert
from migrator.store.inventory.snapshot_rows import LISTED_NAMES, NEVER, save_page_rows, save_sims, upserting
from migrator.store.tables.fleet import source_sims
from migrator.store.tables.types import Text

__all__ = ["FIRST", "compare_pages", "those_of", "write_compared"]

_LISTED = (*SIM_COLUMNS, source_sims.c.raw)
"""Columns that a row of the list fills."""

FIRST = 1
"""Number of the first pass."""

_sim = source_sims.c
_is_asked = (_sim.snapshot_id == bindparam("snapshot_id")) & among(_sim.key, bindparam("keys"))
_AMONG = Query(select(*_LISTED).where(_is_asked))


def compare_pages(database: Database, snapshot_id: int, pages: Sequence[SourcePage]) -> list[ComparedPage] | None:
    """Compare some pages with the rows of a snapshot, one short read.

    A row is the same if it would be kept as it is there, to the last digit of its raw record.

    Returns: each page in short; None, if any row cannot be read.
    """
    told: list[list[tuple[Any, ...]]] = []
    for page in pages:
        if any(row.sim is None for row in page.rows):
            return None
        told.append([(*sim_values(row.sim), raw_text(row.raw)) for row in page.rows if row.sim is not None])
    keys = json_list({values[0] for of_page in told for values in of_page})
    kept = {values[0]: values for values in database.tuples(_AMONG, snapshot_id=snapshot_id, keys=keys)}
    return [_in_short(page, of_page, kept) for page, of_page in zip(pages, told, strict=True)]


def _in_short(page: SourcePage, told: Sequence[tuple[Any, ...]], kept: dict[str, tuple[Any, ...]]) -> ComparedPage:
    same, changed, differ = list[str](), list[SourceRow](), set[str]()
    for row, values in zip(page.rows, told, strict=True):
        key = values[0]
        is_same = values == kept.get(key) or tuple(map(storable, values)) == kept.get(key)
        if is_same and key not in differ:  # of a SIM that is listed twice the later row counts
            same.append(key)
        else:
            changed.append(row)
            differ.add(key)
    return ComparedPage(page.number, len(page.rows), json_list(same), tuple(changed), page.total_sims, page.total_pages)


def write_compared(
    connection: Connection, base_id: int, snapshot_id: int, pages: Sequence[ComparedPage], now: float
) -> None:
    """Write compared pages into a snapshot.

    They are the first of its first pass. Pages without a change are copied together.
    """
    values: dict[str, Any] = {column.name: column for column in _LISTED}
    values |= {"snapshot_id": literal(snapshot_id), "last_pass": literal(FIRST), "prior_pass": literal(NEVER)}
    rows = select(*(values[name] for name in LISTED_NAMES)).where(_is_asked).order_by(_sim.key)
    statement = upserting(insert(source_sims).from_select(LISTED_NAMES, rows))
    for is_changed, some in groupby(pages, lambda page: bool(page.changed)):
        alike = list(some)
        for together in [[page] for page in alike] if is_changed else [alike]:
            keys = json_list({key for page in together for key in json.loads(page.same)})
            connection.execute(statement, {"snapshot_id": base_id, "keys": keys})
            save_sims(connection, snapshot_id, FIRST, [row for page in together for row in page.changed])
    save_page_rows(connection, snapshot_id, FIRST, pages, now)


def those_of(rows: Sequence[SourceRow]) -> list[ColumnElement[bool]]:
    """Return SQL for the SIMs of rows, some hundred at a time."""
    keys = (row.sim.iccid.key for row in rows if row.sim is not None)
    return [among(_sim.key, literal(json_list(some), Text)) for some in chunks(keys)]
