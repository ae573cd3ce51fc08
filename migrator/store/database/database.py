"""Database: one SQLite file, one connection, short transactions.

No other module knows how a transaction begins.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Executable, Row, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import StaticPool

from migrator.errors import InputError, MigratorError, NotStorable, StoreBusy, StoreError
from migrator.files import unfinished_name
from migrator.store.database.faults import file_trouble, store_trouble
from migrator.store.database.one_file import StoreFile
from migrator.store.database.sql import DriverSql, Query

__all__ = ["BUSY_TIMEOUT_S", "Database", "create_file", "insert_many", "path_of", "storable"]

BUSY_TIMEOUT_S = 5.0
PRIVATE = 0o600
CACHE_KIB = 32_768
CHECKPOINT_PAGES = 4000
"""Pages in the log before the log is copied into the file.

That is 16 MB, so that a page that is written often is copied once.
"""
NUL, INSTEAD = "\0", "\ufffd"


def path_of(url: str) -> Path:
    """Return the file that the URL of a store names.

    Raises: InputError. The error does not show the URL, because a URL may hold a password.
    """
    hint = "write sqlite:///migrator.db, or sqlite:////full/path/to/migrator.db"
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise InputError("the address of the state store is not a URL", code="state_url", hint=hint) from None
    if parsed.drivername not in {"sqlite", "sqlite+pysqlite"}:
        raise InputError(f"a state store in {parsed.drivername} is not supported", code="state_url", hint=hint)
    if parsed.host or parsed.query or parsed.database in {None, "", ":memory:"}:
        raise InputError(
            "the address of the state store must name a file and nothing else", code="state_url", hint=hint
        )
    return Path(str(parsed.database))


def create_file(path: Path) -> bool:
    """Make an empty file that only its owner may read.

    Returns: False if there was a file already.
    Raises: StoreError or InputError.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a state store", code="not_a_store", hint="name a file in it")
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, PRIVATE)
    except FileExistsError:
        return False
    except OSError as error:
        raise file_trouble(error, path) from None
    os.close(handle)
    path.chmod(PRIVATE)  # an odd umask may have taken the owner's rights, too
    return True


