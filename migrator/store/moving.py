"""Move of an account between a SQLite file and PostgreSQL.

The steps, each a transaction of its own, and what is found if the process dies after it:

1. The old store is marked as moving. Nothing can be worked with; there is no new store.
2. The new store is there, whole and compared, and marked as arrived. Still nothing can be worked with.
3. The old store is marked as moved, for good.
4. The mark of the new store is taken off: that one can be worked with.

The same move again goes on from each of them. A move that fails before the third step takes the first mark off again.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from sqlalchemy import Connection, func, select

from migrator.core.audit.chain import GENESIS
from migrator.errors import InputError, MigratorError, NoStore, StoreError
from migrator.store.control.whereabouts import arrived_on
from migrator.store.database.database import BUSY_TIMEOUT_S, MANY_ROWS, Database
from migrator.store.database.schema import make_tables, migrations_folder, revision, revisions
from migrator.store.database.sqlite import path_of, placed_copy
from migrator.store.database.transfer import copied_tables, fill, into_file, rows_of
from migrator.store.facts import keep_fact
from migrator.store.log import LAST_EVENT, note
from migrator.store.moved import MARK_NAME, Mark, MoveMark, mark_in, must_be_here
from migrator.store.opening import is_postgresql, opened
from migrator.store.tables.plans import events

__all__ = ["Moved", "move"]


@dataclass(frozen=True, slots=True)
class Moved:
    """Finished move.

    Args:
        old: place of the old store.
        new: place of the new one.
        events: number of events in the log of the new one, as it came.
        head: digest of the last of those.
    """

    old: str
    new: str
    events: int
    head: str


def move(source: Database, url: str, account: str | None, now: float) -> Moved:
    """Copy an account, and mark the old store as moved.

    The caller holds the lease of the source.

    Args:
        source: the old store, open.
        url: address of the new place.
        account: its name in PostgreSQL; None for a file.
        now: UTC seconds.

    Raises: InputError, if something is at the new place, or the source moved already; StoreError. Then the old store
        can be worked with as before, but for what was said of a move that was cut short.
    """
    with source.read() as connection:
        mark = mark_in(connection)
        if mark is not None and mark.standing is not MoveMark.MOVING:
            _must_wait(connection, mark, url, account)
    if mark is None or mark.standing is MoveMark.MOVING:
        mark = _to_moved(source, mark, url, account, now)
    return _released(mark, url, account, now)


def _must_wait(connection: Connection, mark: Mark, url: str, account: str | None) -> None:
    """Refuse a store that moved, unless the last step is left.

    Raises: InputError, StoreBusy.
    """
    waiting = None
    if mark.standing is MoveMark.MOVED:
        with suppress(InputError):  # whatever else is there, the store moved
            waiting = _arrived(url, account)
    if waiting is None or waiting.token != mark.token:
        must_be_here(connection)


def _to_moved(source: Database, before: Mark | None, url: str, account: str | None, now: float) -> Mark:
    """Go the first three steps, or those that are left.

    Returns: the mark of the old store.
    """
    try:
        mark = _copied(source, before, url, account, now)
        _must_have_all(source, url, account)
        moved = replace(mark, standing=MoveMark.MOVED)
        _put_mark(source, moved, "store.moved", now)
    except BaseException:
        with suppress(MigratorError):  # the mark stays then: the same move again goes on
            _take_back(source, now)
        raise
    return moved


def _copied(source: Database, before: Mark | None, url: str, account: str | None, now: float) -> Mark:
    """Go the first two steps, unless they are done.

    Returns: the mark of the old store.
    """
    there = _arrived(url, account)
    if there is None:
        mark = Mark(MoveMark.MOVING, uuid.uuid4().hex, _place(source), _place_of(url, account))
        _put_mark(source, mark, "store.moving", now)
        _copy(source, url, account, replace(mark, standing=MoveMark.ARRIVED))
        return mark
    if before is None or there.token != before.token:
        raise _taken(there.new, of=there)
    return before


def _put_mark(source: Database, mark: Mark, kind: str, now: float) -> None:
    with source.write() as connection:
        note(connection, now, kind, None, {"from": mark.old, "to": mark.new})
        keep_fact(connection, MARK_NAME, mark.text())


def _take_back(source: Database, now: float) -> None:
    """Take the mark off a store that did not move.

    Safe whatever is at the new place: a copy there waits for this store to say that it moved, and it never will.
    """
    with source.write() as connection:
        mark = mark_in(connection)
        if mark is not None and mark.standing is MoveMark.MOVING:
            keep_fact(connection, MARK_NAME, None)
            note(connection, now, "store.stayed", None, {"from": mark.old, "to": mark.new})


def _released(mark: Mark, url: str, account: str | None, now: float) -> Moved:
    """Take the mark off the new store."""
    with closing(opened(url, account, create=False, busy_timeout_s=BUSY_TIMEOUT_S)) as target:
        server = target.server()
        with target.write() as connection:
            last = connection.execute(LAST_EVENT).one()
            found = mark_in(connection)
            if found is None or found.token != mark.token:
                raise _taken(mark.new)
            count = connection.scalar(select(func.count()).select_from(events)) or 0
            keep_fact(connection, MARK_NAME, None)
            arrived_on(connection, server)
            note(connection, now, "store.arrived", None, {"from": mark.old, "to": mark.new})
        return Moved(mark.old, mark.new, count, last.digest)


# --- the new place ------------------------------------------------------------------------------------------------


def _arrived(url: str, account: str | None) -> Mark | None:
    """Return the mark of the new store, if it is there.

    Raises: InputError, if anything else is there.
    """
    with _looked_at(url, account) as target:
        if target is None:
            return None
        with target.read() as connection:
            is_ours = revision(connection) == revisions(migrations_folder())[-1]
            mark = mark_in(connection) if is_ours else None
        if mark is None or mark.standing is not MoveMark.ARRIVED:
            raise _taken(target.place)
        return mark


@contextmanager
def _looked_at(url: str, account: str | None) -> Iterator[Database | None]:
    """Open the new place for reading; None where nothing is."""
    try:
        target = opened(url, account, create=False, busy_timeout_s=BUSY_TIMEOUT_S, writable=False)
    except NoStore:
        yield None
        return
    with closing(target):
        yield target


def _taken(place: str, of: Mark | None = None) -> InputError:
    words = "holds something already" if of is None else f"holds a copy of {of.old} that was given up"
    return InputError(
        f"the new place, {place}, {words}: nothing is copied over it",
        code="place_taken",
        hint="name another, or move away what is there (mv FILE FILE.old; in psql: ALTER SCHEMA a_NAME RENAME TO ...)",
    )


def _place(source: Database) -> str:
    return source.place if source.file is None else str(source.file.path)


def _place_of(url: str, account: str | None) -> str:
    """Return the new place in words, without any password."""
    if not is_postgresql(url):
        return str(path_of(url).absolute())
    from migrator.store.database.postgresql.address import address_of  # noqa: PLC0415 - a file needs none of it

    return f"account {account} in {address_of(url).shown}"


def _copy(source: Database, url: str, account: str | None, mark: Mark) -> None:
    """Make the new store in one transaction, compared and marked.

    Raises: InputError, StoreError. Then nothing is there.
    """

    def ended(reading: Connection, writing: Connection) -> None:
        _must_be_equal(reading, writing)
        keep_fact(writing, MARK_NAME, mark.text())

    if not is_postgresql(url):
        path = path_of(url)
        placed_copy(lambda part: into_file(source, part, ended), path, source.place)
        _flush_name(path)
        return
    with closing(opened(url, account, create=True, busy_timeout_s=BUSY_TIMEOUT_S)) as target:
        with source.read() as reading, target.creating() as writing:
            if revision(writing) is not None:
                raise _taken(target.place)
            make_tables(writing)
            fill(reading, target, writing)
            ended(reading, writing)
        target.learn(MANY_ROWS, *copied_tables())


def _flush_name(path: Path) -> None:
    """Have the name of a new file outlive a power cut.

    Some systems cannot.
    """
    with suppress(OSError):
        folder = os.open(path.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


# --- the checks ---------------------------------------------------------------------------------------------------


def _must_be_equal(reading: Connection, writing: Connection) -> None:
    """Compare every row of the copy with that of the store.

    Raises: StoreError.
    """
    for table in copied_tables():
        wanted = rows_of(table)
        with reading.execute(wanted) as ours, writing.execute(wanted) as theirs:
            if any(one != other for one, other in zip_longest(ours, theirs)):
                raise StoreError(f"the copy is not equal in `{table.name}`, so it was not kept", code="copy_differs")


def _must_have_all(source: Database, url: str, account: str | None) -> None:
    """Refuse to move while the log of the copy ends elsewhere.

    Raises: StoreError.
    """
    with _looked_at(url, account) as target:
        if target is None or _head(target) != _head(source):
            raise StoreError("something was written to the old store since it was copied", code="copy_differs")


def _head(database: Database) -> str:
    with database.read() as connection:
        last = connection.execute(LAST_EVENT).one_or_none()
    return GENESIS if last is None else str(last.digest)
