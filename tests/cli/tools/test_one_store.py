"""One store, one file, one run: whatever the file is called, and also when nobody hears of the run any more."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from migrator.store.database import byte_lock
from tests.cli.conftest import Desk

PATIENCE_S = 60.0


# --- several names ------------------------------------------------------------------------------------------------


OPENING = (
    "inventory pull",
    "pair import pairs.csv",
    "plan approve",
    "apply",
    "apply --dry-run",
    "run pause",
    "run abort",
    "verify",
    "retry --code claim_refused",
    "skip --code claim_refused",
    "cutover plan",
    "rollback plan",
    "status",
    "state backup copy.db",
    "audit verify",
)


def test_no_command_takes_a_store_of_several_names(desk: Desk) -> None:
    desk.applied()
    assert desk.run("plan", "create", "--policy", "policy.toml").code == 0
    sent = len(desk.rehearsal.hologram.ledger.entries)
    other = desk.folder / "other.db"
    other.hardlink_to(desk.folder / "migrator.db")
    for name in ("other.db", "migrator.db"):
        for words in OPENING:
            ended = desk.run("--state", f"sqlite:///{name}", *words.split())
            told = ("has 2 names (hard links)" in ended.err, "-samefile" in ended.err)
            assert (ended.code, *told) == (2, True, True), (words, ended.err)
    assert len(desk.rehearsal.hologram.ledger.entries) == sent
    assert not list(desk.folder.glob("other.db-*"))  # not even opened
    other.unlink()
    assert desk.run("status").code == 0


def test_apply_goes_on_once_there_is_one_name(desk: Desk) -> None:
    plan = desk.planned()
    other = desk.folder / "other.db"
    other.hardlink_to(desk.folder / "migrator.db")
    assert desk.run("apply", "--confirm", str(plan["claims"])).code == 2
    other.unlink()
    assert desk.run("apply", "--confirm", str(plan["claims"])).code == 0


def test_a_store_behind_a_symlink_is_one_store(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = desk.planned()
    (desk.folder / "kept").mkdir()
    (desk.folder / "migrator.db").rename(desk.folder / "kept" / "migrator.db")
    (desk.folder / "link.db").symlink_to(desk.folder / "kept" / "migrator.db")
    monkeypatch.setenv("MIGRATOR_STATE", "sqlite:///link.db")
    assert desk.run("apply", "--confirm", str(plan["claims"])).code == 0


# --- a run that lives ---------------------------------------------------------------------------------------------


@contextmanager
def stopped_in_its_midst(desk: Desk, claims: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A real `apply`, stopped after its first claim; it is killed in the end."""
    command = [sys.executable, "-m", "migrator", "--quiet", "apply", "--confirm", str(claims)]
    with subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        try:
            until = time.monotonic() + PATIENCE_S
            while not desk.rehearsal.hologram.ledger.charges:
                assert time.monotonic() < until
                assert run.poll() is None
                time.sleep(0.02)
            stop_between_transactions(run)
            yield run
        finally:
            run.kill()


def stop_between_transactions(run: "subprocess.Popen[bytes]") -> None:
    """Stop a process when it does not hold SQLite's own lock on writing."""
    for _ in range(100):
        run.send_signal(signal.SIGSTOP)
        with closing(sqlite3.connect("migrator.db", timeout=0.2)) as store, suppress(sqlite3.OperationalError):
            store.execute("BEGIN IMMEDIATE")
            return
        run.send_signal(signal.SIGCONT)
        time.sleep(0.01)
    raise AssertionError("it writes all the time")


@pytest.mark.loopback
@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no such locks there")
def test_a_run_that_is_stopped_keeps_others_out_by_its_lock_alone(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease lets others replace it, as on a machine without /proc, or is in the `-wal` of another name."""
    desk = make_desk(sims=16)
    plan = desk.planned()
    monkeypatch.setenv("HOLOGRAM_MAX_RPS", "8")
    monkeypatch.setenv("MIGRATOR_CLAIM_BATCH", "5")
    with stopped_in_its_midst(desk, plan["claims"]) as first:
        for trace in ("UPDATE lease SET host = 'elsewhere', heartbeat_at = 0", "DELETE FROM lease"):
            written(trace)
            ended = desk.run("apply", "--confirm", str(plan["claims"]))
            assert (ended.code, "another run holds the" in ended.err) == (9, True), ended.err
        for words in ("status", "run pause", "run resume"):
            assert desk.run(*words.split()).code == 0
        first.kill()
        first.wait()
    monkeypatch.setenv("HOLOGRAM_MAX_RPS", "500")
    assert desk.run("apply").code == 0
    assert set(desk.rehearsal.hologram.ledger.charges.values()) == {1}


def written(statement: str) -> None:
    """Change the store as no command does."""
    with closing(sqlite3.connect("migrator.db")) as store:
        store.execute(statement)
        store.commit()


def test_where_there_are_no_locks_the_run_says_so_and_goes_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = desk.planned()
    monkeypatch.setattr(byte_lock, "fcntl", None)
    ended = desk.run("apply", "--confirm", str(plan["claims"]))
    assert (ended.code, "warning: the system has no lock on files here" in ended.err) == (0, True)


# --- a run whose store is gone ------------------------------------------------------------------------------------


@pytest.mark.loopback
@pytest.mark.slow
def test_a_run_whose_store_is_removed_ends_in_words_and_its_record_goes_on(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(sims=16)
    plan = desk.planned()
    monkeypatch.setenv("HOLOGRAM_MAX_RPS", "8")
    monkeypatch.setenv("MIGRATOR_CLAIM_BATCH", "5")
    command = [sys.executable, "-m", "migrator", "apply", "--confirm", str(plan["claims"])]
    with subprocess.Popen(command, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        until = time.monotonic() + PATIENCE_S
        while not desk.rehearsal.hologram.ledger.charges and time.monotonic() < until:
            time.sleep(0.02)
        for file in Path().glob("migrator.db*"):
            file.unlink()
        out, err = run.communicate(timeout=PATIENCE_S)
    charged = len(desk.rehearsal.hologram.ledger.charges)
    assert 0 < charged < plan["claims"]
    assert (run.returncode, "was removed or moved away" in err) == (1, True), err
    assert "claimed so far" in out
    (copy,) = Path().glob("migrator.db.rescued-*")
    assert f"mv {copy.absolute()} {Path('migrator.db').absolute()}" in err
    copy.rename("migrator.db")
    monkeypatch.setenv("HOLOGRAM_MAX_RPS", "500")
    assert desk.run("apply").code == 0
    assert sorted(desk.rehearsal.hologram.ledger.charges.values()) == [1] * plan["claims"]
