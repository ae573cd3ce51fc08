"""Errors of SQLite and the file system, with what to do.

An error never shows a statement or its values.
"""

import errno
import sqlite3
from collections.abc import Callable
from pathlib import Path

from migrator.errors import InputError, MigratorError, StoreBusy, StoreError

__all__ = ["file_trouble", "store_trouble"]


def store_trouble(error: BaseException | None, path: Path, *, is_read_only: bool = False) -> MigratorError:
    """Return the error to raise for an error of the driver.

    `is_read_only` tells of a connection that only reads.

    Source: SQLite, "Result and Error Codes". Read 2026-11-20.
    """
    name = getattr(error, "sqlite_errorname", "") if isinstance(error, sqlite3.Error) else ""
    for prefixes, made in _TROUBLES:
        if name.startswith(prefixes):
            return _not_readable(path) if is_read_only and made is _not_writable else made(path)
    told = name or type(error).__name__
    return StoreError(f"the state store {path} refused what was asked ({told}); nothing of it was kept")


def file_trouble(error: OSError, path: Path) -> MigratorError:
    """Return the error to raise when the file system refused `path`."""
    if error.errno == errno.ENAMETOOLONG:
        return InputError(
            f"the address of the state store is too long for this system: {len(str(path))} characters",
            code="too_long",
            hint="set --state to a shorter one",
        )
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return InputError(
            f"the folder {path.parent} of the state store does not exist",
            code="no_such_folder",
            hint=f"create it (mkdir -p {path.parent}), or set --state to another place",
        )
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _full(path)
    return _not_writable(path)


def _full(path: Path) -> StoreError:
    return StoreError(
        f"the disk is full: the state store {path} could not be written, and nothing of the last step was kept",
        code="store_full",
        hint=f"free some space on the disk of {path.parent}, then run the same command again",
    )


def _not_writable(path: Path) -> StoreError:
    return StoreError(
        f"the state store {path} cannot be opened for writing",
        code="store_not_writable",
        hint=f"give this user write access to {path} and its folder, or set --state to another place",
    )


def _not_readable(path: Path) -> StoreError:
    return StoreError(
        f"the state store {path} cannot be read",
        code="store_not_readable",
        hint=f"give this user the right to read {path} and its -wal, and to write in its folder: SQLite makes its -shm "
        "there for readers, too",
    )


def _busy(path: Path) -> MigratorError:
    return StoreBusy(
        f"another process is writing to the state store {path}",
        hint="wait until it is done, or end it, then run the same command again",
    )


def _not_a_store(path: Path) -> MigratorError:
    return InputError(
        f"{path} is not a state store: it is no SQLite file",
        code="not_a_store",
        hint="point --state (MIGRATOR_STATE) to the right file, or to one that does not exist yet",
    )


def _damaged(path: Path) -> MigratorError:
    return StoreError(
        f"the state store {path} is damaged",
        code="store_damaged",
        hint=f"keep the file, and put back its newest backup ({path.name}.backup-*)",
    )


def _disk(path: Path) -> MigratorError:
    return StoreError(
        f"the disk that holds the state store {path} failed",
        code="store_disk",
        hint="check the disk and its free space, then run the same command again",
    )


_TROUBLES: tuple[tuple[tuple[str, ...], Callable[[Path], MigratorError]], ...] = (
    (("SQLITE_BUSY", "SQLITE_LOCKED"), _busy),
    (("SQLITE_FULL",), _full),
    (("SQLITE_NOTADB",), _not_a_store),
    (("SQLITE_CORRUPT",), _damaged),
    (("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH"), _not_writable),
    (("SQLITE_IOERR",), _disk),
)
