"""Nothing that a command writes takes the place of a state store, of its companions, or of any other database."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest

from migrator.cli.app.root import root
from migrator.errors import InputError
from migrator.files import SQLITE, beside
from tests.cli.conftest import Desk

PLACE = "PLACE"
STORE = "migrator.db"
WRITERS: dict[tuple[str, str], tuple[str, ...]] = {
    ("inventory export", "file"): ("inventory", "export", PLACE),
    ("inventory import", "problems"): ("inventory", "import", "sims.csv", "--problems", PLACE),
    ("pair import", "problems"): ("pair", "import", "pairs.csv", "--problems", PLACE),
    ("pair import", "exceptions"): ("pair", "import", "pairs.csv", "--take-good", "--exceptions", PLACE),
    ("pair pool", "problems"): ("pair", "pool", "pool.txt", "--problems", PLACE),
    ("stock import", "problems"): ("stock", "import", "pool.txt", "--problems", PLACE),
    ("pair export", "file"): ("pair", "export", PLACE),
    ("pair discover", "out"): ("pair", "discover", "--out", PLACE),
    ("pair discover", "exceptions"): ("pair", "discover", "--exceptions", PLACE),
    ("plan create", "out"): ("plan", "create", "--policy", "policy.toml", "--out", PLACE),
    ("plan diff", "out"): ("plan", "diff", "plan.jsonl", "plan.jsonl", "--out", PLACE),
    ("plan export", "file"): ("plan", "export", PLACE),
    ("apply", "requests"): ("apply", "--dry-run", "--requests", PLACE),
    ("cutover apply", "requests"): ("cutover", "apply", "--dry-run", "--requests", PLACE),
    ("rollback apply", "requests"): ("rollback", "apply", "--dry-run", "--requests", PLACE),
    ("report", "out"): ("report", "--out", PLACE),
    ("report", "evidence"): ("report", "--evidence", PLACE),
    ("cutover plan", "out"): ("cutover", "plan", "--out", PLACE),
    ("cutover show", "out"): ("cutover", "show", "--out", PLACE),
    ("cutover export", "out"): ("cutover", "export", "--out", PLACE),
    ("rollback plan", "out"): ("rollback", "plan", "--out", PLACE),
    ("campaign report", "out"): ("campaign", "report", "--out", PLACE),
    ("campaign report", "evidence"): ("campaign", "report", "--evidence", PLACE),
    ("campaign exceptions", "out"): ("campaign", "exceptions", "--out", PLACE),
    ("retire list", "out"): ("retire", "list", "--out", PLACE),
    ("simulate serve", "pool_file"): ("simulate", "serve", "--sims", "20", "--pool-file", PLACE),
    ("simulate serve", "scans"): ("simulate", "serve", "--sims", "2", "--connect", "1", "--scans", PLACE),
    ("demo", "folder"): ("demo", "--dir", PLACE),
    ("state backup", "file"): ("state", "backup", PLACE),
    ("handover export", "out"): ("handover", "export", "--out", PLACE),
    ("handover export", "cursor"): ("handover", "export", "--out", "units.csv", "--cursor", PLACE),
    ("handover check", "out"): ("handover", "check", "--against", "pairs.csv", "--out", PLACE),
}
"""Every option and argument that names a place to write to, in a call of its command."""
READERS = {
    ("inventory import", "file"),
    ("pair import", "file"),
    ("pair pool", "file"),
    ("stock import", "file"),
    ("stock claim", "policy_file"),
    ("pair pool", "policy_file"),
    ("pair correct", "file"),
    ("pair discover", "units"),
    ("plan create", "policy_file"),
    ("swap", "policy_file"),
    ("campaign create", "policy_file"),
    ("campaign create", "folder"),
    ("campaign retry", "iccids"),
    ("rollback plan", "file"),
    ("retry", "iccids"),
    ("skip", "iccids"),
    ("audit verify", "file"),
    ("handover export", "since"),
    ("handover export", "template"),
    ("handover check", "against"),
    ("notify test", "policy_file"),
    ("serve", "token_file"),
}
NEEDS_A_SERVER = {("fleet report", "out")}
"""Those of commands that no store in a file has: tested with these."""
FOLDERS = {"report out", "campaign report out", "demo folder", "simulate serve scans"}
"""Those that name a folder; below one, files have names of their own."""


def paths(group: click.Group, before: str = "") -> Iterator[tuple[str, str]]:
    """Every option and argument that takes a path, with its command."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from paths(command, f"{before}{name} ")
            continue
        taken = (one for one in command.params if isinstance(one.type, click.Path) and one.name != "config")
        yield from ((before + name, str(one.name)) for one in taken)


