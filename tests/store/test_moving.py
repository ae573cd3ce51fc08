"""A move between a file and PostgreSQL: at most one store of the two can ever be worked with, whatever happens."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from migrator.core.run.control import Order, OrderKind
from migrator.errors import InputError, MigratorError, StoreBusy, StoreError
from migrator.store import Owner, Store, moving
from migrator.store.control.whereabouts import server_changed
from migrator.store.facts import keep_fact
from migrator.store.log import note
from migrator.workflows.copy_state import copy_state
from tests.builders import sim
from tests.server import MISSING, Accounts, running, sql
from tests.store.store_kit import NOW, change, planned, pulled

pytestmark = pytest.mark.server
KILLED = 9
OTHER = Owner("oslo", 2, NOW)


@dataclass(frozen=True)
class Places:
    """A file and an account, and in which of them the store is."""

    file: str
    database: str
    account: str
    is_in_file: bool

    @property
    def old(self) -> dict[str, Any]:
        """Where the store is, for `Store.open`."""
        return {"url": self.file} if self.is_in_file else {"url": self.database, "account": self.account}

    @property
    def new(self) -> dict[str, Any]:
        """Where it shall be."""
        return {"url": self.database, "account": self.account} if self.is_in_file else {"url": self.file}

    def move(self) -> moving.Moved:
        """Move it."""
        return copy_state(self.old["url"], self.new["url"], self.account, NOW)

    def killed(self, monkeypatch: pytest.MonkeyPatch, function: str) -> None:
        """Move it in a process that dies when it calls a function of the move."""
        child = os.fork()
        if child == 0:
            try:
                monkeypatch.setattr(moving, function, lambda *_words: os._exit(KILLED))
                self.move()
            finally:
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED


@pytest.fixture(params=["from_file", "from_account"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Places]:
    """A store with a plan that was begun, and an empty place."""
    server = running()
    if server is None:
        pytest.skip(MISSING)
    accounts = Accounts(server)
    account = accounts.of(tmp_path)
    is_in_file = request.param == "from_file"
    if is_in_file:  # an account that an earlier test left is not an empty place
        sql(server.url(), f"DROP SCHEMA IF EXISTS a_{account} CASCADE")
    places = Places(f"sqlite:///{tmp_path / 'state.db'}", server.url(), account, is_in_file)
    with Store.open(**places.old, now=NOW) as store:
        pulled(store, [sim(1), sim(2)])
        planned(store, [change(1), change(2)])
    yield places
    sql(server.url(), f"DROP SCHEMA IF EXISTS a_{account} CASCADE")
    accounts.give_back()


def works(place: dict[str, Any]) -> bool:
    """Whether a run could work there; if it could not, nobody can read there, either."""
    try:
        with Store.open(**place, now=NOW, create=False) as store:
            store.lease.acquire(OTHER, NOW, is_gone=lambda _owner: False)
            store.lease.release(OTHER)
    except MigratorError as error:
        with pytest.raises(type(error)):
            Store.look(**place)
        return False
    return True


def refusal(call: Callable[[], object]) -> MigratorError:
    with pytest.raises(MigratorError) as caught:
        call()
    return caught.value


def test_a_store_goes_to_its_new_place_whole_and_the_old_one_is_refused_with_it(places: Places) -> None:
    with Store.open(**places.old, now=NOW) as store:
        lineage = store.lineage
    done = places.move()
    with Store.open(**places.new, now=NOW, create=False) as store:
        assert (store.lineage, store.lease.holder(), list(store.audit.problems(head=done.head))) == (lineage, None, [])
        assert [event.kind for event in store.audit.events()][-2:] == ["store.moving", "store.arrived"]
        planned(store, [change(2)], plan_id="p2")
    for opened in (partial(Store.look, **places.old), partial(Store.open, **places.old, now=NOW)):
        error = refusal(opened)
        assert (error.code, error.exit_code, done.new in error.message) == ("moved", InputError.exit_code, True)
    assert refusal(places.move).code == "moved"
    assert (works(places.old), works(places.new)) == (False, True)


def test_nothing_of_a_file_is_lost_by_its_move_to_a_server(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    places.move()
    with Store.open(**places.new, now=NOW, create=False) as store:
        assert not server_changed(store._db)
        monkeypatch.setattr(type(store._db), "server", lambda _database: "another")
        assert server_changed(store._db)


def test_what_was_on_another_server_is_read_again_after_its_move(places: Places) -> None:
    if not places.is_in_file:
        pytest.skip("a file is on no server")
    with Store.open(**places.old, now=NOW) as store, store._db.write() as connection:
        keep_fact(connection, "server", "the one before")
    places.move()
    with Store.open(**places.new, now=NOW, create=False) as store:
        assert server_changed(store._db)


def test_the_server_knows_the_tables_of_a_store_that_came(places: Places) -> None:
    if not places.is_in_file:
        pytest.skip("a file has no statistics")
    places.move()
    known = f"SELECT DISTINCT tablename FROM pg_stats WHERE schemaname = 'a_{places.account}'"  # noqa: S608 - our own
    assert {"source_sims", "changes"} <= {name for (name,) in sql(places.database, known)}


def test_who_opened_the_old_store_before_writes_nothing_in_it_after(places: Places) -> None:
    with Store.open(**places.old, now=NOW) as early, Store.look(**places.old) as looker:
        places.move()
        order = Order(OrderKind.PAUSE, "me", NOW)
        assert refusal(lambda: early.steering.give("p1", order)).code == "moved"
        assert refusal(lambda: early.lease.acquire(OTHER, NOW, is_gone=lambda _owner: True)).code == "moved"
        assert refusal(looker.must_be_current).code == "moved"


def test_a_store_that_a_run_holds_stays(places: Places) -> None:
    with Store.open(**places.old, now=NOW) as store:
        store.lease.acquire(Owner("oslo", 2, 4_000_000_000.0), 4_000_000_000.0, is_gone=lambda _owner: False)
        error = refusal(places.move)
        assert isinstance(error, StoreBusy)
        assert "process 2 on oslo" in error.message
    assert refusal(lambda: Store.look(**places.new)).code == "no_store"


def test_nothing_is_copied_over_what_is_there(places: Places) -> None:
    with Store.open(**places.new, now=NOW) as store:
        planned(store, [change(7)], plan_id="of before")
    assert refusal(places.move).code == "place_taken"
    with Store.open(**places.new, now=NOW) as store:
        assert [plan["plan_id"] for plan in store.plans.list()] == ["of before"]
    assert works(places.old)


def test_a_copy_that_fails_or_is_not_equal_leaves_nothing(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    real = moving._must_be_equal

    def after_a_loss(reading: Connection, writing: Connection) -> None:
        writing.exec_driver_sql("UPDATE source_sims SET label = 'another'")
        real(reading, writing)

    monkeypatch.setattr(moving, "_must_be_equal", after_a_loss)
    error = refusal(places.move)
    assert (error.code, "source_sims" in error.message) == ("copy_differs", True)
    assert refusal(lambda: Store.look(**places.new)).code == "no_store"
    assert works(places.old)
    monkeypatch.undo()
    places.move()
    assert works(places.new)


def test_what_was_written_to_the_old_store_meanwhile_is_not_left_behind(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = moving._must_have_all

    def after_a_write(source: Any, url: str, account: str | None) -> None:
        with source.write() as connection:
            note(connection, NOW, "test", None, {})
        real(source, url, account)

    monkeypatch.setattr(moving, "_must_have_all", after_a_write)
    assert refusal(places.move).code == "copy_differs"
    assert (works(places.old), works(places.new)) == (True, False)
    monkeypatch.undo()
    assert "given up" in refusal(places.move).message
    assert (works(places.old), works(places.new)) == (True, False)


@pytest.mark.parametrize("function", ["_must_be_equal", "_must_have_all", "_released"])
def test_a_move_that_is_killed_leaves_no_two_that_work_and_goes_on(
    places: Places, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    places.killed(monkeypatch, function)
    assert (works(places.old), works(places.new)) == (False, False)
    error = refusal(lambda: Store.look(**places.old))
    assert error.code == ("moved" if function == "_released" else "moving")
    done = places.move()
    assert (works(places.old), works(places.new)) == (False, True)
    with Store.open(**places.new, now=NOW) as store:
        assert list(store.audit.problems(head=done.head)) == []


def test_another_schema_is_refused(places: Places) -> None:
    with Store.open(**places.old, now=NOW) as store, store._db.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0016'")
    error = refusal(places.move)
    assert (error.code, isinstance(error, StoreError)) == ("schema_older", True)
    assert refusal(lambda: Store.look(**places.new)).code == "no_store"


def test_a_file_and_an_account_are_named(tmp_path: Path) -> None:
    file = f"sqlite:///{tmp_path / 'state.db'}"
    assert refusal(lambda: copy_state(file, file, None, NOW)).code == "state_url"
    assert list(tmp_path.iterdir()) == []
