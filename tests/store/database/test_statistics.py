"""After many new rows PostgreSQL knows its tables again, and nobody waits or fails for that."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event

from migrator.core.run.steps import Item
from migrator.store import Store
from migrator.store.database import database
from migrator.store.tables.plans import changes
from tests.builders import pair, sim
from tests.server import MISSING, Kept, kept_there, running, sql
from tests.store.store_kit import NOW, change, open_store, place_of, planned, pulled

pytestmark = [pytest.mark.server, pytest.mark.skipif(running() is None, reason=MISSING)]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An account for which three rows are many."""
    monkeypatch.setattr(database, "MANY_ROWS", 3)
    with kept_there(), open_store(tmp_path) as opened:
        those = f"SELECT oid FROM pg_class WHERE relnamespace = '{account(tmp_path)}'::regnamespace"  # noqa: S608 - our own
        sql(_url(), f"DELETE FROM pg_statistic WHERE starelid IN ({those})")  # noqa: S608 - of an earlier test
        yield opened


def account(folder: Path) -> str:
    """The schema of the account."""
    return f"a_{place_of(folder)['account']}"


def four_planned(store: Store) -> None:
    """Four SIMs with their pairs and a plan."""
    pulled(store, map(sim, range(1, 5)))
    store.pairs.add(map(pair, range(1, 5)), replace=False, now=NOW)
    planned(store, [change(number) for number in range(1, 5)])


def known(folder: Path) -> set[str]:
    """The tables of the account of which the server has statistics."""
    asked = f"SELECT DISTINCT tablename FROM pg_stats WHERE schemaname = '{account(folder)}'"  # noqa: S608 - our own
    rows = sql(_url(), asked)
    return {name for (name,) in rows}


def _url() -> str:
    assert Kept.accounts is not None
    return Kept.accounts.url


def test_each_large_write_is_followed_by_statistics(store: Store, tmp_path: Path) -> None:
    pulled(store, map(sim, range(1, 3)))
    assert known(tmp_path) == set(), "two SIMs are few"
    pulled(store, map(sim, range(1, 5)))
    assert known(tmp_path) >= {"source_sims", "baselines"}
    store.pairs.add(map(pair, range(1, 5)), replace=False, now=NOW)
    assert "pairs" in known(tmp_path)
    planned(store, [change(number) for number in range(1, 5)])
    assert "changes" in known(tmp_path)


@pytest.mark.parametrize("adds", [False, True])
def test_the_list_of_wanted_sims_is_known_once_it_is_filled(store: Store, *, adds: bool) -> None:
    """No other session sees it: autovacuum never comes to it."""
    pulled(store, map(sim, range(1, 5)))
    store.pairs.add(map(pair, range(1, 5)), replace=False, now=NOW)
    with closing(store.journal.search(() if adds else None)) as search:
        if adds:
            search.add([pair(number).target for number in range(1, 5)])
        assert len(search) == 4
        with store._db.read() as connection:
            known_there = connection.exec_driver_sql(
                "SELECT count(*) FROM pg_stats WHERE tablename = 'sought'"
            ).scalar()
    assert known_there


