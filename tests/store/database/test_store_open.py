"""Opening a store: who may read it, what is refused, and in which words."""

import errno
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from migrator.errors import InputError, MigratorError, StoreBusy, StoreError
from migrator.store import Owner, Store
from migrator.store.database.sqlite import SqliteDatabase
from tests.builders import pair, sim
from tests.store.store_kit import NOW, open_store, pulled, sqlite_of, url_of

pytestmark = pytest.mark.files

PRIVATE = 0o600


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def wide_umask() -> Iterator[None]:
    """A process that would let everybody read what it makes."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("wide_umask")
def test_only_the_owner_may_read_the_store_and_its_log(tmp_path: Path) -> None:
    """It holds phone numbers and IP addresses of units in the field."""
    with open_store(tmp_path) as store:
        pulled(store, [sim(1)])
        made = {file.name: mode(file) for file in tmp_path.iterdir()}
        assert made == {"state.db": PRIVATE, "state.db-wal": PRIVATE, "state.db-shm": PRIVATE}


def test_a_closed_store_is_one_file(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, [sim(1)])
    assert [file.name for file in tmp_path.iterdir()] == ["state.db"]


def test_the_lineage_is_born_with_the_store_and_stays(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        lineage = store.lineage
    with open_store(tmp_path) as store:
        assert store.lineage == lineage
    assert len(lineage) == 12
    other = tmp_path / "other"
    other.mkdir()
    with open_store(other) as store:
        assert store.lineage != lineage


@pytest.mark.parametrize(
    "url",
    [
        "migrator.db",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://host/migrator.db",
        "sqlite:///migrator.db?mode=ro",
        "mysql://user:hunter2@db/migrator",
        "sqlite+aiosqlite:///migrator.db",
    ],
)
def test_an_address_that_names_no_sqlite_file_is_refused_without_showing_it(url: str) -> None:
    """It may hold a password."""
    with pytest.raises(InputError) as caught:
        Store.open(url, now=NOW)
    assert caught.value.code == "state_url"
    assert "hunter2" not in caught.value.message
    assert "sqlite:///migrator.db" in caught.value.hint


def test_a_missing_folder_is_told_with_the_way_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_store(tmp_path / "nowhere")
    assert caught.value.code == "no_such_folder"
    assert str(tmp_path / "nowhere") in caught.value.message
    assert f"mkdir -p {tmp_path / 'nowhere'}" in caught.value.hint


def test_a_folder_is_not_a_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        Store.open(f"sqlite:///{tmp_path}", now=NOW)


@pytest.mark.parametrize("create", [True, False])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, *, create: bool) -> None:
    (tmp_path / "state.db").write_text("source_iccid,target_iccid\n" * 100)
    before = contents(tmp_path)
    with pytest.raises(InputError) as caught:
        open_store(tmp_path, create=create)
    assert caught.value.code == "not_a_store"
    assert str(tmp_path / "state.db") in caught.value.message
    assert contents(tmp_path) == before


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Not even its journal mode changes, which SQLite would keep for ever."""
    with closing(sqlite3.connect(tmp_path / "state.db")) as other:
        other.execute("CREATE TABLE invoices (amount)")
    before = contents(tmp_path)
    with pytest.raises(InputError, match="another program") as caught:
        open_store(tmp_path)
    assert caught.value.code == "not_a_store"
    assert contents(tmp_path) == before


def test_a_store_that_must_exist_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no state store") as caught:
        open_store(tmp_path, create=False)
    assert caught.value.exit_code == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.EACCES, "store_not_writable"), (errno.EROFS, "store_not_writable"), (errno.ENOSPC, "store_full")],
)
def test_a_folder_that_cannot_be_written_is_told_with_path_and_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    """Played, since a test that runs as root may write anywhere."""

    def refuse(*_args: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StoreError) as caught:
        open_store(tmp_path)
    assert caught.value.code == code
    assert str(tmp_path / "state.db") in caught.value.message
    assert caught.value.hint


