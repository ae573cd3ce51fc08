"""Errors of PostgreSQL, with what to do.

An error never shows a statement, its values, or a password.
"""

from collections.abc import Callable, Mapping

from migrator.errors import InputError, MigratorError, NotStorable, StoreBusy, StoreError, StoreLost

__all__ = ["connect_trouble", "database_trouble", "no_right", "pooled", "without_driver"]

_Made = Callable[[str], MigratorError]


def database_trouble(error: BaseException | None, place: str) -> MigratorError:
    """Return the error to raise for an error of the driver.

    Source: PostgreSQL 15, "Appendix A. PostgreSQL Error Codes". Read 2026-11-30.
    """
    sqlstate: str | None = getattr(error, "sqlstate", None)
    if sqlstate is None:
        name = type(error).__name__
        if name == "DataError":
            return NotStorable(f"a text with the character NUL cannot be kept in {place}")
        return _refused(place, name) if name == "ProgrammingError" else _lost(place)
    made = _TROUBLES.get(sqlstate) or _TROUBLES.get(sqlstate[:2])
    return _refused(place, sqlstate) if made is None else made(place)


def connect_trouble(error: BaseException, place: str) -> MigratorError:
    """Return the error to raise where no connection came about.

    The driver tells no code then, so its words decide; PostgreSQL gives them in the language of the server.
    """
    told = " ".join(str(error).split())
    for words, made in _NO_CONNECTION:
        if any(word in told for word in words):
            return made(place)
    return StoreLost(
        f"{place} lets nobody in: the server is down, out of reach, or refuses the login",
        code="store_unreachable",
        hint="`psql` with the same address tells more; MIGRATOR_STATE and --state name it",
    )


def pooled(place: str) -> InputError:
    """Return the error for a pooler that gives each transaction another session."""
    return InputError(
        f"between this tool and {place} stands a pooler in transaction mode (such as PgBouncer): what a session was "
        "told does not last there",
        code="pooled",
        hint="use the address of PostgreSQL itself, or one that is pooled with pool_mode = session",
    )


def without_driver() -> InputError:
    """Return the error for a tool that was installed without PostgreSQL's driver."""
    return InputError(
        "a state store in PostgreSQL needs a driver that is not installed",
        code="no_driver",
        hint="pip install 'migrator[fleet]'",
    )


def _refused(place: str, told: str) -> StoreError:
    return StoreError(f"{place} refused what was asked ({told}); nothing of it was kept")


def _busy(place: str) -> StoreError:
    return StoreBusy(
        f"another process is writing to {place}",
        hint="wait until it is done, or end it, then run the same command again",
    )


def _lost(place: str) -> StoreError:
    return StoreLost(
        f"the connection to {place} was lost",
        hint="the same command goes on once the database is back; what was under way then is settled by reading first",
    )


def _full(place: str) -> StoreError:
    return StoreError(
        f"the disk of the database server is full: {place} could not be written, and nothing of the last step was kept",
        code="store_full",
        hint="make room on the server, then run the same command again",
    )


def _out_of_memory(place: str) -> StoreError:
    return StoreLost(
        f"the database server of {place} is out of memory", hint="the same command goes on once the server has some"
    )


def _too_many(place: str) -> StoreError:
    return StoreLost(
        f"{place} lets nobody in: the server has no connection left",
        code="too_many_connections",
        hint="end sessions that nobody needs, or raise max_connections (each run and each page of `serve` takes one)",
    )


def _login(place: str) -> InputError:
    return InputError(
        f"{place} refuses the login",
        code="login",
        hint="check user and password of the address (PGPASSWORD, ~/.pgpass), and this machine's line in pg_hba.conf",
    )


def _no_database(place: str) -> InputError:
    return InputError(
        f"there is no such database: {place}",
        code="no_database",
        hint="`createdb` makes one; --state (MIGRATOR_STATE) points to another",
    )


def no_right(place: str) -> InputError:
    """Return the error for what a user may not do."""
    return InputError(
        f"this user has no right to do that in {place}",
        code="no_right",
        hint="an administrator lets a user in: GRANT migrator_reader (or migrator_operator, migrator_worker) TO USER; "
        "`migrator fleet init --roles` makes these roles. GRANT CREATE ON DATABASE lets a user make a new account",
    )


def _standby(place: str) -> StoreError:
    return StoreLost(
        f"{place} is only read there: the server is a standby, or was told to write nothing",
        code="standby",
        hint="use the address of the primary; of several hosts in an address, the one that can be written is taken",
    )


