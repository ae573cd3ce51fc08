"""The lock on a store's file: of the file and not of its name, no hindrance to SQLite, and gone with its process."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from migrator.errors import InputError, StoreError
from migrator.store import Store
from migrator.store.database import byte_lock
from migrator.store.database.byte_lock import Locked
from tests.store.store_kit import NOW, file_of, open_store

pytestmark = [pytest.mark.files, pytest.mark.skipif(sys.platform == "win32", reason="no such locks there")]

ASK = (
    "import os, sys; from migrator.store.database.byte_lock import locked\n"
    "print(locked(os.open(sys.argv[1], os.O_RDWR)).value)"
)
TAKE = (
    "import os, sys; from migrator.store.database.byte_lock import locked\n"
    "print(locked(os.open(sys.argv[1], os.O_RDWR)).value, flush=True); sys.stdin.read()"
)
LOOK = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM meta').fetchall(); c.close()"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened


def elsewhere(code: str, path: Path) -> str:
    """What another process says that runs this code on a file."""
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout.strip()


@contextmanager
def holder(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that has the lock until it dies."""
    with subprocess.Popen(
        [sys.executable, "-c", TAKE, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == Locked.OURS
        yield process
        process.kill()


# --- who has it ---------------------------------------------------------------------------------------------------


def test_another_process_does_not_get_the_lock_until_it_is_given_back(store: Store) -> None:
    assert file_of(store).lock() is Locked.OURS
    assert elsewhere(ASK, file_of(store).path) == Locked.ELSEWHERE
    file_of(store).unlock()
    assert elsewhere(ASK, file_of(store).path) == Locked.OURS
    assert file_of(store).lock() is Locked.OURS


def test_the_lock_is_of_the_file_by_any_name(store: Store, tmp_path: Path) -> None:
    (tmp_path / "desk").mkdir()
    name = tmp_path / "desk" / "other.db"
    name.hardlink_to(file_of(store).path)
    with holder(name):
        assert file_of(store).lock() is Locked.ELSEWHERE


def test_the_lock_is_of_the_file_by_a_bind_mount(store: Store, tmp_path: Path) -> None:
    with mounted(file_of(store).path, tmp_path / "other.db") as name, holder(name):
        assert file_of(store).lock() is Locked.ELSEWHERE


def test_the_lock_ends_with_its_process_however_it_dies(store: Store) -> None:
    with holder(file_of(store).path) as process:
        assert file_of(store).lock() is Locked.ELSEWHERE
        process.kill()
        process.wait()
        assert file_of(store).lock() is Locked.OURS


def test_two_runs_in_one_process_are_kept_apart_too(store: Store, tmp_path: Path) -> None:
    with open_store(tmp_path) as other:
        assert file_of(other).lock() is Locked.OURS
        assert file_of(store).lock() is Locked.ELSEWHERE


def test_where_only_the_process_can_hold_a_lock_another_one_does_not_get_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older system, or a sandbox."""
    monkeypatch.setattr(byte_lock, "OFD_SETLK", None)
    assert file_of(store).lock() is Locked.OURS
    store.backup(file_of(store).path.with_name("copy.db"))
    assert elsewhere(ASK, file_of(store).path) == Locked.ELSEWHERE
    file_of(store).unlock()
    assert elsewhere(ASK, file_of(store).path) == Locked.OURS


def test_where_there_are_no_locks_nobody_is_said_to_have_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_lock, "fcntl", None)
    assert file_of(store).lock() is Locked.UNKNOWN
    file_of(store).unlock()


# --- SQLite's own locks -------------------------------------------------------------------------------------------


def test_others_read_write_and_back_up_beside_the_lock(store: Store, tmp_path: Path) -> None:
    with holder(file_of(store).path), open_store(tmp_path) as other:
        other.backup(tmp_path / "copy.db")
        with closing(sqlite3.connect(file_of(store).path, timeout=0.0)) as writer:
            writer.execute("INSERT INTO meta VALUES ('written', 'beside')")
            writer.commit()
    assert (tmp_path / "copy.db").is_file()


def test_giving_the_lock_back_leaves_sqlite_its_own(store: Store) -> None:
    """Else the next process to close the store takes itself for the last, and removes the `-wal` under our feet."""
    file_of(store).lock()
    file_of(store).unlock()
    elsewhere(LOOK, file_of(store).path)
    assert file_of(store).what_became() == ""


def test_a_store_that_is_closed_takes_no_lock_from_another_of_this_process(store: Store, tmp_path: Path) -> None:
    with open_store(tmp_path) as other:
        file_of(other).lock()
    file_of(store).lock()
    elsewhere(LOOK, file_of(store).path)
    assert file_of(store).what_became() == ""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux lists what a process has open")
def test_nothing_stays_open_once_every_store_of_the_file_is_closed(tmp_path: Path) -> None:
    with open_store(tmp_path) as first:
        path = file_of(first).path
        with open_store(tmp_path) as second:
            file_of(second).lock()
    assert path not in set(open_files())


def open_files() -> Iterator[Path]:
    """What this process has open."""
    for handle in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the listing's own is closed by now
            yield handle.readlink()


# --- names --------------------------------------------------------------------------------------------------------


def test_a_file_of_several_names_is_refused_until_it_has_one(store: Store, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    other.hardlink_to(file_of(store).path)
    with pytest.raises(InputError, match="2 names") as refused:
        file_of(store).must_have_one_name()
    assert str(file_of(store).path) in refused.value.hint
    other.unlink()
    file_of(store).must_have_one_name()


def test_a_store_of_several_names_is_not_opened_by_any_of_them(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    other = tmp_path / "other.db"
    other.hardlink_to(tmp_path / "state.db")
    for name in (other, tmp_path / "state.db"):
        with pytest.raises(InputError, match="2 names"):
            Store.open(f"sqlite:///{name}", now=NOW)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["other.db", "state.db"]
    other.unlink()
    open_store(tmp_path).close()


def test_a_name_that_is_made_while_the_store_is_open_is_seen(store: Store, tmp_path: Path) -> None:
    store.presence.must_be()
    (tmp_path / "other.db").hardlink_to(file_of(store).path)
    with pytest.raises(StoreError, match="was given a second name"):
        store.presence.must_be()
    (rescued,) = tmp_path.glob("state.db.rescued-*")
    assert rescued.stat().st_nlink == 1


def test_a_symlink_is_no_second_name(store: Store, tmp_path: Path) -> None:
    name = tmp_path / "link.db"
    name.symlink_to(file_of(store).path)
    with Store.open(f"sqlite:///{name}", now=NOW) as same:
        file_of(same).must_have_one_name()
        assert file_of(same).lock() is Locked.OURS
        assert file_of(same).what_became() == ""
        name.unlink()
        assert file_of(same).what_became() == "was removed or moved away"


def test_a_file_that_is_mounted_alone_is_refused(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        path = file_of(store).path
    with (
        mounted(path, tmp_path / "a mounted name.db") as name,
        pytest.raises(InputError, match="mounted as a single file"),
    ):
        Store.open(f"sqlite:///{name}", now=NOW)


def test_a_store_in_a_mounted_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "desk").mkdir()
    with mounted(tmp_path / "desk", tmp_path / "folder") as folder, open_store(folder) as store:
        file_of(store).must_have_one_name()


@contextmanager
def mounted(what: Path, name: Path) -> Iterator[Path]:
    """Another name by a bind mount, where this process may make one."""
    if what.is_dir():
        name.mkdir()
    else:
        name.touch()
    mount = shutil.which("mount")
    if sys.platform != "linux" or mount is None:
        pytest.skip("no bind mounts here")
    if subprocess.run([mount, "--bind", str(what), str(name)], capture_output=True, check=False).returncode:
        pytest.skip("this process may not mount")
    try:
        yield name
    finally:
        subprocess.run(["umount", "--lazy", str(name)], check=True)