def test_a_full_disk_stops_with_words_and_keeps_nothing_of_the_step(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, [sim(1)])
        pages = store._db.rows(text("PRAGMA page_count"))[0][0]
        sqlite_of(store).pragma(f"max_page_count = {pages + 2}")  # what SQLite meets on a full disk
        with pytest.raises(StoreError) as caught:
            pulled(store, map(sim, range(2, 500)))
        assert caught.value.code == "store_full"
        assert str(tmp_path / "state.db") in caught.value.message
        sqlite_of(store).pragma("max_page_count = 100000")
        assert [one.iccid for one in store.inventory.sims()] == [sim(1).iccid]


def test_a_store_that_another_process_writes_to_is_busy_and_works_again_after(tmp_path: Path) -> None:
    with open_store(tmp_path, busy_timeout_s=0.01) as store:
        with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreBusy) as caught:
                store.pairs.add([pair(1)], replace=False, now=NOW)
        assert caught.value.exit_code == 9
        assert str(tmp_path / "state.db") in caught.value.message
        assert store.pairs.add([pair(1)], replace=False, now=NOW)["added"] == 1


def test_a_writer_holds_the_lock_from_its_first_statement_on(tmp_path: Path) -> None:
    """Or what it reads first may have changed by the time it writes."""
    with (
        open_store(tmp_path) as mine,
        open_store(tmp_path, busy_timeout_s=0.01) as theirs,
        mine._db.write(),
        pytest.raises(StoreBusy),
    ):
        theirs.pairs.add([pair(1)], replace=False, now=NOW)


def test_a_store_that_is_opened_again_still_refuses_rows_without_their_parent(tmp_path: Path) -> None:
    """SQLite forgets foreign keys with the connection."""
    open_store(tmp_path).close()
    with open_store(tmp_path) as store, pytest.raises(StoreError, match="FOREIGNKEY"), store._db.write() as connection:
        connection.exec_driver_sql("INSERT INTO left_out VALUES (7, '1')")


def test_a_file_that_vanishes_is_not_made_anew_for_everybody_to_read(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        SqliteDatabase(tmp_path / "state.db")
    assert not list(tmp_path.iterdir())


def test_reading_goes_on_while_another_process_writes(tmp_path: Path) -> None:
    with open_store(tmp_path, busy_timeout_s=0.01) as store:
        store.pairs.add([pair(1)], replace=False, now=NOW)
        with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("DELETE FROM pairs")
            assert store.pairs.count() == 1


def test_a_damaged_store_is_told_as_such(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, map(sim, range(200)))
    file = tmp_path / "state.db"
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    with pytest.raises(MigratorError) as caught, open_store(tmp_path) as store:
        list(store.inventory.sims())
    assert caught.value.code == "store_damaged"
    assert "backup" in caught.value.hint


def test_errors_hold_no_statement_and_no_values(tmp_path: Path) -> None:
    """SQLAlchemy's own words are the SQL and its parameters, phone numbers among them."""
    number = 2**70
    with open_store(tmp_path) as store, pytest.raises(StoreError) as caught:
        store.lease.acquire(Owner("host", number, 1.0), NOW, is_gone=lambda _owner: False)
    assert "INSERT" not in str(caught.value)
    assert str(number) not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_name_that_is_not_unicode_is_told_and_not_a_traceback(tmp_path: Path) -> None:
    """What a shell hands over may be any bytes."""
    with open_store(tmp_path) as store, pytest.raises(StoreError) as caught:
        store.plans.header("p\udcff")
    assert caught.value.code == "not_storable"


def test_a_scratch_copy_holds_the_same_and_leaves_the_original_alone(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, [sim(1), sim(2)])
        before = contents(tmp_path)
        with store.scratch_copy() as scratch:
            assert scratch.lineage == store.lineage
            assert list(scratch.inventory.sims()) == [sim(1), sim(2)]
            pulled(scratch, [sim(3)])
            scratch.pairs.add([pair(3)], replace=False, now=NOW)
        assert contents(tmp_path) == before
        assert list(store.inventory.sims()) == [sim(1), sim(2)]


@pytest.mark.usefixtures("wide_umask")
def test_a_scratch_copy_is_private_and_gone_when_closed(tmp_path: Path) -> None:
    with open_store(tmp_path) as store, store.scratch_copy() as scratch:
        copy = sqlite_of(scratch).path
        assert mode(copy) == PRIVATE
        assert mode(copy.parent) == 0o700
    assert not copy.parent.exists()


def test_a_scratch_copy_is_held_by_nobody(tmp_path: Path) -> None:
    """A dry run must work beside a run."""
    with open_store(tmp_path) as store:
        store.lease.acquire(Owner("host", 1, 1.0), NOW, is_gone=lambda _owner: False)
        with store.scratch_copy() as scratch:
            assert scratch.lease.holder() is None
        assert store.lease.holder() is not None


def test_info_says_where_the_store_is_and_what_is_in_it(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, [sim(1)])
        store.pairs.add([pair(1)], replace=False, now=NOW)
        info = store.info()
    assert info["path"] == str(tmp_path / "state.db")
    assert info["bytes"] > 0
    assert info["lineage"] == store.lineage
    assert info["created_at"] == NOW
    assert info["schema"] == info["schema_of_this_tool"]
    assert info["counts"] == {"snapshots": 1, "pairs": 1, "plans": 0, "requests": 0, "cutover_plans": 0}
    assert info["held_by"] is None


@pytest.mark.usefixtures("wide_umask")
def test_a_backup_is_a_private_store_of_its_own_and_never_overwrites(tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    with open_store(tmp_path) as store:
        pulled(store, [sim(1)])
        store.backup(copies / "state.db")
        with pytest.raises(InputError, match="exists already"):
            store.backup(copies / "state.db")
    assert mode(copies / "state.db") == PRIVATE
    with open_store(copies) as copy:
        assert list(copy.inventory.sims()) == [sim(1)]


def test_a_backup_is_taken_while_another_process_writes_and_holds_what_was_committed(tmp_path: Path) -> None:
    with open_store(tmp_path) as store, closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        pulled(store, [sim(1)])
        store.lease.acquire(Owner("host", 1, 1.0), NOW, is_gone=lambda _owner: False)
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM source_sims")
        store.backup(tmp_path / "copy.db")
        other.execute("ROLLBACK")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "state.db"]
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "copy.db").rename(tmp_path / "elsewhere" / "state.db")
    with open_store(tmp_path / "elsewhere") as copy:
        assert list(copy.inventory.sims()) == [sim(1)]
        assert copy.lease.holder() is None
        assert list(copy.audit.problems()) == []


