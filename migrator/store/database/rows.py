"""Rows of SIM tables as records of the core, read by page.

Nothing that a caller may iterate over holds a cursor or a transaction open. Each page is a short read of its own, so
the caller may write between any two rows.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, MetaData, Row, Table, bindparam, case, literal_column

from migrator.chunks import PAGE, chunks
from migrator.core.fleet.identifiers import ICCID_SHORTEST, Eid, Iccid
from migrator.core.fleet.sims import (
    LinkState,
    Pair,
    QuotaReading,
    SourceSim,
    SourceStatus,
    TargetLink,
    data_limit,
)
from migrator.core.fleet.units import Bytes
from migrator.store.database.database import storable
from migrator.store.database.sql import elements_of, json_at
from migrator.store.tables.fleet import pairs, source_sims, target_links

__all__ = [
    "IN_TEST",
    "LINK_COLUMNS",
    "PAIR_COLUMNS",
    "SIM_COLUMNS",
    "TEST_ENDS",
    "AnyRow",
    "among",
    "by_page",
    "decimal_from",
    "decimal_text",
    "in_iccid_order",
    "is_later",
    "json_list",
    "link_from",
    "link_values",
    "pair_from",
    "sim_from",
    "sim_values",
    "temporary_table",
    "test_ends_at",
]

AnyRow = Row[Any]
R = TypeVar("R", bound=Sequence[Any])
PRESENT = 2

_STATUS: Mapping[str, SourceStatus] = {status.value: status for status in SourceStatus}
_LINK_STATE: Mapping[str, LinkState] = {state.value: state for state in LinkState}
_READING: Mapping[str, QuotaReading] = {reading.value: reading for reading in QuotaReading}

SIM_COLUMNS = (*tuple(source_sims.c)[1:19], *tuple(source_sims.c)[-3:])
"""Columns of a SIM, in the order of `sim_from` and `sim_values`.

The columns go from the key to `expires_at`; limit and tags, which came later, are the last.
"""
PAIR_COLUMNS = (*tuple(pairs.c)[:5], pairs.c.eid)
TEST_ENDS = "_test_ends_at"
"""Name of a Test Mode's end within the raw record, as read."""

IN_TEST: ColumnElement[str] = literal_column(f"'{LinkState.TEST.value}'")
"""State of a SIM in Test Mode, as SQL.

The driver's statements have no room for values of their own.
"""

test_ends_at: ColumnElement[str | None] = case(
    (target_links.c.state == IN_TEST, json_at(target_links.c.raw, TEST_ENDS))
)
"""End of a SIM's Test Mode.

Records of other SIMs are not parsed.
"""

LINK_COLUMNS = (
    *tuple(target_links.c)[:-3],
    target_links.c.imei,
    test_ends_at.label("test_ends_at"),
    target_links.c.read_at,
)
"""Columns of a link, without the raw record.

Nobody decides by the raw record, and a million of them would be parsed for nothing.
"""


def sim_from(row: Sequence[Any]) -> SourceSim:
    """Return the SIM of a row of `SIM_COLUMNS`."""
    key, iccid, status, word, label, imsi, msisdn, imei, lock, ip, activated, *volumes = row
    data, sms, data_reading, data_left, sms_reading, sms_left, expires, limit, period, tags = volumes
    return SourceSim(  # by place: names cost half as much again, a million times
        Iccid(iccid, key),
        _STATUS[status],
        word,
        label,
        imsi,
        msisdn,
        imei,
        None if lock is None else bool(lock),
        ip,
        activated,
        None if data is None else Decimal(data),
        None if sms is None else Decimal(sms),
        _READING[data_reading],
        None if data_left is None else Decimal(data_left),
        _READING[sms_reading],
        None if sms_left is None else Decimal(sms_left),
        expires,
        None,
        None,
        None if limit is None else data_limit(Bytes(int(limit)), period),
        None if tags is None else tuple(json.loads(tags)),
    )


def sim_values(sim: SourceSim) -> tuple[Any, ...]:
    """Return the values of `SIM_COLUMNS` for a SIM; inverse of `sim_from`."""
    return (
        sim.iccid.key,
        sim.iccid.digits,
        sim.status._value_,  # `value` costs a call, a million times
        sim.status_word,
        sim.label,
        sim.imsi,
        sim.msisdn,
        sim.imei,
        None if sim.imei_lock is None else int(sim.imei_lock),
        sim.ip_address,
        sim.activated_at,
        decimal_text(sim.data_quota_mb),
        decimal_text(sim.sms_quota),
        sim.data_reading._value_,
        decimal_text(sim.data_remaining_mb),
        sim.sms_reading._value_,
        decimal_text(sim.sms_remaining),
        sim.expires_at,
        None if sim.data_limit is None else str(sim.data_limit.volume),
        None if sim.data_limit is None else sim.data_limit.word,
        None if sim.tags is None else json.dumps([storable(name) for name in sim.tags]),
    )


