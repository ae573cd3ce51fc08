"""The schema: the revisions build what the tables say, an upgrade keeps every row, and a newer store is refused."""

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import upgrade
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from migrator.core.fleet.sims import data_limit
from migrator.core.fleet.units import Bytes
from migrator.core.run.states import StepKind, StepState
from migrator.core.run.steps import RequestOutcome, Verdict, Verified
from migrator.errors import InputError, StoreBusy, StoreError
from migrator.store import Owner, Store
from migrator.store.database import schema
from migrator.store.database.schema import migrations_folder, prepare, revisions
from migrator.store.database.sqlite import SqliteDatabase, create_file
from migrator.store.database.upgrade import alembic_config
from migrator.store.tables import METADATA
from tests.builders import pair, sim, target
from tests.store.store_kit import NOW, SENT, change, key, open_store, planned, pulled, states, url_of

LIMITED = sim(2, data_limit=data_limit(Bytes(500_000), "daily"), tags=("north", "south"))
FOLDER = migrations_folder()
RELEASED = revisions(FOLDER)
NEWEST = RELEASED[-1]

NEXT = '''"""A revision of the future."""

import sqlalchemy as sa
from alembic import op

revision = "9001"
down_revision = "{down}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pairs", sa.Column("note", sa.Text()))
    {more}
'''


def future(folder: Path, more: str = "") -> Path:
    """The revisions of a later release: ours and one more."""
    copy = folder / "migrations"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "versions" / "9001_next.py").write_text(NEXT.format(down=NEWEST, more=more))
    return copy


def upgraded(file: Path, folder: Path, *, now: float = NOW) -> None:
    database = SqliteDatabase(file)
    try:
        prepare(database, now=now, folder=folder)
    finally:
        database.close()