def test_a_backup_that_came_out_damaged_gets_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(self: SqliteDatabase, target: Path) -> None:
        backup_to(self, target)
        with target.open("r+b") as file:  # what a bad disk does to the middle of a file
            file.seek(target.stat().st_size // 2)
            file.write(bytes(range(256)) * 64)

    backup_to = SqliteDatabase.backup_to
    with open_store(tmp_path) as store:
        pulled(store, [sim(number) for number in range(1, 300)])
        monkeypatch.setattr(SqliteDatabase, "backup_to", damaged)
        with pytest.raises(StoreError):
            store.backup(tmp_path / "copy.db")
    assert [path.name for path in tmp_path.iterdir()] == ["state.db"]


def test_what_a_killed_backup_left_is_in_nobodys_way(tmp_path: Path) -> None:
    """In a container each process has the same number, and so had the one that was killed."""
    with open_store(tmp_path) as store:
        pulled(store, [sim(1)])
        (tmp_path / f".copy.db.{os.getpid()}.part").write_bytes(b"")
        store.backup(tmp_path / "copy.db")
    assert (tmp_path / "copy.db").stat().st_size > 0


def test_a_backup_with_a_name_as_long_as_a_name_may_be_is_taken(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.backup(tmp_path / ("x" * 250))
    assert (tmp_path / ("x" * 250)).stat().st_size > 0


def test_a_backup_without_a_folder_for_it_is_refused(tmp_path: Path) -> None:
    with open_store(tmp_path) as store, pytest.raises(InputError):
        store.backup(tmp_path / "no" / "copy.db")


def test_a_file_that_came_while_a_backup_was_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(self: SqliteDatabase, target: Path) -> None:
        backup_to(self, target)
        (tmp_path / "copy.db").write_text("mine", encoding="utf-8")

    backup_to = SqliteDatabase.backup_to
    with open_store(tmp_path) as store:
        monkeypatch.setattr(SqliteDatabase, "backup_to", slow)
        with pytest.raises(InputError, match="exists already"):
            store.backup(tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text(encoding="utf-8") == "mine"


def test_closing_twice_is_no_trouble(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.close()
    store.close()
    assert url_of(tmp_path).endswith("state.db")
