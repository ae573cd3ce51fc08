"""PostgreSQL: one account in one schema."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, cast

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Insert, create_engine
from sqlalchemy.pool import StaticPool

from migrator.errors import InputError, MigratorError, StoreError
from migrator.store.database.database import BUSY_TIMEOUT_S, Database
from migrator.store.database.postgresql.address import Address, schema_of
from migrator.store.database.postgresql.faults import connect_trouble, database_trouble, no_right, pooled
from migrator.store.database.sql import DriverSql, Query
from migrator.store.database.sqlite import placed_copy
from migrator.store.database.transfer import into_file

__all__ = ["PostgresDatabase", "connected"]

OLDEST = 140_000
"""Oldest version that is taken, as PostgreSQL numbers them."""

_SETTINGS = """
SET search_path TO {schema};
SET lock_timeout TO {busy_ms};
SET statement_timeout TO 0;
SET idle_in_transaction_session_timeout TO '30s';
SET tcp_keepalives_idle TO 5;
SET tcp_keepalives_interval TO 2;
SET tcp_keepalives_count TO 3;
SET default_transaction_read_only TO {read_only};
SET default_transaction_isolation TO 'read committed';
SET client_min_messages TO warning;
SET jit TO off;
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
SELECT pg_backend_pid(), current_setting('server_encoding'),
    (SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = {name})
"""
"""Settings of a session.

A session that stands still within a transaction is ended by the server after 30 s, so that a stopped or dead process
does not hold the account's lock. An intent waits for the disk, whatever the role's own settings say.
"""

_BEGIN_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ"
_LOCK = (
    "INSERT INTO meta (name, value) VALUES ('writes', '1') "
    "ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(meta.value AS BIGINT) + 1 AS TEXT)"
)
"""First statement of every transaction that writes.

It locks the account's row of writes, so that there is one writer at a time, and counts the transaction.
"""
_BEGIN_WRITE = f"BEGIN; {_LOCK}"
_BEGIN_SOFT_WRITE = f"BEGIN; SET LOCAL synchronous_commit TO off; {_LOCK}"
_AS_IT_IS = {"no_parameters": True}
"""Options for several statements in one text.

That saves ways to the server.
"""

_VERSION = "SELECT value FROM meta WHERE name = 'writes'"
_SERVER = (
    "SELECT system_identifier || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) || '/' || "
    "(SELECT oid FROM pg_database WHERE datname = current_database()) FROM pg_control_system()"
)
"""Identity of the server, its timeline and the database.

A dump that is restored beside its original is in another database of the same server. The timeline of the last
checkpoint would still be the old one for a while after a promotion.
"""
_NUMBERED = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = current_schema() AND column_default LIKE 'nextval(%%'
"""
_MAKING = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


def connected(address: Address, **options: Any) -> "psycopg.Connection[Any]":
    """Open a session, as the server offers it.

    Raises: InputError, StoreLost.
    """
    try:
        return psycopg.connect(**{**address.parts, "client_encoding": "utf8", "autocommit": True, **options})
    except psycopg.Error as error:
        raise connect_trouble(error, address.shown) from None


