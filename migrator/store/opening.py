"""Opening of a database by its address."""

from pathlib import Path

from migrator.errors import InputError, NoStore
from migrator.store.database.database import Database
from migrator.store.database.one_file import must_have_one_name
from migrator.store.database.sqlite import SqliteDatabase, create_file, path_of

__all__ = ["is_postgresql", "opened"]


def is_postgresql(url: str) -> bool:
    """True for an address of PostgreSQL."""
    return url.startswith(("postgresql://", "postgres://"))


def opened(url: str, account: str | None, *, create: bool, busy_timeout_s: float, writable: bool = True) -> Database:
    """Open the database of an account, made where there is none.

    Args:
        url: its address.
        account: its name in PostgreSQL.
        create: False to refuse a store that does not exist.
        busy_timeout_s: how long to wait for another writer.
        writable: False to read alone.

    Raises: InputError, StoreError.
    """
    if is_postgresql(url):
        return _account(url, account, create=create, busy_timeout_s=busy_timeout_s, writable=writable)
    path = path_of(url)
    if account is not None:
        raise InputError(
            f"account {account} was chosen, and a SQLite file is one account",
            code="account_in_file",
            hint="leave --account (MIGRATOR_ACCOUNT) out, and give each account a file of its own with --state",
        )
    if not create:
        _must_exist(path)
    if writable:
        create_file(path)
    must_have_one_name(path)
    return SqliteDatabase(path, busy_timeout_s=busy_timeout_s, writable=writable)


def _account(url: str, account: str | None, *, create: bool, busy_timeout_s: float, writable: bool) -> Database:
    if account is None:
        raise InputError(
            "a database holds the stores of many accounts, and none was named",
            code="account_needed",
            hint="name it: --account NAME (MIGRATOR_ACCOUNT)",
        )
    from migrator.store.database.postgresql.address import address_of  # noqa: PLC0415 - a file needs none of it

    address = address_of(url)
    from migrator.store.database.postgresql.database import PostgresDatabase  # noqa: PLC0415 - the same

    database = PostgresDatabase(address, account, busy_timeout_s=busy_timeout_s, writable=writable)
    if not create and not database.is_there():
        database.close()
        raise NoStore(
            f"there is no account {account} in {address.shown}",
            hint=f"`migrator --account {account} inventory pull` makes one; --state (MIGRATOR_STATE) points to another "
            "database",
        )
    return database


def _must_exist(path: Path) -> None:
    if not path.exists():
        raise NoStore(
            f"there is no state store at {path}",
            hint="`migrator inventory pull` makes one; --state (MIGRATOR_STATE) points to another place",
        )
