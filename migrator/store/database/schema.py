"""Schema of the store: revisions and the upgrade between them.

The module reads the revision of a file, knows the revisions of this tool, and upgrades a file. The revisions are
Alembic files in `migrations/versions`, named after their number. The files lie beside the package in an installed wheel
and at the top of a checkout.
"""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, text

from migrator.errors import InputError, NewerStore, OlderStore
from migrator.store.database.database import Database
from migrator.store.database.sql import TABLE_NAMES
from migrator.store.tables import METADATA

__all__ = [
    "make_tables",
    "migrations_folder",
    "must_be_current",
    "must_be_known",
    "prepare",
    "revision",
    "revisions",
]

VERSION_TABLE = """
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
)
"""
"""As Alembic makes it."""


def migrations_folder() -> Path:
    """Return the folder of the revisions."""
    package = Path(__file__).parents[2]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def revisions(folder: Path) -> list[str]:
    """Return the revisions that this tool knows, oldest first.

    To ask Alembic would take as long as to open the store.
    """
    return sorted(file.name.partition("_")[0] for file in (folder / "versions").glob("[0-9]*_*.py"))


def revision(connection: Connection) -> str | None:
    """Return the revision of an open store; None for an empty one.

    Raises: InputError, if it is not a store.
    """
    tables = connection.execute(text(TABLE_NAMES[connection.dialect.name])).scalars().all()
    if "alembic_version" in tables:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    if tables:
        raise InputError(
            "this database holds the tables of another program",
            code="not_a_store",
            hint="point --state (MIGRATOR_STATE) to the right file, or to one that does not exist yet",
        )
    return None


def prepare(
    database: Database,
    *,
    now: float,
    upgrade: bool | None = None,
    folder: Path | None = None,
    upgraded: Callable[[Connection], None] | None = None,
) -> None:
    """Bring a store to the newest revision.

    If a file holds anything, a backup is made beside it first.

    Args:
        database: as it was opened.
        now: UTC seconds, for the backup's name.
        upgrade: False to refuse an older store instead; None where its database says so.
        folder: where the revisions lie; tests bring their own.
        upgraded: called within the transaction of an upgrade, at its end.

    Raises: StoreError, if the store is newer than this tool, or older and may not be upgraded; then nothing is written.
    """
    tables_are_enough = folder is None
    folder = folder or migrations_folder()
    known = revisions(folder)
    with database.read() as connection:
        found = revision(connection)
    must_be_known(found, known, f"the state store {database.place}")
    database.is_ours()
    if found == known[-1]:
        return
    if upgrade is False or (upgrade is None and found is not None and not database.is_upgraded_by_opening):
        raise _older(found, known, database.place)
    if found is None and tables_are_enough:
        _create(database, known[-1])
    else:
        _upgrade(database, folder, known, now, upgraded)


def _create(database: Database, newest: str) -> None:
    """Make the tables of a new store, under a lock.

    That is what all revisions in turn would make of an empty file; a test compares the two. Another process may have
    made the store during the wait for the lock.
    """
    with database.creating() as connection:
        if revision(connection) is not None:
            return
        make_tables(connection, newest)


def make_tables(connection: Connection, newest: str | None = None) -> None:
    """Make the tables of an empty store, in the caller's transaction.

    `newest` is the newest revision, if it is known.
    """
    METADATA.create_all(connection)
    connection.execute(text(VERSION_TABLE))
    newest = newest or revisions(migrations_folder())[-1]
    connection.execute(text("INSERT INTO alembic_version (version_num) VALUES (:newest)"), {"newest": newest})


def must_be_current(database: Database) -> None:
    """Refuse a store that is not of this tool's newest revision.

    Nothing is written.

    Raises: StoreError, if the store is older or newer; InputError, if it is no store.
    """
    known = revisions(migrations_folder())
    with database.read() as connection:
        found = revision(connection)
    must_be_known(found, known, f"the state store {database.place}")
    if found != known[-1]:
        raise _older(found, known, database.place)


def _upgrade(
    database: Database,
    folder: Path,
    known: list[str],
    now: float,
    upgraded: Callable[[Connection], None] | None,
) -> None:
    """Upgrade under the write lock.

    Another process may have upgraded the store during the wait for the lock.
    """
    from migrator.store.database.upgrade import upgrade_to_head  # noqa: PLC0415 - Alembic is slow to import and rarely needed

    with database.read() as connection:
        is_empty = revision(connection) is None
    with database.creating() if is_empty else database.altering() as connection:
        found = revision(connection)
        if found == known[-1]:
            return
        if found is not None:
            database.keep_before_upgrade(found, now)
        upgrade_to_head(connection, folder, now)
        if upgraded is not None:
            upgraded(connection)


def _older(found: str | None, known: list[str], place: str) -> OlderStore:
    return OlderStore(
        f"the state store {place} has schema {found or 'none'}, and this tool needs {known[-1]}",
        hint="run `migrator state upgrade`",
    )


def must_be_known(found: str | None, known: list[str], named: str) -> None:
    """Refuse a schema that this tool does not know.

    `named` is what has it, with its place.

    Raises: NewerStore.
    """
    if found is not None and found not in known:
        raise NewerStore(
            f"{named} has schema {found}, which is newer than this tool ({known[-1]})",
            hint="install the version of migrator that wrote it, or a later one",
        )
