"""Database: one account's tables, one connection, short transactions.

No other module knows how a transaction begins. SQLite keeps one account in a file; PostgreSQL keeps each account in a
schema of its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Executable, Row, Table, delete, event, select, tuple_
from sqlalchemy.exc import DBAPIError

from migrator.errors import MigratorError, NotStorable
from migrator.interrupts import undisturbed
from migrator.store.database.one_file import StoreFile
from migrator.store.database.sql import DriverSql, Query, changed_rows

__all__ = ["BUSY_TIMEOUT_S", "MANY_ROWS", "Database", "insert_many", "storable"]

MANY_ROWS = 10_000
"""New rows after which a server's statistics are worth renewing at once."""

BUSY_TIMEOUT_S = 5.0
NUL, INSTEAD = "\0", "\ufffd"


class Database(ABC):
    """Open database of one account, with its connection.

    Transactions are never nested, and no transaction is left open between two calls.

    `guard` is asked at the beginning of each transaction that writes, while this process holds the lease.
    """

    name: str
    """Name by which people know the store."""

    place: str
    """Place of the store in an error, without any password."""

    file: StoreFile | None
    """File of the store; None in PostgreSQL."""

    is_upgraded_by_opening: bool
    """True if an open brings an older schema up to date.

    Where several machines share a database, others may run an older tool.
    """

    is_silence_death: bool
    """True if silence ends a lease, also of a living holder."""

    def __init__(self, engine: Engine) -> None:
        self.guard: Callable[[Connection], None] | None = None
        self._begin = ""
        self._engine = engine
        event.listen(engine, "begin", self._start)
        try:
            self._connection = engine.connect()
        except DBAPIError as error:
            raise self._trouble(error.orig) from None

    def _start(self, connection: Connection) -> None:
        connection.info.clear()  # what was known of the rows, before others could write
        if self._begin:
            connection.exec_driver_sql(self._begin)

    # --- transactions ---------------------------------------------------------------------------------------------

    @abstractmethod
    def read(self) -> AbstractContextManager[Connection]:
        """Open a transaction that sees one moment of the store."""

    def rows(self, statement: Executable, **values: Any) -> Sequence[Row[Any]]:
        """Return every row of one short read.

        One statement sees one moment by itself.
        """
        with self._transaction("") as connection:
            return connection.execute(statement, values).all()

    @abstractmethod
    def tuples(self, query: Query, **values: Any) -> list[tuple[Any, ...]]:
        """Return every row of one short read, as plain tuples.

        The tuples are as the driver gives them: a `Row` costs as much again as the read of the row.
        """

    def each(self, query: Query, **values: Any) -> Iterator[tuple[Any, ...]]:
        """Yield every row of one read, as `tuples` returns them.

        For rows by the hundred thousand that are only counted, or picked from: the caller takes them all at once, and
        asks the store for nothing else meanwhile. A file gives them one by one; a server's driver has all in memory.
        """
        yield from self.tuples(query, **values)

    @abstractmethod
    def write(self, *, durable: bool = True, is_fenced: bool = True) -> AbstractContextManager[Connection]:
        """Open a transaction that holds the write lock from its first statement.

        So everything that the transaction reads stays true.

        Args:
            durable: False for data that can be read from the carrier again: a power cut may undo the last of these
                transactions (never half of one), and none of them waits for the disk.
            is_fenced: whether `guard` is asked first; False for the lease itself.

        Raises: what `guard` raises; then nothing is written.
        """

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        self._begin = begin
        try:
            with undisturbed(), self._connection.begin():
                yield self._connection
        except DBAPIError as error:
            raise self._trouble(error.orig) from None
        except (OverflowError, UnicodeEncodeError) as error:
            what = "a number this large" if isinstance(error, OverflowError) else "a text that is not Unicode"
            raise NotStorable(f"{what} cannot be kept in the state store {self.place}") from None

    @abstractmethod
    def _trouble(self, error: BaseException | None) -> MigratorError:
        """Return the error to raise for an error of the driver."""

    def put(self, connection: Connection, statement: DriverSql, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert many new rows.

        Each has a value for every column of the statement.
        """
        if rows:
            statement.run(connection, list(rows))

    def drop_rows(self, table: Table, number: int, at_once: int) -> int:
        """Delete the rows of one number in the order of their key.

        A part at a time, each in a transaction of its own, so that it may be cut short. Rows that a query of the same
        table names would be looked up one by one, or be the product of both sides.

        Args:
            table: its key begins with the number.
            number: of a plan or a snapshot.
            at_once: rows in one transaction.

        Returns: how many rows were deleted.
        """
        first, *rest = table.primary_key
        mine, total = first == number, 0
        following = select(*rest).where(mine).order_by(*rest).offset(at_once).limit(1)
        while True:
            with self.write(durable=False) as connection:
                bound = connection.execute(following).one_or_none()
                part = mine if bound is None else mine & (tuple_(*rest) < tuple_(*bound))
                total += changed_rows(connection.execute(delete(table).where(part)))
            if bound is None:
                return total

    @abstractmethod
    def count_on(self, connection: Connection) -> None:
        """Let the database number rows after those that are there."""

    def learn(self, rows: int, *tables: Table) -> None:
        """Let the database know its tables again, after so many new rows.

        Nothing comes of it for few rows, or where the database does that at once by itself. It never fails.
        """
        if rows >= MANY_ROWS:
            self._learn([table.name for table in tables])

    @abstractmethod
    def _learn(self, tables: Sequence[str]) -> None:
        """Renew the statistics of tables."""

    # --- schema ---------------------------------------------------------------------------------------------------

    @abstractmethod
    def is_ours(self) -> None:
        """Take note that the place holds a store, or nothing yet."""

    @abstractmethod
    def creating(self) -> AbstractContextManager[Connection]:
        """Open a transaction that makes the first tables.

        Nobody else makes them meanwhile.
        """

    @abstractmethod
    def altering(self) -> AbstractContextManager[Connection]:
        """Open a transaction that may make tables anew.

        Raises: StoreError, if rows would be lost; then nothing is changed.
        """

    @abstractmethod
    def keep_before_upgrade(self, found: str, now: float) -> None:
        """Keep a copy of the store, where upgrades need one.

        `found` is the revision of the store; `now` is in UTC seconds.
        """

    # --- copies ---------------------------------------------------------------------------------------------------

    @abstractmethod
    def backup_to(self, target: Path) -> None:
        """Copy the store into a new private SQLite file.

        Raises: StoreError, InputError.
        """

    @abstractmethod
    def whole_copy_to(self, target: Path) -> None:
        """Copy the store to a new SQLite file that nobody holds.

        Nobody who reads or writes the store meanwhile waits for the copy.

        Raises: InputError, if there is a `target` already, or no folder for it; StoreError. Then nothing is left.
        """

    @abstractmethod
    def rescue_to(self, target: Path) -> None:
        """Copy all that this connection sees to `target`.

        Raises: StoreError, InputError, OSError.
        """

    def _driver_connection(self) -> Any:
        """Return the driver's own connection."""
        return self._connection.connection.driver_connection

    # --- the rest -------------------------------------------------------------------------------------------------

    @abstractmethod
    def into_main_file(self) -> bool:
        """Bring all committed data to where it outlives this process.

        Returns: False while somebody else is in the way.
        """

    @abstractmethod
    def version(self) -> int:
        """Return a number that changes with each commit of another connection."""

    @abstractmethod
    def time(self, connection: Connection, now: float) -> float:
        """Return the time (UTC seconds) by which leases are judged.

        `now` is the time by the clock of the caller.
        """

    def server(self) -> str:
        """Return the identity of the server and its timeline.

        Empty for a file.
        """
        return ""

    @abstractmethod
    def bearing_damage(self) -> AbstractContextManager[None]:
        """Read damaged text, with U+FFFD where it is no UTF-8.

        For callers that search for damage.
        """

    @abstractmethod
    def damages(self) -> Iterator[str]:
        """Yield what the database itself finds wrong with its files."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Return the place and the size of the store, as JSON values."""

    def close(self) -> None:
        """Give the store back.

        May be called twice.
        """
        self._connection.close()
        self._engine.dispose()


def insert_many(connection: Connection, statement: DriverSql, rows: Sequence[tuple[Any, ...]]) -> None:
    """Run an upsert for every row.

    Text that cannot be kept everywhere is changed as `storable` tells.
    """
    if not rows:
        return
    if _has_nul(rows):
        rows = [tuple(map(storable, row)) for row in rows]
    try:
        statement.run(connection, list(rows))
    except UnicodeEncodeError:
        statement.run(connection, [tuple(map(storable, row)) for row in rows])


def _has_nul(rows: Sequence[tuple[Any, ...]]) -> bool:
    for row in rows:  # two loops: `any` over a generator takes a third longer
        for value in row:
            if type(value) is str and NUL in value:
                return True
    return False


def storable(value: Any) -> Any:
    """Return a value that every database takes.

    In a text, U+FFFD replaces lone surrogates, such as half an emoji that a carrier cut, and the character NUL, which
    PostgreSQL does not keep. Any other value is left as it is.
    """
    if not isinstance(value, str):
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace(NUL, INSTEAD)
