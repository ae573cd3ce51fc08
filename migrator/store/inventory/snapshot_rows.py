"""Rows of one snapshot: pages, readings and fingerprint in SQL."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    select,
    update,
)

from migrator.chunks import PAGE
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import SourceSim
from migrator.ports import ComparedPage, Remaining, SourcePage, SourceRow
from migrator.store.database.database import insert_many, storable
from migrator.store.database.documents import raw_text
from migrator.store.database.rows import SIM_COLUMNS, decimal_text, sim_values
from migrator.store.database.sql import DriverSql, Insert, insert
from migrator.store.tables.fleet import snapshot_pages, source_sims, unreadable_rows

__all__ = [
    "LISTED_NAMES",
    "NEVER",
    "count_unreadable",
    "fingerprint",
    "plain_number",
    "save_page_rows",
    "save_record",
    "save_remaining",
    "save_sims",
    "save_unreadable",
    "told_totals",
    "upserting",
]

_OWN_RECORD = ("imsi", "msisdn", "imei", "data_limit_bytes", "data_limit_period", "tags")
"""Values that a carrier may tell in a SIM's own record alone."""

_LATER = (source_sims.c.data_limit_bytes, source_sims.c.data_limit_period, source_sims.c.tags)
_LATER_AT = len(SIM_COLUMNS) - len(_LATER)
"""Place of the first value behind the columns of the snapshot."""

NEVER = -1
"""Prior pass of a SIM that only one pass has listed."""


_TOLD = {column.name for column in SIM_COLUMNS} | {"snapshot_id", "last_pass", "prior_pass", "raw"}
LISTED_NAMES = [column.name for column in source_sims.c if column.name in _TOLD]
"""Columns that a listed SIM fills, in the order of the table."""


def upserting(statement: Insert) -> Insert:
    """Let an insert overwrite a SIM that is there already.

    What was read of the SIM alone is kept where the list does not tell it: remaining volumes, hardware, numbers, limit
    and tags.
    """
    new, old = statement.excluded, source_sims.c
    values: dict[str, ColumnElement[object]] = {name: new[name] for name in LISTED_NAMES[2:]}
    for service, volume in (("data_reading", "data_remaining_mb"), ("sms_reading", "sms_remaining")):
        silent = new[service] == literal_column("'not_read'")
        values[service] = case((silent, old[service]), else_=new[service])
        values[volume] = case((silent, old[volume]), else_=new[volume])
    for name in ("expires_at", *_OWN_RECORD):
        values[name] = func.coalesce(new[name], old[name])
    values["prior_pass"] = case((old.last_pass < new.last_pass, old.last_pass), else_=old.prior_pass)
    return statement.on_conflict_do_update(index_elements=["snapshot_id", "key"], set_=values)


_UPSERT_SIM = DriverSql(upserting(insert(source_sims).values(dict.fromkeys(LISTED_NAMES))), LISTED_NAMES)


def _upsert_page() -> DriverSql:
    """Return an upsert of a page, now the last of its pass."""
    *names, number = (column.name for column in snapshot_pages.c)
    saved = snapshot_pages.alias("saved").c
    last = func.coalesce(func.max(saved.saved_no), literal_column("0"))
    of_pass = (saved.snapshot_id == bindparam("of_snapshot"), saved.pass_number == bindparam("of_pass"))
    following = select(last + literal_column("1")).where(*of_pass).scalar_subquery()
    statement = insert(snapshot_pages).values({**dict.fromkeys(names), number: following})
    key = [column.name for column in snapshot_pages.primary_key]
    values = {name: statement.excluded[name] for name in (*names, number) if name not in key}
    return DriverSql(statement.on_conflict_do_update(index_elements=key, set_=values), names)


_UPSERT_PAGE = _upsert_page()
_of_page = tuple(unreadable_rows.c[name] == bindparam(name) for name in ("snapshot_id", "pass_number", "page"))
_CLEAR_UNREADABLE = DriverSql(delete(unreadable_rows).where(*_of_page))


def save_sims(connection: Connection, snapshot_id: int, pass_number: int, rows: Iterable[SourceRow]) -> None:
    """Keep the SIMs of listed rows, in their order."""
    told = []
    for row in rows:
        if row.sim is not None:
            values = sim_values(row.sim)
            seen = (pass_number, NEVER, raw_text(row.raw))
            told.append((snapshot_id, *values[:_LATER_AT], *seen, *values[_LATER_AT:]))
    insert_many(connection, _UPSERT_SIM, told)