def kept(desk: Desk) -> list[str]:
    """All that the store holds, but the number of the last holder of the lease."""
    with closing(sqlite3.connect(desk.folder / STORE)) as database:
        return [line for line in database.iterdump() if "lease_fence" not in line]


def ready(desk: Desk) -> list[str]:
    """A desk at which every command has what it needs. Returns: the store as it is, all of it in its one file."""
    desk.applied()
    for words in (
        ("plan", "export", "plan.jsonl"),
        ("pair", "export", "pairs.csv"),
        ("inventory", "export", "sims.csv"),
    ):
        assert desk.run(*words).code == 0
    assert desk.run("cutover", "plan", "--require", "verified", "--accept-silent-units").code == 0
    return kept(desk)


def called(words: tuple[str, ...], place: str) -> tuple[str, ...]:
    return tuple(place if word == PLACE else word for word in words)


def test_every_path_that_a_command_takes_is_known_here_as_read_or_written() -> None:
    assert set(paths(root)) == set(WRITERS) | READERS | NEEDS_A_SERVER


def test_no_command_writes_over_its_own_store(desk: Desk) -> None:
    before = ready(desk)
    for option, words in WRITERS.items():
        ended = desk.run(*called(words, STORE))
        assert ended.code == 2, option
        assert "migrator.db" in ended.err
        assert kept(desk) == before, option


@pytest.mark.parametrize("ending", ["-wal", "-shm", "-journal"])
def test_no_command_takes_a_name_that_sqlite_gives_to_files_beside_the_store(desk: Desk, ending: str) -> None:
    before = ready(desk)
    for option, words in WRITERS.items():
        if " ".join(option) in FOLDERS:
            continue
        ended = desk.run(*called(words, STORE + ending))
        assert ended.code == 2, option
        assert "belongs to the SQLite database migrator.db" in ended.err, option
        assert not (desk.folder / (STORE + ending)).exists(), option
    assert kept(desk) == before


def test_no_command_writes_over_any_database_whatever_it_is_called(desk: Desk) -> None:
    ready(desk)
    other = desk.folder / "plan.out"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE theirs (word)")
    database.close()
    (desk.folder / "link").symlink_to(other)
    before = other.read_bytes()
    for option, words in WRITERS.items():
        for name in ("plan.out", "link"):
            assert desk.run(*called(words, name)).code == 2, option
            assert other.read_bytes() == before, option


def test_a_report_below_a_folder_is_not_written_over_a_store_with_its_name(desk: Desk) -> None:
    ready(desk)
    (desk.folder / "r").mkdir()
    store = (desk.folder / STORE).rename(desk.folder / "r" / "reconciliation.csv")
    before = store.read_bytes()
    ended = desk.run("report", "--out", "r", "--state", "sqlite:///r/reconciliation.csv")
    assert ended.code == 2
    assert "r/reconciliation.csv is an SQLite database" in ended.err
    assert [path.name for path in store.parent.iterdir()] == [store.name]
    assert store.read_bytes() == before


def test_a_store_that_is_made_while_the_file_is_written_is_kept(tmp_path: Path) -> None:
    place = tmp_path / STORE

    def export() -> None:
        with beside(place) as out:
            out.write(b"an export")
            place.write_bytes(SQLITE)

    with pytest.raises(InputError, match="is an SQLite database"):
        export()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(STORE, SQLITE)]


def test_a_file_that_only_looks_like_a_companion_is_written(desk: Desk) -> None:
    ready(desk)
    assert [desk.run("pair", "export", name).code for name in ("pairs-wal", "./-shm", "pairs.db-journal")] == [0, 0, 0]