class Database:
    """Open file of a store, with its connection.

    Transactions are never nested, and no transaction is left open between two calls.

    Args:
        path: the file, which exists.
        busy_timeout_s: how long to wait for another writer.
        durable: False for scratch copies, which need not outlive a power cut.
        writable: False for a connection that cannot write, whatever it is asked.

    `guard` is asked at the beginning of each transaction that writes, while this process holds the lease.
    """

    def __init__(
        self, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S, durable: bool = True, writable: bool = True
    ) -> None:
        self.path = path
        self._writable = writable
        self.guard: Callable[[Connection], None] | None = None
        self._busy_timeout_s = busy_timeout_s
        self._durable = durable
        self._synchronous = "FULL" if durable else "OFF"
        self._begin = "BEGIN"
        self._engine = create_engine("sqlite+pysqlite://", creator=self._connect, poolclass=StaticPool)
        event.listen(self._engine, "begin", self._start)
        try:
            self._connection = self._engine.connect()
        except DBAPIError as error:
            raise self._trouble(error.orig) from None
        self.file = StoreFile(path)

    def _start(self, connection: Connection) -> None:
        connection.info.clear()  # what was known of the rows, before others could write
        if self._begin:
            connection.exec_driver_sql(self._begin)

    def _connect(self) -> sqlite3.Connection:
        """Open the file as it is.

        `mode=rw` never makes a new file, whose access rights would be wider than ours. `mode=ro` and `query_only` each
        keep a reader from writing.
        """
        uri = f"{self.path.absolute().as_uri()}?mode={'rw' if self._writable else 'ro'}"
        connection = sqlite3.connect(uri, uri=True, timeout=self._busy_timeout_s, isolation_level=None)
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            if not self._writable:
                connection.execute("PRAGMA query_only = ON")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that sees one moment of the store."""
        with self._transaction("BEGIN") as connection:
            yield connection

    def rows(self, statement: Executable, **values: Any) -> Sequence[Row[Any]]:
        """Return every row of one short read.

        One statement sees one moment by itself.
        """
        with self._transaction("") as connection:
            return connection.execute(statement, values).all()

    def tuples(self, query: Query, **values: Any) -> list[tuple[Any, ...]]:
        """Return every row of one short read, as plain tuples.

        The tuples are as the driver gives them: a `Row` costs as much again as the read of the row.
        """
        try:
            return self._driver_connection().execute(*query.spelled("sqlite", values)).fetchall()
        except sqlite3.Error as error:
            raise self._trouble(error) from None

    @contextmanager
    def write(self, *, durable: bool = True, is_fenced: bool = True) -> Iterator[Connection]:
        """Open a transaction that holds the write lock from its first statement.

        So everything that the transaction reads stays true.

        Args:
            durable: False for data that can be read from the carrier again: a power cut may undo the last of these
                transactions (never half of one), and none of them waits for the disk.
            is_fenced: whether `guard` is asked first; False for the lease itself.

        Raises: what `guard` raises; then nothing is written.
        """
        if not durable:
            self.pragma("synchronous = NORMAL")
        try:
            with self._transaction("BEGIN IMMEDIATE") as connection:
                if is_fenced and self.guard is not None:
                    self.guard(connection)
                yield connection
        finally:
            if not durable:
                self.pragma(f"synchronous = {self._synchronous}")

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        self._begin = begin
        try:
            with self._connection.begin():
                yield self._connection
        except DBAPIError as error:
            raise self._trouble(error.orig) from None
        except (OverflowError, UnicodeEncodeError) as error:
            what = "a number this large" if isinstance(error, OverflowError) else "a text that is not Unicode"
            raise NotStorable(f"{what} cannot be kept in the state store {self.path}") from None

    def _trouble(self, error: BaseException | None) -> MigratorError:
        return store_trouble(error, self.path, is_read_only=not self._writable)

    def into_main_file(self) -> bool:
        """Copy all committed data from the `-wal` into the main file.

        The data is then on the disk. The call waits for nobody.

        Returns: True if all of the data is in the main file. False while somebody else reads an older state, or makes
            the same copy.
        """
        if not self._durable:
            return True
        try:
            found = self._driver_connection().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:
            trouble = store_trouble(error, self.path)
            if isinstance(trouble, StoreBusy):
                return False
            raise trouble from None
        is_busy, pages, copied = found  # both are -1 where the file system bears no `-wal`
        return not is_busy and pages == copied

    def version(self) -> int:
        """Return a number that changes with each commit of another connection.

        Source: SQLite, "PRAGMA data_version". Read 2026-11-29.
        """
        try:
            return int(self._driver_connection().execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error as error:
            raise self._trouble(error) from None

    def pragma(self, pragma: str) -> None:
        """Change a setting of the connection, between transactions."""
        try:
            self._driver_connection().execute(f"PRAGMA {pragma}")
        except sqlite3.Error as error:
            raise store_trouble(error, self.path) from None

    @contextmanager
    def bearing_damage(self) -> Iterator[None]:
        """Read damaged text, with U+FFFD where it is no UTF-8.

        For callers that search for damage.
        """
        connection = self._driver_connection()
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        try:
            yield
        finally:
            connection.text_factory = str

    def backup_to(self, target: Path) -> None:
        """Copy the store, as it is now, into a new private file.

        Raises: StoreError, InputError.
        """
        if not create_file(target):
            raise _exists(target)
        try:
            with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(target)) as copy:
                source.backup(copy)
        except sqlite3.Error as error:
            target.unlink(missing_ok=True)
            raise store_trouble(error, target) from None

    def whole_copy_to(self, target: Path) -> None:
        """Copy the store, as it is now, to a new `target`.

        The copy is made beside `target`, and gets that name once the copy is checked and on disk. Nobody who reads or
        writes the store meanwhile waits for the copy.

        Raises: InputError, if there is a `target` already, or no folder for it; StoreError. Then nothing is left.
        """
        part = unfinished_name(target)
        if os.path.lexists(target):
            raise _exists(target)
        try:
            self.backup_to(part)
            self._make_whole(part)
            _place(part, target)
        except sqlite3.Error as error:
            raise store_trouble(error, target) from None
        except OSError as error:
            raise file_trouble(error, target) from None
        finally:
            part.unlink(missing_ok=True)

    def rescue_to(self, target: Path) -> None:
        """Copy all that this connection sees to `target`.

        The copy is whole, and replaces a file that is there. The file at the store's path may be another file by now,
        or be gone, so only this connection is read.

        Raises: StoreError, InputError, OSError.
        """
        part = unfinished_name(target)
        try:
            create_file(part)
            with closing(sqlite3.connect(part)) as copy:
                self._driver_connection().backup(copy)
            self._make_whole(part)
            _flush(part)
            part.replace(target)
        except sqlite3.Error as error:
            raise store_trouble(error, target) from None
        finally:
            part.unlink(missing_ok=True)

    def _make_whole(self, part: Path) -> None:
        """Turn a fresh copy into a single-file store that nobody holds.

        Raises: StoreError, if the copy is damaged.
        """
        with closing(sqlite3.connect(part)) as copy:
            copy.execute("DELETE FROM lease")  # nobody holds a copy
            copy.commit()
            copy.execute("PRAGMA journal_mode = DELETE")  # all in one file
            found = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if found != "ok":
            raise StoreError(f"the copy of {self.path} is damaged ({found}), so it was not kept", code="backup_damaged")

    def close(self) -> None:
        """Give the file back.

        May be called twice.
        """
        self._connection.close()
        self._engine.dispose()
        self.file.close()  # not before SQLite has closed it: see `store.database.byte_lock`

    def _driver_connection(self) -> sqlite3.Connection:
        return cast("sqlite3.Connection", self._connection.connection.driver_connection)


def _exists(path: Path) -> InputError:
    return InputError(f"{path} exists already", code="file_exists", hint="name another file, or remove it")


def _flush(part: Path) -> None:
    handle = os.open(part, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _place(part: Path, target: Path) -> None:
    """Give a file its final name, unless that name is taken.

    The file gets a second name first, because a second name never takes the place of a file, as a rename does.
    """
    _flush(part)
    try:
        os.link(part, target)
    except FileExistsError:
        raise _exists(target) from None
    except OSError:  # a file system without second names, such as a stick's
        if os.path.lexists(target):
            raise _exists(target) from None
        part.rename(target)


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