def _damaged(place: str) -> StoreError:
    return StoreError(
        f"the database server says that its files are damaged: {place}",
        code="store_damaged",
        hint="keep them, and put back the newest backup of the database",
    )


def _missing(place: str) -> StoreError:
    return StoreError(
        f"tables of {place} are missing: the account was removed, or is not whole",
        code="store_gone",
        hint="put back a backup of the account, before anything else is claimed",
    )


def _lacks_column(place: str) -> StoreError:
    return StoreError(
        f"{place} lacks a column that this tool needs: a tool between two releases made it, or somebody changed it",
        code="column_missing",
        hint="put back a backup of an account; a register is made anew: its owner drops the schema fleet, then "
        "`migrator fleet init`, and `fleet add` for each account, whose store stays",
    )


def _not_storable(place: str) -> StoreError:
    return NotStorable(f"a value cannot be kept in {place}")


def _unencrypted(place: str) -> InputError:
    return InputError(
        f"{place} has no TLS, which the address asks for",
        code="tls",
        hint="turn `ssl` on at the server, or take sslmode out of the address where the network is trusted",
    )


def _untrusted(place: str) -> InputError:
    return InputError(
        f"the certificate of {place} is not to be trusted, or the one to check it by cannot be read",
        code="tls",
        hint="sslrootcert=FILE names the authority that signed it; sslmode=verify-full checks the host's name, too",
    )


def _unknown_here(place: str) -> InputError:
    return InputError(
        f"{place} wants this user's own certificate, and there is none that fits",
        code="login",
        hint="the address names it: sslcert=FILE and sslkey=FILE, a key that its owner alone may read (chmod 600), "
        "signed by the server's authority, made out to the user of the address, and neither expired nor revoked",
    )


def _needs_encryption(place: str) -> InputError:
    return InputError(
        f"{place} refuses this machine: pg_hba.conf has no line for it with this user, database and encryption",
        code="login",
        hint="if the server wants TLS, end the address with ?sslmode=require (better: verify-full); else add the line",
    )


def _unreachable(place: str) -> StoreLost:
    return StoreLost(
        f"{place} cannot be reached",
        code="store_unreachable",
        hint="check host and port of the address, that the server runs, and that no firewall is between",
    )


def _unfit(place: str) -> InputError:
    return InputError(
        f"the address of {place} has a part that PostgreSQL's library does not take",
        code="state_url",
        hint="write postgresql://USER@HOST:5432/DATABASE?sslmode=verify-full",
    )


_TROUBLES: Mapping[str, _Made] = {
    "55P03": _busy,
    "40P01": _busy,
    "40001": _busy,
    "53100": _full,
    "53200": _out_of_memory,
    "53300": _too_many,
    "28": _login,
    "3D": _no_database,
    "42501": no_right,
    "25006": _standby,
    "25P03": _lost,
    "08": _lost,
    "57": _lost,
    "58030": _damaged,
    "XX001": _damaged,
    "XX002": _damaged,
    "42P01": _missing,
    "3F000": _missing,
    "42703": _lacks_column,
    "22": _not_storable,
}
_ALERTS = (
    "alert unknown ca",
    "alert bad certificate",
    "alert certificate",
    "alert unsupported certificate",
)
"""Alerts of the server on what this user showed.

What we find wrong in its own certificate comes as a verification that failed, and is no alert.

Source: RFC 8446, section 6.2; OpenSSL 3, `SSL_alert_desc_string_long`.
"""

_NO_CONNECTION: tuple[tuple[tuple[str, ...], _Made], ...] = (
    (("unsupported startup parameter",), pooled),
    (("the database system is",), _unreachable),  # starting up, shutting down, in recovery
    (("no pg_hba.conf entry", "pg_hba.conf rejects"), _needs_encryption),
    (("does not support SSL",), _unencrypted),
    (("client certificate", "certificate authentication failed", "private key", *_ALERTS), _unknown_here),
    (("certificate", "SSL error"), _untrusted),
    (("too many clients", "too many connections", "remaining connection slots"), _too_many),
    (("password", "authentication", "role "), _login),
    (("permission denied for database",), no_right),
    (("database ",), _no_database),
    (("read-only", "hot standby"), _standby),
    (("invalid", "unknown"), _unfit),
    (
        (
            *("refused", "timeout expired", "could not translate", "No such file", "unreachable", "No route"),
            *("not known", "resolve"),
        ),
        _unreachable,
    ),
)