def pair_from(row: Sequence[Any]) -> Pair:
    """Return the pair of a row of `PAIR_COLUMNS`."""
    source_key, source_iccid, target_key, target_iccid, origin, eid = row
    chip = None if eid is None else Eid(eid)
    return Pair(Iccid(source_iccid, source_key), Iccid(target_iccid, target_key), origin, chip)


def link_from(row: Sequence[Any]) -> TargetLink | None:
    """Return the link of a row of `LINK_COLUMNS`, or None.

    None for a SIM that was searched for and not seen, or never read.
    """
    if not row[PRESENT]:
        return None
    key, iccid, _present, org_id, device_id, link_id, state, word, name, overage, sms, plan, zone, *rest = row
    tags, claimed_at, connected_at, others, imei, test_ends, _read_at = rest
    return TargetLink(
        iccid=Iccid(iccid, key),
        org_id=org_id,
        device_id=device_id,
        link_id=link_id,
        state=_LINK_STATE[state],
        state_word=word,
        name=name,
        overage_limit_bytes=None if overage is None else Bytes(overage),
        sms_limit=sms,
        data_plan_id=plan,
        zone=zone,
        tags=None if tags is None else frozenset(json.loads(tags)),
        claimed_at=claimed_at,
        last_connected_at=connected_at,
        imei=imei,
        other_iccids=tuple(map(Iccid.parse, json.loads(others))) if others else (),
        test_ends_at=test_ends,
    )


def link_values(link: TargetLink) -> tuple[Any, ...]:
    """Return the values of `LINK_COLUMNS` for a link, without the last three.

    The last three are `imei`, `test_ends_at` and `read_at`.
    """
    return (
        link.iccid.key,
        link.iccid.digits,
        1,
        link.org_id,
        link.device_id,
        link.link_id,
        link.state.value,
        link.state_word,
        link.name,
        link.overage_limit_bytes,
        link.sms_limit,
        link.data_plan_id,
        link.zone,
        None if link.tags is None else json.dumps(sorted(link.tags)),
        link.claimed_at,
        link.last_connected_at,
        json.dumps([iccid.digits for iccid in link.other_iccids]) if link.other_iccids else None,
    )


def decimal_from(text: str | None) -> Decimal | None:
    """Return the volume of a text; inverse of `decimal_text`."""
    return None if text is None else Decimal(text)


def decimal_text(value: Decimal | None) -> str | None:
    """Return a volume as stored text, with every digit."""
    return None if value is None else str(value)


# --- reading a page at a time -------------------------------------------------------------------------------------


def by_page(page: Callable[[str], Sequence[R]]) -> Iterator[R]:
    """Yield rows in the order of their first column, the key.

    Args:
        page: the next rows after a key, at most `PAGE` of them.
    """
    after = ""
    while rows := page(after):
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1][0]


def is_later(key: ColumnElement[str]) -> ColumnElement[bool]:
    """Return SQL that is true for a key of the next page.

    The page begins behind the value that is bound as `after`. It is also asked of tables that are joined by the page's
    key: a server that merges two tables in the order of their keys begins each at its first row, or where it is told.
    """
    return key > bindparam("after")


def in_iccid_order(rows: Iterable[R]) -> Iterator[R]:
    """Sort rows by ICCID that come sorted by key.

    The key is the first column. The ICCID as given is the second column. A key is its ICCID without right check digits,
    so the two orders agree on the digits that every ICCID has. Only the few rows that share those digits are out of
    place.
    """
    held: list[R] = []  # rows that may belong before what comes next
    for more in chunks(rows):
        run = held + more
        shared = run[-1][0][:ICCID_SHORTEST]
        end = len(run) - 1
        while end and run[end - 1][0].startswith(shared):
            end -= 1
        held = run[end:]
        yield from sorted(run[:end], key=itemgetter(1))
    yield from sorted(held, key=itemgetter(1))


def json_list(values: Iterable[str]) -> str:
    """Return values as the JSON list that `among` needs."""
    return json.dumps(list(values))


def among(column: ColumnElement[str], parameter: ColumnElement[str]) -> ColumnElement[bool]:
    """Return SQL that is true if `column` is in a JSON list.

    The list is bound to `parameter`: one text for any number of values.
    """
    return column.in_(elements_of(parameter))


def temporary_table(name: str, *columns: Column[Any]) -> Table:
    """Describe a table that only this connection sees."""
    is_keyed = any(column.primary_key for column in columns)
    return Table(name, MetaData(), *columns, prefixes=["TEMPORARY"], sqlite_with_rowid=not is_keyed)