def save_page_rows(
    connection: Connection,
    snapshot_id: int,
    pass_number: int,
    pages: Sequence[SourcePage | ComparedPage],
    now: float,
) -> None:
    """Note that pages are on disk, with their reported totals.

    A page that is saved again becomes the last page saved.
    """
    rows = [(snapshot_id, pass_number, page.number, page.total_sims, page.total_pages, now) for page in pages]
    _UPSERT_PAGE.run(connection, [(*row, snapshot_id, pass_number) for row in rows])


def save_unreadable(connection: Connection, snapshot_id: int, pass_number: int, page: SourcePage) -> None:
    """Keep the rows of a page that are no readable SIM.

    The rows replace the unreadable rows that the page had before.
    """
    _CLEAR_UNREADABLE.run(connection, (snapshot_id, pass_number, page.number))
    values = [
        {
            "snapshot_id": snapshot_id,
            "pass_number": pass_number,
            "page": page.number,
            "position": position,
            "problem": storable(bad.problem),
            "raw": raw_text(bad.raw),
        }
        for position, bad in enumerate(page.rows)
        if bad.sim is None
    ]
    if values:
        connection.execute(insert(unreadable_rows), values)


def count_unreadable(connection: Connection, snapshot_id: int, pass_number: int) -> int:
    """Count the rows of a pass that could not be read."""
    row = unreadable_rows.c
    wanted = select(func.count()).where(row.snapshot_id == snapshot_id, row.pass_number == pass_number)
    return connection.scalar(wanted) or 0


def told_totals(connection: Connection, snapshot_id: int, pass_number: int) -> tuple[int | None, int | None]:
    """Return the numbers of SIMs in a pass's first and last reply.

    Each number is the total that the reply reported. The replies are in the order in which they came.
    """
    page = snapshot_pages.c
    told = (
        select(page.total_sims)
        .where(page.snapshot_id == snapshot_id, page.pass_number == pass_number, page.total_sims.is_not(None))
        .limit(1)
    )
    return connection.scalar(told.order_by(page.saved_no)), connection.scalar(told.order_by(page.saved_no.desc()))


def save_remaining(connection: Connection, snapshot_id: int, iccid: Iccid, service: str, remaining: Remaining) -> None:
    """Keep the remaining volume of one service, "data" or "sms"."""
    sim = source_sims.c
    volume = sim.data_remaining_mb if service == "data" else sim.sms_remaining
    values = {
        sim[f"{service}_reading"]: remaining.reading,
        volume: decimal_text(remaining.volume),
        sim[f"{service}_raw"]: raw_text(remaining.raw),
        sim.expires_at: func.coalesce(storable(remaining.expires_at), sim.expires_at),
    }
    connection.execute(update(source_sims).where(sim.snapshot_id == snapshot_id, sim.key == iccid.key).values(values))


def save_record(connection: Connection, snapshot_id: int, sim: SourceSim) -> None:
    """Keep what a SIM's own record tells beyond the list."""
    row = source_sims.c
    told = {column.name: value for column, value in zip(SIM_COLUMNS, sim_values(sim), strict=True)}
    told = {name: told[name] for name in _OWN_RECORD}
    values = {row[name]: storable(value) for name, value in told.items() if value is not None}
    if values:
        connection.execute(
            update(source_sims).where(row.snapshot_id == snapshot_id, row.key == sim.iccid.key).values(values)
        )


def fingerprint(connection: Connection, snapshot_id: int) -> str:
    """Return a SHA-256 over the values that plans are made from.

    The SHA-256 goes over the snapshot SIM by SIM, and is the same for a re-pull that finds the same values. The
    remaining volumes change all the time and are left out. ICCIDs count by their key, volumes by their value. Limits
    and tags count where there are any.
    """
    sim = source_sims.c
    wanted = (
        select(sim.key, sim.status_word, sim.label, sim.data_quota_mb, sim.sms_quota, *_LATER)
        .where(sim.snapshot_id == snapshot_id)
        .order_by(sim.key)
        .execution_options(yield_per=PAGE)
    )
    digest = hashlib.sha256()
    for key, word, label, data, sms, *later in connection.execute(wanted):
        line = json.dumps([key, word, label, plain_number(data), plain_number(sms), *(later if any(later) else ())])
        digest.update(f"{line}\n".encode())
    return digest.hexdigest()


def plain_number(text: str | None) -> str | None:
    """Return a volume in its one spelling.

    500, 500.0 and 5E+2 have the same spelling.
    """
    if text is None or text.isdecimal():
        return text
    return f"{Decimal(text).normalize():f}"
