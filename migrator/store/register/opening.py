"""Opening of the register, and its schema."""

from pathlib import Path

from sqlalchemy import text

from migrator.errors import InputError, OlderStore
from migrator.store.database.database import Database
from migrator.store.database.schema import migrations_folder, must_be_known, revision, revisions
from migrator.store.opening import is_postgresql

__all__ = ["SCHEMA", "bring_up_to_date", "must_be_current", "opened_register"]

SCHEMA = "fleet"

_FOUND = text("SELECT 1 FROM pg_tables WHERE schemaname = :name AND tablename = 'alembic_version'")


def opened_register(url: str, *, writable: bool) -> Database:
    """Open the schema of the register, empty or not.

    Raises: InputError, for a file, or without the driver; StoreLost.
    """
    if not is_postgresql(url):
        raise InputError(
            "accounts of a team are kept in PostgreSQL, and the state store is a SQLite file: a file is one account",
            code="fleet_in_file",
            hint="--state (MIGRATOR_STATE) names the database: postgresql://USER@HOST:5432/DATABASE",
        )
    from migrator.store.database.postgresql.address import address_of  # noqa: PLC0415 - the driver is an extra

    address = address_of(url)
    from migrator.store.database.postgresql.database import PostgresDatabase  # noqa: PLC0415 - the same

    return PostgresDatabase(address, SCHEMA, writable=writable, is_register=True)


def is_there(database: Database) -> bool:
    """True if the register was made."""
    return bool(database.rows(_FOUND, name=SCHEMA))


def must_be_current(database: Database) -> None:
    """Refuse a register of another schema.

    Raises: OtherSchema.
    """
    known = _known()
    with database.read() as connection:
        found = revision(connection)
    must_be_known(found, known, database.place)
    if found != known[-1]:
        raise OlderStore(
            f"{database.place} has schema {found or 'none'}, and this tool needs {known[-1]}",
            hint="run `migrator fleet init`: it brings the register up to date, and changes nothing else",
        )


def bring_up_to_date(database: Database, now: float) -> str | None:
    """Make the tables of the register, or bring them up to date.

    All in one transaction, which waits for others that do the same. `now` is in UTC seconds.

    Returns: the revision that was found; None if there was none.

    Raises: StoreError, if the register is newer than this tool.
    """
    known = _known()
    with database.creating() as connection:
        found = revision(connection)
        must_be_known(found, known, database.place)
        if found != known[-1]:
            from migrator.store.database.upgrade import upgrade_to_head  # noqa: PLC0415 - slow to import, rarely needed

            upgrade_to_head(connection, _folder(), now)
    return found


def _folder() -> Path:
    return migrations_folder() / "fleet"


def _known() -> list[str]:
    return revisions(_folder())