def version(file: Path) -> str:
    with closing(sqlite3.connect(file)) as plain:
        return str(plain.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def backups(folder: Path) -> list[Path]:
    return sorted(folder.glob("state.db.backup-*"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened


def fill(store: Store) -> None:
    """Rows in every table."""
    pulled(store, [sim(1), LIMITED])
    store.pairs.add([pair(1)], replace=False, now=NOW)
    planned(store, [change(1)])
    run = store.journal.start_run("p1", "me", NOW)
    request_id = store.journal.begin(run, StepKind.CLAIM, [key(1)], SENT, wave="all", now=NOW)
    store.journal.answered(request_id, RequestOutcome.ACCEPTED, now=NOW)
    store.journal.observed([target(1)], [], now=NOW)
    store.journal.verified("p1", [Verified(key(1), Verdict.OK)], now=NOW)
    store.lease.acquire(Owner("rome", 1, NOW), NOW, is_gone=lambda _owner: False)


def must_be_filled(store: Store) -> None:
    assert list(store.inventory.sims()) == [sim(1), LIMITED]
    assert [one.target for one in store.pairs.all()] == [pair(1).target]
    assert states(store) == {key(1): StepState.IN_FLIGHT}
    assert store.journal.verdicts("p1") == {"ok": 1}
    assert next(store.journal.items("p1")).target == target(1)
    assert [record.outcome for record in store.journal.requests("p1")] == [RequestOutcome.ACCEPTED]


# --- the revisions and the tables ---------------------------------------------------------------------------------


@pytest.fixture
def revised(tmp_path: Path) -> Path:
    """A store that all revisions made in turn."""
    folder = tmp_path / "revised"
    folder.mkdir()
    create_file(folder / "state.db")
    upgraded(folder / "state.db", FOLDER)
    return folder / "state.db"


def test_the_revisions_build_what_the_tables_say(revised: Path) -> None:
    """What `alembic check` would say."""
    engine = create_engine(f"sqlite:///{revised}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


def test_a_new_store_is_what_the_revisions_would_have_made(store: Store, revised: Path, tmp_path: Path) -> None:
    """Alembic does not compare partial indexes, primary keys or WITHOUT ROWID."""
    assert layout(revised) == layout(tmp_path / "state.db")
    assert version(revised) == version(tmp_path / "state.db") == NEWEST
    assert store.lineage


def layout(file: Path) -> dict[str, object]:
    """Each table's columns, foreign keys and kind, and each index as it was written."""
    with closing(sqlite3.connect(file)) as plain:
        tables = {row[1]: row for row in plain.execute("PRAGMA table_list")}
        indexes = plain.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
        return {
            "kinds": {name: row[2:] for name, row in tables.items() if not name.startswith("sqlite_")},
            "columns": {name: plain.execute(f"PRAGMA table_info({name})").fetchall() for name in tables},
            "references": {
                name: sorted(row[2:] for row in plain.execute(f"PRAGMA foreign_key_list({name})")) for name in tables
            },
            "indexes": {name: " ".join(sql.split()) for name, sql in indexes},
        }


def test_the_revisions_are_found_as_alembic_finds_them() -> None:
    """Their names are read instead of asking Alembic, which takes as long as all the rest of a start."""
    script = ScriptDirectory.from_config(alembic_config(FOLDER))
    assert [one.revision for one in script.walk_revisions()] == RELEASED[::-1]
    assert script.get_current_head() == NEWEST


def test_an_installed_tool_finds_the_revisions_beside_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "migrator" / "migrations").mkdir(parents=True)
    monkeypatch.setattr(schema, "__file__", str(tmp_path / "migrator" / "store" / "database" / "schema.py"))
    assert migrations_folder() == tmp_path / "migrator" / "migrations"


def test_a_new_store_has_the_newest_schema_and_needs_no_backup(store: Store, tmp_path: Path) -> None:
    assert store.info()["schema"] == NEWEST
    assert backups(tmp_path) == []


# --- upgrades -----------------------------------------------------------------------------------------------------


def made_by(folder: Path, released: str) -> None:
    """An empty store of an older release."""
    create_file(folder / "state.db")
    engine = create_engine(url_of(folder))
    with engine.begin() as connection:
        config = alembic_config(FOLDER)
        config.attributes["connection"] = connection
        upgrade(config, released)
    engine.dispose()


@pytest.mark.parametrize("released", RELEASED)
def test_every_released_schema_is_upgraded(tmp_path: Path, released: str) -> None:
    made_by(tmp_path, released)
    with open_store(tmp_path) as store:
        assert store.info()["schema"] == NEWEST
        fill(store)
        must_be_filled(store)


def test_an_upgrade_keeps_every_row_and_a_backup_of_how_it_was(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        fill(store)
    upgraded(tmp_path / "state.db", future(tmp_path))
    assert version(tmp_path / "state.db") == "9001"
    (backup,) = backups(tmp_path)
    assert backup.name == f"state.db.backup-{NEWEST}-20251124T160000Z"
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    for file in (tmp_path / "state.db", backup):
        with closing(sqlite3.connect(file)) as plain:
            plain.execute("UPDATE alembic_version SET version_num = ?", (NEWEST,))
            plain.commit()
    with open_store(tmp_path) as store:
        must_be_filled(store)
    with Store.open(f"sqlite:///{backup}", now=NOW) as store:
        must_be_filled(store)


def test_pages_keep_their_order_of_saving_where_only_the_rows_of_sqlite_told_it(tmp_path: Path) -> None:
    made_by(tmp_path, "0015")
    with closing(sqlite3.connect(tmp_path / "state.db")) as plain:
        plain.execute("INSERT INTO snapshots VALUES (1, 'v2', 'open', 0, ?, NULL, NULL, NULL, NULL, NULL)", (NOW,))
        saved = [(1, 1, page, total, None, NOW) for page, total in ((3, 30), (1, 20), (2, 31))]
        plain.executemany("INSERT INTO snapshot_pages VALUES (?, ?, ?, ?, ?, ?)", saved)
        plain.commit()
    open_store(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "state.db")) as plain:
        assert plain.execute("SELECT page, saved_no FROM snapshot_pages").fetchall() == [(3, 1), (1, 2), (2, 3)]


def test_an_upgrade_that_fails_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        fill(store)
    folder = future(tmp_path, more='op.execute("INSERT INTO pairs SELECT * FROM nowhere")')
    with pytest.raises(StoreError):
        upgraded(tmp_path / "state.db", folder)
    with open_store(tmp_path) as store:
        assert store.info()["schema"] == NEWEST
        must_be_filled(store)


def test_an_upgrade_that_would_orphan_rows_is_refused(tmp_path: Path) -> None:
    """Foreign keys are off while a revision makes tables anew, so they are looked at before it counts."""
    with open_store(tmp_path) as store:
        fill(store)
    with pytest.raises(StoreError, match="would lose rows"):
        upgraded(tmp_path / "state.db", future(tmp_path, more='op.execute("DELETE FROM changes")'))
    with open_store(tmp_path) as store:
        must_be_filled(store)


def test_without_a_backup_there_is_no_upgrade(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        fill(store)
    (tmp_path / f"state.db.backup-{NEWEST}-20251124T160000Z").write_text("an earlier one")
    with pytest.raises(InputError, match="exists already"):
        upgraded(tmp_path / "state.db", future(tmp_path))
    assert version(tmp_path / "state.db") == NEWEST


KILLED = """
import resource, signal, sys
from pathlib import Path
from tests.schema.test_schema import upgraded
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
upgraded(Path(sys.argv[1]), Path(sys.argv[2]))
"""
"""An upgrade that the system kills as soon as it has written 64 KiB into one file."""


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits there")
def test_an_upgrade_killed_in_its_backup_leaves_nothing_with_a_backups_name(tmp_path: Path) -> None:
    """A damaged store asks for its newest backup, and that one must be whole."""
    with open_store(tmp_path) as store:
        fill(store)
    file, folder = tmp_path / "state.db", future(tmp_path)
    died = subprocess.run([sys.executable, "-c", KILLED, file, folder], check=False, capture_output=True)
    assert died.returncode == -signal.SIGXFSZ
    assert backups(tmp_path) == []
    upgraded(file, folder)
    (backup,) = backups(tmp_path)
    with closing(sqlite3.connect(backup)) as plain:
        assert plain.execute("SELECT count(*) FROM pairs").fetchone() == (1,)


def test_two_processes_that_upgrade_at_once_do_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one reads the revision before the first one commits, and again when it holds the lock."""
    open_store(tmp_path).close()
    file, folder = tmp_path / "state.db", future(tmp_path)
    slow = SqliteDatabase(file)
    pragma = slow.pragma

    def overtaken(setting: str) -> None:
        if setting == "foreign_keys = OFF":
            upgraded(file, folder)
        pragma(setting)

    monkeypatch.setattr(slow, "pragma", overtaken)
    prepare(slow, now=NOW + 1, folder=folder)
    slow.close()
    assert version(file) == "9001"
    assert len(backups(tmp_path)) == 1


def test_a_store_that_somebody_writes_to_is_not_upgraded_under_them(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    database = SqliteDatabase(tmp_path / "state.db", busy_timeout_s=0.01)
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            prepare(database, now=NOW, folder=future(tmp_path))
    database.close()
    assert backups(tmp_path) == []


# --- refusals -----------------------------------------------------------------------------------------------------


def test_a_newer_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        fill(store)
    upgraded(tmp_path / "state.db", future(tmp_path))
    before = (tmp_path / "state.db").read_bytes()
    with pytest.raises(StoreError) as caught:
        open_store(tmp_path)
    assert caught.value.code == "schema_newer"
    assert "9001" in caught.value.message
    assert NEWEST in caught.value.message
    assert (tmp_path / "state.db").read_bytes() == before


def test_an_older_store_can_be_refused_instead_of_upgraded(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    folder = future(tmp_path)
    database = SqliteDatabase(tmp_path / "state.db")
    with pytest.raises(StoreError) as caught:
        prepare(database, now=NOW, upgrade=False, folder=folder)
    database.close()
    assert caught.value.code == "schema_older"
    assert "state upgrade" in caught.value.hint
    assert version(tmp_path / "state.db") == NEWEST


@pytest.mark.skipif(os.name == "nt", reason="files of others are not told by mode there")
def test_the_rights_of_an_existing_store_are_left_to_its_owner(tmp_path: Path) -> None:
    """A team may share one on purpose."""
    open_store(tmp_path).close()
    (tmp_path / "state.db").chmod(0o660)
    open_store(tmp_path).close()
    assert stat.S_IMODE((tmp_path / "state.db").stat().st_mode) == 0o660
