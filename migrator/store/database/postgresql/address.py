"""Addresses of accounts in PostgreSQL."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from migrator.errors import InputError
from migrator.store.database.postgresql.faults import without_driver

__all__ = ["Address", "address_of", "schema_of"]

ACCOUNT = re.compile(r"[a-z][a-z0-9_]{0,39}")
HINT = "write postgresql://USER@HOST:5432/DATABASE, and what libpq takes behind a question mark"

DEFAULTS: Mapping[str, str] = {
    "connect_timeout": "10",
    "keepalives": "1",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
"""Settings that end a connection whose other side is gone.

An address may have its own.
"""


@dataclass(frozen=True, slots=True)
class Address:
    """Server and database of accounts.

    Args:
        parts: what libpq is told; it may hold a password.
        shown: the same for people.
    """

    parts: Mapping[str, Any] = field(repr=False)
    shown: str


def address_of(url: str) -> Address:
    """Return the server and database that a URL names.

    Raises: InputError, which never shows the URL: it may hold a password.
    """
    try:
        from psycopg import ProgrammingError  # noqa: PLC0415 - the driver is an extra
        from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415
    except ImportError:
        raise without_driver() from None
    try:
        parts: dict[str, Any] = dict(conninfo_to_dict(url))
    except (ProgrammingError, UnicodeError):
        raise InputError(
            "the address of the state store is not one of PostgreSQL", code="state_url", hint=HINT
        ) from None
    if not all(port.isdecimal() for port in str(parts.get("port", "")).split(",") if port):
        raise InputError("the port in the address of the state store is not a number", code="state_url", hint=HINT)
    if not parts.get("dbname"):
        raise InputError("the address of the state store names no database", code="state_url", hint=HINT)
    host = parts.get("host") or parts.get("hostaddr") or "localhost"
    shown = f"postgresql://{host}:{parts.get('port') or '5432'}/{parts['dbname']}"
    return Address({**DEFAULTS, **parts}, shown)


def schema_of(account: str) -> str:
    """Return the schema of an account.

    Raises: InputError, for a name that no account may have.
    """
    if not ACCOUNT.fullmatch(account):
        raise InputError(
            f"{account!r} is no name of an account",
            code="account_name",
            hint="a name has 1 to 40 of a-z, 0-9 and _, and begins with a letter",
        )
    return f"a_{account}"
