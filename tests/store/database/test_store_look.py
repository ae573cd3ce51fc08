"""A store that is only looked at: nothing is made, upgraded or written, beside a writer or alone."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from migrator.core.run.control import Order, OrderKind
from migrator.errors import InputError, MigratorError, StoreError
from migrator.store import Owner, Store
from migrator.store.database.faults import store_trouble
from tests.builders import pair, sim
from tests.store.store_kit import NOW, change, open_store, planned, pulled, sqlite_of, url_of

pytestmark = pytest.mark.files

WRITES: tuple[Callable[[Store], object], ...] = (
    lambda store: store.pairs.add([pair(2)], replace=False, now=NOW),
    lambda store: store.inventory.open_snapshot("v2", NOW),
    lambda store: store.lease.acquire(Owner("here", 1, NOW), NOW, is_gone=lambda _one: True),
    lambda store: store.steering.give("p1", Order(OrderKind.ABORT, "somebody", NOW)),
    lambda store: store.journal.start_run("p1", "somebody", NOW),
)


@pytest.mark.parametrize("write", WRITES)
def test_nothing_can_be_written_through_a_look(tmp_path: Path, write: Callable[[Store], object]) -> None:
    with open_store(tmp_path) as store:
        planned(store, [change(1)])
    before = (tmp_path / "state.db").read_bytes()
    with Store.look(url_of(tmp_path)) as looked, pytest.raises(StoreError):
        write(looked)
    assert (tmp_path / "state.db").read_bytes() == before


def test_each_of_the_two_bars_holds_alone(tmp_path: Path) -> None:
    """The file is opened for reading, and the connection refuses to write."""
    with open_store(tmp_path) as store:
        pulled(store, [sim(1)])
    with Store.look(url_of(tmp_path)) as looked:
        assert looked._db._driver_connection().execute("PRAGMA query_only").fetchone() == (1,)
        sqlite_of(looked).pragma("query_only = OFF")
        with pytest.raises(StoreError), looked._db.write() as connection:
            connection.execute(text("DELETE FROM meta"))


def test_a_look_sees_what_is_committed_meanwhile_and_is_told_of_it(tmp_path: Path) -> None:
    with open_store(tmp_path) as store, Store.look(url_of(tmp_path)) as looked:
        before = looked.version()
        assert looked.inventory.summary()["count"] == 0
        pulled(store, [sim(1)])
        assert looked.inventory.summary()["count"] == 1
        assert looked.version() != before
        seen = looked.version()
        looked.inventory.summary()
        assert looked.version() == seen


def test_a_look_is_in_nobodys_way(tmp_path: Path) -> None:
    """What was committed gets into the main file, although a reader has the store open."""
    with open_store(tmp_path) as store, Store.look(url_of(tmp_path)) as looked:
        looked.inventory.summary()
        pulled(store, [sim(1)])
        assert store.journal.into_main_file()
        store.lease.acquire(Owner("here", 1, NOW), NOW, is_gone=lambda _one: False)


def test_no_store_is_made_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no state store") as told:
        Store.look(url_of(tmp_path))
    assert told.value.code == "no_store"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("version", "code"), [("0001", "schema_older"), ("9999", "schema_newer")])
def test_a_store_of_another_schema_is_told_and_left_as_it_is(tmp_path: Path, version: str, code: str) -> None:
    with open_store(tmp_path) as store, store._db.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": version})
    with pytest.raises(StoreError) as told:
        Store.look(url_of(tmp_path))
    assert told.value.code == code
    assert [file.name for file in tmp_path.iterdir() if "backup" in file.name] == []


def test_a_file_that_is_no_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(MigratorError) as told:
        Store.look(url_of(tmp_path))
    assert told.value.code == "not_a_store"


def test_a_look_without_the_rights_is_told_what_a_reader_needs() -> None:
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorname = "SQLITE_CANTOPEN"
    told = store_trouble(error, Path("state.db"), is_read_only=True)
    assert told.code == "store_not_readable"
    assert "-shm" in told.hint
    assert store_trouble(error, Path("state.db")).code == "store_not_writable"
