"""The fence: a run that was replaced writes nothing more, whatever it writes, and so sends nothing more."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from migrator.core.run.control import Order, OrderKind
from migrator.core.run.states import RunEvent, StepEvent, StepKind
from migrator.core.run.steps import RequestOutcome
from migrator.errors import LeaseLost
from migrator.store import Owner, Store
from migrator.store.tables import METADATA
from tests.builders import target
from tests.store.cutovers.test_store_cutovers import BOTH, SENT, added
from tests.store.store_kit import NOW, change, key, open_store, ordered, planned

FIRST, SECOND = Owner("rome", 1, NOW), Owner("oslo", 2, NOW)
TOLD = {key(1): ("", "")}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The store of a run that holds the lease, with a migration and a cutover, each with a request in flight."""
    with open_store(tmp_path) as opened:
        planned(opened, [change(1), change(2)])
        added(opened, "c1")
        opened.lease.acquire(FIRST, NOW, is_gone=lambda _: False)
        opened.journal.start_run("p1", "first", NOW)
        opened.journal.begin(1, StepKind.CLAIM, [key(1)], SENT, wave="all", now=NOW)
        opened.journal.start_run("c1", "first", NOW)
        ordered(opened, 2, StepKind.SOURCE, {key(1): {}})
        yield opened


WRITES: dict[str, Callable[[Store], object]] = {
    "a claim": lambda store: store.journal.begin(1, StepKind.CLAIM, [key(2)], SENT, wave="all", now=NOW),
    "an answer": lambda store: store.journal.answered(1, RequestOutcome.ACCEPTED, now=NOW),
    "a move": lambda store: store.journal.move("p1", StepKind.CLAIM, StepEvent.CONFIRMED, TOLD, now=NOW),
    "a look": lambda store: store.journal.observed([target(1)], [], now=NOW),
    "a gate": lambda store: store.journal.gate_reached("p1", "all", NOW),
    "a takeover": lambda store: store.journal.reclaim_in_flight("p1", NOW),
    "the end": lambda store: store.journal.end_run(1, RunEvent.FINISH, exit_code=0, reason="", now=NOW),
    "another run": lambda store: store.journal.start_run("p1", "first", NOW),
    "an order of a cutover": lambda store: ordered(store, 2, StepKind.SOURCE, {key(2): BOTH[key(2)]}),
    "an answer of a cutover": lambda store: store.journal.answered(2, RequestOutcome.ACCEPTED, now=NOW),
    "a move of a cutover": lambda store: store.journal.move("c1", StepKind.SOURCE, StepEvent.CONFIRMED, TOLD, now=NOW),
    "a takeover of a cutover": lambda store: store.journal.reclaim_in_flight("c1", NOW),
    "the end of a cutover": lambda store: store.journal.end_run(2, RunEvent.FINISH, exit_code=0, reason="", now=NOW),
    "the end of a plan": lambda store: store.plans.finish("p1", NOW),
}


def everything(folder: Path) -> list[object]:
    with open_store(folder) as store:
        tables = [table for table in METADATA.sorted_tables if table.name not in {"lease", "meta"}]
        return [store._db.rows(select(table).order_by(*table.primary_key)) for table in tables]


@pytest.mark.parametrize("what", WRITES)
def test_a_run_that_was_replaced_writes_nothing_more(what: str, store: Store, tmp_path: Path) -> None:
    with open_store(tmp_path) as other:
        assert other.lease.acquire(SECOND, NOW + 100, is_gone=lambda _: True) == FIRST
    before = everything(tmp_path)
    with pytest.raises(LeaseLost, match="process 2 on oslo"):
        WRITES[what](store)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("what", WRITES)
def test_also_once_the_other_run_is_over(what: str, store: Store, tmp_path: Path) -> None:
    """The lease is free again, and what the first run knows is as old as before."""
    with open_store(tmp_path) as other:
        other.lease.acquire(SECOND, NOW + 100, is_gone=lambda _: True)
        other.lease.release(SECOND)
    with pytest.raises(LeaseLost):
        WRITES[what](store)


def test_whoever_holds_no_lease_goes_on(store: Store, tmp_path: Path) -> None:
    """Another terminal pauses the run, and a copy of the store has a life of its own."""
    with open_store(tmp_path) as other:
        other.steering.give("p1", Order(OrderKind.PAUSE, "ada", NOW))
    with store.scratch_copy() as copy:
        copy.journal.answered(1, RequestOutcome.ACCEPTED, now=NOW)
    assert outcomes(store) == [RequestOutcome.SENT]
    store.lease.release(FIRST)
    store.journal.answered(1, RequestOutcome.ACCEPTED, now=NOW)
    assert outcomes(store) == [RequestOutcome.ACCEPTED]


def outcomes(store: Store) -> list[RequestOutcome]:
    return [record.outcome for record in store.journal.requests("p1")]
