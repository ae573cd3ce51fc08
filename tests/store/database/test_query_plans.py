"""Query plans: what is looked up by key goes by an index, however the lookup is spelled.

SQLite gets `(x IN (...)) = 1` for a boolean construct of our own, and then leaves the index of x alone.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import ClauseElement, Select, select

from migrator.core.run.states import StepEvent
from migrator.store import Store
from migrator.store.database.sql import Query, dialect, has_blanks
from migrator.store.journal.moves import _MOVES
from migrator.store.tables import METADATA
from migrator.store.tables.fleet import target_links, unit_facts
from migrator.store.tables.sightings import source_imeis
from tests.store.database.test_two_spellings import values_of_modules
from tests.store.store_kit import open_store

pytestmark = pytest.mark.files

FEW_ROWS = {"plans", "snapshots", "meta", "campaigns", "lease"}
MANY_ROWS = "|".join(table.name for table in METADATA.sorted_tables if table.name not in FEW_ROWS)
SCAN = re.compile(rf"SCAN ({MANY_ROWS})\b")
SCANS = {"migrator.store.campaigns.cards._OF_OLD_SIMS"}
"""Brings all claimed cards together first, once a day."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened


def plan_of(store: Store, statement: ClauseElement) -> list[str]:
    """The steps by which SQLite would run a statement; its values are all NULL."""
    text = re.sub(r"\(__\[POSTCOMPILE_\w+\]\)", "(NULL)", str(statement.compile(dialect=dialect("sqlite"))))
    rows = store._db._driver_connection().execute(f"EXPLAIN QUERY PLAN {text}", (None,) * text.count("?"))
    return [detail for *_, detail in rows]


def lookups() -> dict[str, Select[tuple[object, ...]]]:
    """Every `select` of a module of the store that takes a list of keys, but for those of temporary tables."""
    selects = ((where, one.statement if isinstance(one, Query) else one) for where, one in values_of_modules())
    of_store = {
        where: one
        for where, one in selects
        if isinstance(one, Select) and all(table in METADATA.sorted_tables for table in one.columns_clause_froms)
    }
    return {where: one for where, one in of_store.items() if "json_each" in str(one.compile(dialect=dialect("sqlite")))}


def test_no_lookup_by_keys_goes_through_a_whole_table(store: Store) -> None:
    found = lookups()
    assert len(found) > 30
    scans = {where: [step for step in plan_of(store, one) if SCAN.match(step)] for where, one in found.items()}
    assert {where: steps for where, steps in scans.items() if steps and where not in SCANS} == {}


@pytest.mark.parametrize("event", StepEvent)
def test_steps_move_by_their_keys_whatever_the_plan_holds(store: Store, event: StepEvent) -> None:
    for statement in _MOVES[event]:
        steps = plan_of(store, statement)
        assert not [step for step in steps if SCAN.match(step)]
        if statement.is_update:
            assert any("source_key=?" in step for step in steps), steps


@pytest.mark.parametrize("table", [source_imeis, target_links, unit_facts])
def test_imeis_with_blanks_are_found_by_their_own_index(store: Store, table: Any) -> None:
    (step,) = plan_of(store, select(table.c.imei).where(has_blanks(table.c.imei)))
    assert f"ix_{table.name}_imei_with_blanks" in step
