"""Schema of the queue.

What the queue holds is whose turn it is, and the register of accounts knows that better. So a queue of another release
is not upgraded but made anew.
"""

import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Any

from migrator.errors import InputError
from migrator.store.database.postgresql.address import Address, address_of
from migrator.store.database.postgresql.faults import database_trouble, without_driver

if TYPE_CHECKING:
    import psycopg

__all__ = ["SCHEMA", "SETTINGS", "make_queue", "must_be_made", "opened"]

SCHEMA = "queue"

SETTINGS = f"""
SET search_path TO {SCHEMA};
SET lock_timeout TO '5s';
SET statement_timeout TO '15s';
SET idle_in_transaction_session_timeout TO '15s';
SET tcp_keepalives_idle TO 5;
SET tcp_keepalives_interval TO 2;
SET tcp_keepalives_count TO 3;
SET client_min_messages TO warning
"""
"""Settings of a session.

No call waits for long, whatever became of the other side.
"""

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('migrator queue', 0))"
_MARK = f"SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = '{SCHEMA}'"  # noqa: S608 - our own
_NAMES = """
CREATE TABLE worker_names (
    worker_id bigint PRIMARY KEY REFERENCES procrastinate_workers(id) ON DELETE CASCADE,
    name text NOT NULL
)
"""
"""Names of workers, which the engine knows by numbers alone."""


def make_queue(url: str) -> bool:
    """Make the queue, or make it anew where another release made it.

    Returns: whether it was made.

    Raises: InputError, StoreLost, StoreError.
    """
    address, mark = address_of(url), _mark()
    session = opened(address)
    try:
        with session.transaction():
            session.execute(_LOCK)
            if _made_by(session) == mark:
                return False
            session.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE".encode())
            session.execute(f"CREATE SCHEMA {SCHEMA}".encode())
            session.execute(_tables().encode())
            session.execute(_NAMES.encode())
            session.execute(f"COMMENT ON SCHEMA {SCHEMA} IS '{mark}'".encode())
            return True
    except _driver_error() as error:
        raise database_trouble(error, f"the queue in {address.shown}") from None
    finally:
        session.close()


def must_be_made(session: "psycopg.Connection[Any]", shown: str) -> None:
    """Refuse a database without the queue of this release.

    Raises: InputError.
    """
    found = _made_by(session)
    if found != _mark():
        what = "there is no queue" if found is None else "the queue is of another release of Procrastinate"
        raise InputError(f"{what} in {shown}", code="no_queue", hint="`migrator fleet init` makes it")


def opened(address: Address) -> "psycopg.Connection[Any]":
    """Open a session on the queue.

    Raises: InputError, StoreLost.
    """
    from migrator.store.database.postgresql.database import connected  # noqa: PLC0415 - the driver is an extra

    session = connected(address, application_name="migrator queue")
    try:
        session.execute(SETTINGS)
    except _driver_error() as error:
        session.close()
        raise database_trouble(error, f"the queue in {address.shown}") from None
    return session


def _driver_error() -> type[Exception]:
    from psycopg import Error  # noqa: PLC0415 - the driver is an extra

    return Error


def _made_by(session: "psycopg.Connection[Any]") -> str | None:
    """Return the mark of the queue.

    None if there is no queue, "" if it has no mark.
    """
    found = session.execute(_MARK.encode()).fetchone()
    return None if found is None else found[0] or ""


def _tables() -> str:
    try:
        place = resources.files("procrastinate")
    except ImportError:
        raise without_driver() from None
    return (place / "sql" / "schema.sql").read_text(encoding="utf-8")


def _mark() -> str:
    """Return a text that only a queue with the same tables has."""
    return f"Procrastinate, tables {hashlib.sha256(f'{_tables()}{_NAMES}'.encode()).hexdigest()[:16]}"
