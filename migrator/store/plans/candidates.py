"""Candidates for the planner, read in one join, by page.

The join is over inventory, pairs, target SIMs and journal.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, select

from migrator.chunks import PAGE, chunks
from migrator.core.fleet.sims import Candidate
from migrator.store.database.database import Database
from migrator.store.database.rows import (
    LINK_COLUMNS,
    PAIR_COLUMNS,
    SIM_COLUMNS,
    among,
    by_page,
    in_iccid_order,
    is_later,
    json_list,
    link_from,
    pair_from,
    sim_from,
)
from migrator.store.database.sql import Query
from migrator.store.inventory.inventory import Inventory
from migrator.store.inventory.snapshots import in_force
from migrator.store.inventory.unit_facts import UnitFactsTable
from migrator.store.pairs.paid_pairs import is_paid
from migrator.store.plans.switched_off import as_planned
from migrator.store.tables.fleet import pairs, source_sims, target_links

__all__ = ["candidates", "claimed_before"]

_SIM_END = len(SIM_COLUMNS)
_PAIR_END = _SIM_END + len(PAIR_COLUMNS)
_LINK_END = _PAIR_END + len(LINK_COLUMNS)
_READ_AT = _LINK_END - 1

_claimed_before = is_paid(source_sims.c.key, pairs.c.target_key)


def _joined(*of_pair: ColumnElement[bool]) -> Select[Any]:
    """Select SIMs in force, each joined to what is known of it.

    `of_pair` are further conditions of the join to pairs.
    """
    return (
        select(*SIM_COLUMNS, *PAIR_COLUMNS, *LINK_COLUMNS, _claimed_before)
        .select_from(source_sims)
        .outerjoin(pairs, and_(pairs.c.source_key == source_sims.c.key, *of_pair))
        .outerjoin(target_links, target_links.c.key == pairs.c.target_key)
        .where(source_sims.c.snapshot_id == bindparam("snapshot_id"))
        .order_by(source_sims.c.key)
    )


_CLAIMED_AMONG = Query(
    select(source_sims.c.key)
    .outerjoin_from(source_sims, pairs, pairs.c.source_key == source_sims.c.key)
    .where(source_sims.c.snapshot_id == in_force, among(source_sims.c.key, bindparam("keys")))
    .where(_claimed_before)
)
_NEXT = Query(_joined(is_later(pairs.c.source_key)).where(is_later(source_sims.c.key)).limit(PAGE))
_AMONG = Query(_joined().where(among(source_sims.c.key, bindparam("keys"))))


def candidates(database: Database, where_keys: Iterable[str] | None = None) -> Iterator[Candidate]:
    """Yield every SIM in force with its pair and target link.

    The link is as the target showed it. The SIMs are sorted by ICCID as text. A SIM that a cutover of ours switched off
    has its status from before the cutover. Each SIM has the facts of its unit.

    Args:
        database: the open store.
        where_keys: only these SIMs, by key.

    Raises: StoreBusy, if another command replaced the inventory meanwhile: what came so far is not the whole.
    """
    inventory = Inventory(database)
    edition = inventory.edition()
    if edition is None:
        return

    def rows(query: Query, **values: str) -> Sequence[tuple[Any, ...]]:
        return database.tuples(query, snapshot_id=edition.snapshot_id, **values)

    def some(keys: Iterable[str]) -> Iterator[tuple[Any, ...]]:
        for chunk in chunks(sorted(set(keys))):
            yield from rows(_AMONG, keys=json_list(chunk))

    found = by_page(lambda after: rows(_NEXT, after=after)) if where_keys is None else some(where_keys)
    yield from _with_facts(database, as_planned(database, map(_candidate, in_iccid_order(found))))
    inventory.must_be_in_force(edition)


def _with_facts(database: Database, found: Iterable[Candidate]) -> Iterator[Candidate]:
    """Yield candidates whose SIMs have the facts of their units."""
    facts = UnitFactsTable(database)
    if not facts.count():
        yield from found
        return
    for chunk in chunks(found):
        sims = facts.of_sims(one.sim for one in chunk)
        yield from (one._replace(sim=sim) for one, sim in zip(chunk, sims, strict=True))


def claimed_before(database: Database, keys: Iterable[str]) -> set[str]:
    """Return the SIMs of `keys` for which a plan claimed a SIM.

    A claim that may have taken effect counts, too. Only SIMs of the inventory are returned.
    """
    found = (row for chunk in chunks(keys) for row in database.tuples(_CLAIMED_AMONG, keys=json_list(chunk)))
    return {key for (key,) in found}


def _candidate(row: Sequence[Any]) -> Candidate:
    return Candidate(
        sim_from(row[:_SIM_END]),
        None if row[_SIM_END] is None else pair_from(row[_SIM_END:_PAIR_END]),
        link_from(row[_PAIR_END:_LINK_END]),
        row[_READ_AT] is not None,
        bool(row[_LINK_END]),
    )
