"""Cells that cannot be read: invalid JSON and invalid volumes.

A carrier's record may hold text that SQLite does not accept as JSON, such as NaN. Python reads the text, so Python
decides.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, case, func, select

from migrator.core.audit.chain import DAMAGE
from migrator.errors import InputError, StoreBusy, StoreError
from migrator.store.database.database import Database
from migrator.store.tables.cutovers import switch_items, switch_plans, switch_requests, switch_steps
from migrator.store.tables.fleet import account_limits, source_sims, target_links, unreadable_rows
from migrator.store.tables.plans import changes, events, plans, rates, requests, verifications

__all__ = ["checkable", "damaged_cells", "is_json"]

_JSON = (
    plans.c.header,
    plans.c.policy_json,
    changes.c.document,
    requests.c.body,
    verifications.c.findings,
    events.c.detail,
    rates.c.learned,
    switch_plans.c.header,
    switch_items.c.document,
    switch_requests.c.body,
    switch_steps.c.before,
    source_sims.c.raw,
    source_sims.c.data_raw,
    source_sims.c.sms_raw,
    unreadable_rows.c.raw,
    target_links.c.tags,
    target_links.c.other_iccids,
    target_links.c.raw,
)
_NUMBERS = (
    source_sims.c.data_quota_mb,
    source_sims.c.sms_quota,
    source_sims.c.data_remaining_mb,
    source_sims.c.sms_remaining,
    account_limits.c.data_mb,
    account_limits.c.sms_mo,
)


def is_json(column: ColumnElement[Any]) -> ColumnElement[bool]:
    """True if SQLite reads a cell as JSON.

    SQLite raises an error for a blob, so the type is checked first.
    """
    return case((func.typeof(column) == "text", func.json_valid(column)), else_=0) == 1


def damaged_cells(database: Database) -> Iterator[str]:
    """Yield each cell that cannot be read, with its row, in words."""
    for column in _JSON:
        yield from _damaged(database, column, ~is_json(column), json.loads, "JSON")
    for column in _NUMBERS:
        glob = column.op("GLOB")
        odd = (func.typeof(column) != "text") | column.in_(("", ".")) | glob("*[^0-9.]*") | glob("*.*.*")
        yield from _damaged(database, column, odd, Decimal, "number")


def _damaged(
    database: Database, column: Any, odd: ColumnElement[bool], read: Callable[[Any], object], what: str
) -> Iterator[str]:
    table: Table = column.table
    is_meant = column.is_not(None) if table is not plans else plans.c.plan_id.is_not(None)  # a draft has no header yet
    found = select(*table.primary_key.columns, column.label("cell")).where(is_meant, odd)
    yield from checkable(f"{table.name}.{column.name}", _words(database, found, column, read, what))


def _words(
    database: Database, found: Select[Any], column: Any, read: Callable[[Any], object], what: str
) -> Iterator[str]:
    for row in database.rows(found):
        try:
            read(row.cell)
        except DAMAGE:
            yield f"{column.table.name} {', '.join(map(str, row[:-1]))}: {column.name} is damaged, it is no {what}"


def checkable(what: str, problems: Iterable[str]) -> Iterator[str]:
    """Yield the same problems, and also a failure of the check.

    The check fails if the file is too damaged to search for problems.
    """
    try:
        yield from problems
    except StoreBusy:
        raise
    except (*DAMAGE, StoreError, InputError) as error:
        words = error.message if isinstance(error, StoreError | InputError) else type(error).__name__
        yield f"{what} cannot be checked: {words}"