class PostgresDatabase(Database):
    """Open schema of an account.

    Args:
        address: of server and database.
        account: name of the account; "fleet" for the register of all of them.
        busy_timeout_s: how long to wait for another writer.
        writable: False for a session that cannot write, whatever it is asked.
        is_register: True for the register, which is no account.

    Raises: InputError, StoreLost.
    """

    file = None
    is_upgraded_by_opening = False
    is_silence_death = True

    def __init__(
        self,
        address: Address,
        account: str,
        *,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        writable: bool = True,
        is_register: bool = False,
    ) -> None:
        self._schema = account if is_register else schema_of(account)
        what = "the register of accounts" if is_register else f"account {account}"
        self.name, self.place = account, f"{what} in {address.shown}"
        self._address, self._busy_timeout_s, self._writable = address, busy_timeout_s, writable
        self._session: psycopg.Connection[Any] | None = None
        self._session = self._opened()
        engine = create_engine(
            "postgresql+psycopg://",
            creator=self._only_session,
            poolclass=StaticPool,
            use_native_hstore=False,
            execution_options={"preserve_rowcount": True},
        )
        try:
            super().__init__(engine)
        except BaseException:
            self._session.close()
            raise

    # --- session --------------------------------------------------------------------------------------------------

    def _opened(self) -> "psycopg.Connection[Any]":
        """Open a session and tell it what this tool needs.

        Raises: InputError, StoreLost.
        """
        target = (
            {}
            if "target_session_attrs" in self._address.parts or not self._writable
            else {"target_session_attrs": "read-write"}
        )
        session = connected(self._address, application_name=f"migrator {self.name}", **target)
        try:
            told = sql.SQL(_SETTINGS).format(
                schema=sql.Identifier(self._schema),
                name=sql.Literal(self._schema),
                busy_ms=sql.Literal(max(1, round(self._busy_timeout_s * 1000))),
                read_only=sql.SQL("off" if self._writable else "on"),
            )
            cursor = session.execute(told)
            while cursor.nextset():
                pass
            pid, encoding, may_look = cursor.fetchone() or (0, "", None)
            _must_be_fit(self._address, session.info.server_version, encoding)
            if pid != session.info.backend_pid:
                self._must_last(session)
            if may_look is False:
                raise no_right(self.place)  # noqa: TRY301 - its tables would seem not to be there
        except psycopg.Error as error:
            session.close()
            raise database_trouble(error, self._address.shown) from None
        except BaseException:
            session.close()
            raise
        return session

    def _must_last(self, session: "psycopg.Connection[Any]") -> None:
        """Refuse a pooler that gives each transaction another session.

        The number of the session is not the one that the server gave at login, so something stands between. While a
        second session is busy, a pooler in transaction mode gives the first one another server session, in which
        nothing of what was set is known.

        Raises: InputError.
        """
        with connected(self._address) as second, second.transaction():
            second.execute("SELECT 1")
            found = session.execute("SELECT current_setting('search_path')").fetchone()
        if found != (self._schema,):
            raise pooled(self._address.shown)

    def _only_session(self) -> "psycopg.Connection[Any]":
        """Give the engine the one session there is.

        A session that broke has lost its temporary tables and its transaction: none takes its place.
        """
        if self._session is None or self._session.closed:
            raise database_trouble(psycopg.OperationalError(), self.place)
        return self._session

    def _trouble(self, error: BaseException | None) -> MigratorError:
        return database_trouble(error, self.place)

    # --- transactions ---------------------------------------------------------------------------------------------

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """See `Database`."""
        with self._transaction(_BEGIN_READ) as connection:
            yield connection

    def tuples(self, query: Query, **values: Any) -> list[tuple[Any, ...]]:
        """See `Database`."""
        try:
            return self._only_session().execute(*_spelled(query, values)).fetchall()
        except psycopg.Error as error:
            raise self._trouble(error) from None

    @contextmanager
    def write(self, *, durable: bool = True, is_fenced: bool = True) -> Iterator[Connection]:
        """See `Database`."""
        with self._transaction("") as connection:
            connection.exec_driver_sql(_BEGIN_WRITE if durable else _BEGIN_SOFT_WRITE, execution_options=_AS_IT_IS)
            if is_fenced and self.guard is not None:
                self.guard(connection)
            yield connection
            if self._only_session().info.transaction_status is TransactionStatus.INERROR:
                # an error was passed over: COMMIT would undo all, and say nothing of it
                raise StoreError(f"{self.place} refused a part of what was asked; nothing of it was kept")

    # --- schema ---------------------------------------------------------------------------------------------------

    def is_there(self) -> bool:
        """True if the account was made."""
        with self._transaction("") as connection:
            return connection.exec_driver_sql("SELECT to_regclass('alembic_version')").scalar() is not None

    def is_ours(self) -> None:
        """See `Database`."""

    @contextmanager
    def creating(self) -> Iterator[Connection]:
        """Make the schema of the account, if it is not there."""
        with self._transaction("BEGIN") as connection:
            connection.exec_driver_sql(_MAKING, (self._schema,))
            there = connection.exec_driver_sql("SELECT 1 FROM pg_namespace WHERE nspname = %s", (self._schema,))
            if there.first() is None:
                connection.exec_driver_sql(f'CREATE SCHEMA "{self._schema}"')
            yield connection

    @contextmanager
    def altering(self) -> Iterator[Connection]:
        """See `Database`."""
        with self.write() as connection:
            yield connection
            self.count_on(connection)

    def count_on(self, connection: Connection) -> None:
        """See `Database`."""
        for table, column in connection.exec_driver_sql(_NUMBERED).all():
            names = {"table": sql.Identifier(table), "column": sql.Identifier(column)}
            told = sql.SQL(
                "SELECT setval(pg_get_serial_sequence({text}, {name}), "
                "(SELECT coalesce(max({column}), 0) + 1 FROM {table}), false)"
            ).format(text=sql.Literal(table), name=sql.Literal(column), **names)
            connection.exec_driver_sql(told.as_string())

    def _learn(self, tables: Sequence[str]) -> None:
        """See `Database`.

        Nobody waits: a table that somebody else is about, or owns, is passed over.
        """
        names = sql.SQL(", ").join(map(sql.Identifier, tables))
        with suppress(MigratorError, psycopg.Error):
            session = self._only_session()
            if session.info.transaction_status is TransactionStatus.IDLE:
                session.execute(sql.SQL("ANALYZE (SKIP_LOCKED) {}").format(names))

    def put(self, connection: Connection, statement: DriverSql, rows: Sequence[tuple[Any, ...]]) -> None:  # noqa: ARG002
        """Insert rows by COPY, on the one session there is."""
        names = sql.SQL(", ").join(map(sql.Identifier, statement.columns))
        table: Any = cast("Insert", statement.statement).table
        into = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), names)
        try:
            with self._only_session().cursor() as cursor, cursor.copy(into) as copy:
                for row in rows:
                    copy.write_row(row)
        except psycopg.Error as error:
            raise self._trouble(error) from None

    def keep_before_upgrade(self, found: str, now: float) -> None:
        """Keep nothing: an upgrade is one transaction, and `pg_dump` is the administrator's."""

    # --- copies ---------------------------------------------------------------------------------------------------

    def backup_to(self, target: Path) -> None:
        """See `Database`."""
        into_file(self, target)

    def whole_copy_to(self, target: Path) -> None:
        """See `Database`."""
        placed_copy(self.backup_to, target, self.place)

    def rescue_to(self, target: Path) -> None:
        """See `Database`."""
        self.whole_copy_to(target)

    # --- the rest -------------------------------------------------------------------------------------------------

    def into_main_file(self) -> bool:
        """See `Database`."""
        return True  # a commit is on the server's disk

    def version(self) -> int:
        """See `Database`."""
        try:
            found = self._only_session().execute(_VERSION).fetchone()
        except psycopg.Error as error:
            raise self._trouble(error) from None
        return 0 if found is None else int(found[0])

    def time(self, connection: Connection, now: float) -> float:  # noqa: ARG002
        """Return the time of the server: the clocks of several machines differ."""
        return float(connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())").scalar_one())

    def server(self) -> str:
        """See `Database`."""
        try:
            found = self._only_session().execute(_SERVER).fetchone()
        except psycopg.Error as error:
            raise self._trouble(error) from None
        return "" if found is None else str(found[0])

    def bearing_damage(self) -> "nullcontext[None]":
        """See `Database`."""
        return nullcontext()  # PostgreSQL holds valid UTF-8 alone

    def damages(self) -> Iterator[str]:
        """See `Database`."""
        yield from ()  # the server's files are its administrator's: pg_amcheck

    def facts(self) -> dict[str, Any]:
        """See `Database`."""
        size = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relnamespace = %s::regnamespace"
        with self.read() as connection:
            taken = connection.exec_driver_sql(size, (self._schema,)).scalar()
            version = connection.exec_driver_sql("SHOW server_version").scalar_one()
        return {
            "account": self.name,
            "database": self._address.shown,
            "bytes": int(taken or 0),
            "postgresql": version.split(" ")[0],
        }

    def close(self) -> None:
        """See `Database`."""
        super().close()
        if self._session is not None:
            self._session.close()


def _must_be_fit(address: Address, version: int, encoding: str) -> None:
    """Refuse a server that cannot hold a store.

    Raises: InputError.
    """
    if version < OLDEST:
        raise InputError(
            f"{address.shown} runs PostgreSQL {version // 10_000}",
            code="server_version",
            hint="a state store needs PostgreSQL 14 or newer",
        )
    if encoding != "UTF8":
        raise InputError(
            f"{address.shown} keeps text as {encoding}",
            code="server_encoding",
            hint="make a database for it: createdb --encoding=UTF8 --template=template0 NAME",
        )


def _spelled(query: Query, values: dict[str, Any]) -> tuple[Any, tuple[Any, ...]]:
    return cast("tuple[Any, tuple[Any, ...]]", query.spelled("postgresql", values))