def _said(read: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """Every statement of a read, with its values."""
    said: list[tuple[Any, Any]] = []
    execute = psycopg.Connection.execute

    def note(session: Any, statement: Any, values: Any = None, **more: Any) -> Any:
        said.append((statement, values))
        return execute(session, statement, values, **more)

    def note_of_engine(_connection: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        said.append((statement, values))

    event.listen(Engine, "before_cursor_execute", note_of_engine)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(psycopg.Connection, "execute", note)
            read()
    finally:
        event.remove(Engine, "before_cursor_execute", note_of_engine)
    return said


def _explained(folder: Path, statement: Any, values: Any, *off: str) -> list[str]:
    """The steps of a statement where the server may not go some ways."""
    with psycopg.connect(_url()) as other:
        other.execute(f"SET search_path TO {account(folder)}")
        for way in off:
            other.execute(f"SET enable_{way} = off")
        return [step for (step,) in other.execute(f"EXPLAIN {statement}", values).fetchall()]


@pytest.mark.parametrize(
    ("read", "joined"),
    [
        (lambda store: list(store.plans.candidates()), "pairs"),
        (lambda store: list(store.handover.pages()), "source_sims"),
        (lambda store: list(store.handover.pages()), "unit_facts"),
        (lambda store: list(store.journal.report_rows("p1")), "verifications"),
    ],
)
def test_a_page_of_a_join_begins_where_it_begins_on_both_sides(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Store], object], joined: str
) -> None:
    """Else a server that merges both goes through all before the page: a fleet takes its square."""
    four_planned(store)
    said = [one for one in _said(lambda: read(store), monkeypatch) if joined in str(one[0]) and "JOIN" in str(one[0])]
    assert said
    steps = _explained(tmp_path, *said[0], "seqscan", "bitmapscan", "hashjoin", "nestloop", "sort")
    at = next(number for number, step in enumerate(steps) if f"Scan using pk_{joined} on {joined}" in step)
    assert "key > " in steps[at + 1], steps


def test_the_claims_of_a_page_are_looked_up_one_by_one(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each page of the planner brought all claims of the fleet together, to see which of a thousand SIMs have one."""
    four_planned(store)
    large = "UPDATE pg_class SET reltuples = 200000, relpages = 1 WHERE relname IN ('source_sims', 'pairs', 'steps')"
    sql(_url(), f"{large} AND relnamespace = '{account(tmp_path)}'::regnamespace")
    said = _said(lambda: list(store.plans.candidates()), monkeypatch)
    statement, values = next(one for one in said if "paid_claim" in str(one[0]) and "LIMIT" in str(one[0]))
    steps = _explained(tmp_path, statement, values, "seqscan", "bitmapscan")
    assert [step for step in steps if "(source_key = source_sims.key)" in step], steps


def test_lives_of_some_sims_look_at_the_claims_of_these_alone(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of lives went through each claim of the fleet, to find those that were for the stock."""
    four_planned(store)
    said = _said(lambda: list(store.lives.of([sim(1).iccid.key], NOW)), monkeypatch)
    statement, values = next(one for one in said if "is_overtaken" in str(one[0]))
    steps = _explained(tmp_path, statement, values, "seqscan", "bitmapscan", "hashjoin", "nestloop", "sort")
    found = [at for at, step in enumerate(steps) if "Scan using ix_steps_claimed" in step]
    assert found
    assert all("(source_key = " in steps[at + 1] for at in found), steps


@pytest.mark.parametrize("acting_only", [True, False])
def test_a_page_of_a_wave_is_read_in_the_order_of_its_index(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, acting_only: bool
) -> None:
    """Else each page sorts all that is left of the plan."""
    planned(store, [change(number) for number in range(1, 5)])
    found_items: list[Item] = []
    said = _said(lambda: found_items.extend(store.journal.items("p1", acting_only=acting_only)), monkeypatch)
    assert len(found_items) == 4
    statement, values = next(one for one in said if "overage_order" in one[0])
    steps = _explained(tmp_path, statement, values, "seqscan", "bitmapscan", "sort")
    assert not [step for step in steps if "Sort" in step], steps
    (found,) = [step for step in steps if "Index Cond" in step and "wave" in step]
    assert "overage_order" in found


def test_a_table_that_somebody_is_about_is_passed_over_at_once(store: Store, tmp_path: Path) -> None:
    with psycopg.connect(_url()) as other:
        other.execute(f"LOCK TABLE {account(tmp_path)}.changes IN SHARE UPDATE EXCLUSIVE MODE")
        planned(store, [change(number) for number in range(1, 5)])
    assert store.plans.newest() == "p1"
    assert "changes" not in known(tmp_path)


def test_no_statistics_are_asked_for_within_a_transaction_or_by_a_lost_session(store: Store, tmp_path: Path) -> None:
    planned(store, [change(1)])
    with store._db.write():
        store._db.learn(10, changes)
    assert known(tmp_path) == set()
    store.close()
    store._db.learn(10, changes)
