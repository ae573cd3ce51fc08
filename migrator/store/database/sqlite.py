"""SQLite: one account in one file."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import StaticPool

from migrator.errors import InputError, MigratorError, StoreBusy, StoreError
from migrator.files import unfinished_name
from migrator.store.database.database import BUSY_TIMEOUT_S, Database
from migrator.store.database.faults import file_trouble, store_trouble
from migrator.store.database.one_file import StoreFile
from migrator.store.database.sql import Query

__all__ = ["CACHE_KIB", "SqliteDatabase", "create_file", "path_of", "placed_copy"]

PRIVATE = 0o600
CACHE_KIB = 32_768
CHECKPOINT_PAGES = 4000
"""Pages in the log before the log is copied into the file.

That is 16 MB, so that a page that is written often is copied once.
"""


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


class SqliteDatabase(Database):
    """Open file of a store.

    Args:
        path: the file, which exists.
        busy_timeout_s: how long to wait for another writer.
        durable: False for scratch copies, which need not outlive a power cut.
        writable: False for a connection that cannot write, whatever it is asked.
    """

    is_upgraded_by_opening = True
    is_silence_death = False
    file: StoreFile

    def __init__(
        self, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S, durable: bool = True, writable: bool = True
    ) -> None:
        self.path = path
        self.name, self.place = path.name, str(path)
        self._writable = writable
        self._busy_timeout_s = busy_timeout_s
        self._durable = durable
        self._synchronous = "FULL" if durable else "OFF"
        super().__init__(create_engine("sqlite+pysqlite://", creator=self._connect, poolclass=StaticPool))
        self.file = StoreFile(path)

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
        """See `Database`."""
        with self._transaction("BEGIN") as connection:
            yield connection

    def tuples(self, query: Query, **values: Any) -> list[tuple[Any, ...]]:
        """See `Database`."""
        try:
            return self._driver_connection().execute(*query.spelled("sqlite", values)).fetchall()
        except sqlite3.Error as error:
            raise self._trouble(error) from None

    def each(self, query: Query, **values: Any) -> Iterator[tuple[Any, ...]]:
        """See `Database`."""
        try:
            with closing(self._driver_connection().execute(*query.spelled("sqlite", values))) as rows:
                yield from rows
        except sqlite3.Error as error:
            raise self._trouble(error) from None

    @contextmanager
    def write(self, *, durable: bool = True, is_fenced: bool = True) -> Iterator[Connection]:
        """See `Database`."""
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

    def time(self, connection: Connection, now: float) -> float:  # noqa: ARG002
        """See `Database`."""
        return now  # there is one machine

    def is_ours(self) -> None:
        """Have the file written by way of its `-wal`."""
        self.pragma("journal_mode = WAL")

    @contextmanager
    def creating(self) -> Iterator[Connection]:
        """See `Database`."""
        with self.write() as connection:
            yield connection

    @contextmanager
    def altering(self) -> Iterator[Connection]:
        """See `Database`."""
        self.pragma("foreign_keys = OFF")  # a batch operation of a revision makes a table anew
        try:
            with self.write() as connection:
                yield connection
                if connection.execute(text("PRAGMA foreign_key_check")).first() is not None:
                    raise StoreError(f"upgrading the state store {self.path} would lose rows; it was left as it was")
        finally:
            self.pragma("foreign_keys = ON")

    def keep_before_upgrade(self, found: str, now: float) -> None:
        """See `Database`."""
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        self.whole_copy_to(self.path.with_name(f"{self.name}.backup-{found}-{stamp}"))

    def _learn(self, tables: Sequence[str]) -> None:
        """Do nothing: queries go by the indexes alone."""

    def count_on(self, connection: Connection) -> None:
        """See `Database`."""  # the next number is one more than the greatest

    def damages(self) -> Iterator[str]:
        """Yield what SQLite finds wrong with pages and indexes of the file."""
        with self.read() as connection:
            found = connection.scalars(text("PRAGMA integrity_check")).all()
        yield from (f"the file is damaged: {words}" for words in found if words != "ok")

    def facts(self) -> dict[str, Any]:
        """See `Database`."""
        return {"path": str(self.path), "bytes": self.path.stat().st_size, "sqlite": sqlite3.sqlite_version}

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
        """See `Database`."""
        placed_copy(self.backup_to, target, self.place)

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
            _make_whole(part, self.place)
            _flush(part)
            part.replace(target)
        except sqlite3.Error as error:
            raise store_trouble(error, target) from None
        finally:
            part.unlink(missing_ok=True)

    def close(self) -> None:
        """Give the file back.

        May be called twice.
        """
        super().close()
        self.file.close()  # not before SQLite has closed it: see `store.database.byte_lock`

    def _driver_connection(self) -> sqlite3.Connection:
        return cast("sqlite3.Connection", super()._driver_connection())


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


def placed_copy(copy: Callable[[Path], None], target: Path, of: str) -> None:
    """Make a whole copy at `target`, or none.

    The copy is made beside it, and gets that name once it is checked and on disk.

    Args:
        copy: writes the copy to a path.
        target: the new file.
        of: place of the store, for an error.

    Raises: InputError, if there is a `target` already, or no folder for it; StoreError. Then nothing is left.
    """
    part = unfinished_name(target)
    if os.path.lexists(target):
        raise _exists(target)
    try:
        copy(part)
        _make_whole(part, of)
        _place(part, target)
    except sqlite3.Error as error:
        raise store_trouble(error, target) from None
    except OSError as error:
        raise file_trouble(error, target) from None
    finally:
        part.unlink(missing_ok=True)


def _make_whole(part: Path, of: str) -> None:
    """Turn a fresh copy into a single-file store that nobody holds.

    Raises: StoreError, if the copy is damaged.
    """
    with closing(sqlite3.connect(part)) as copy:
        copy.execute("DELETE FROM lease")  # nobody holds a copy
        copy.commit()
        copy.execute("PRAGMA journal_mode = DELETE")  # all in one file
        found = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise StoreError(f"the copy of {of} is damaged ({found}), so it was not kept", code="backup_damaged")
