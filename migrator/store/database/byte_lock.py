"""Lock of the operating system on one byte of an open file.

The lock belongs to the file itself, whatever name the file was opened by. The byte lies far behind any database, so
that SQLite's own locks are left alone and everybody reads and writes as before. The lock ends with its process, however
the process dies. A process that is only stopped keeps the lock.

Source: SQLite, "How To Corrupt An SQLite Database File", 2.2: a process that closes a file loses all its record locks
on the file, SQLite's included. So the caller keeps the file open until SQLite has closed it. fcntl(2), "Open file
description locks": these locks are not lost in that way, so they are asked for first. flock(2): on macOS, and on NFS,
flock locks all bytes, SQLite's included, so it is not used. Read 2026-11-28.
"""

import errno
import os
import struct
import sys
from contextlib import suppress
from enum import StrEnum
from importlib import import_module
from typing import Any

__all__ = ["Locked", "locked", "unlocked"]


def _module() -> Any:
    """Return Python's `fcntl`, or None on Windows, which has none."""
    with suppress(ImportError):
        return import_module("fcntl")
    return None


fcntl = _module()

FAR_BYTE = 1 << 62
DARWIN_OFD_SETLK = 90
OFD_SETLK: int | None = getattr(fcntl, "F_OFD_SETLK", DARWIN_OFD_SETLK if sys.platform == "darwin" else None)
_HELD = {errno.EAGAIN, errno.EACCES}
_NOT_THIS_KIND = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}


class Locked(StrEnum):
    """Holder of the lock, as far as the system can tell."""

    OURS = "ours"
    ELSEWHERE = "elsewhere"  # another open file has it, mostly another process
    UNKNOWN = "unknown"  # the system, or the file system, has no such locks


def locked(handle: int) -> Locked:
    """Take the lock, or return who has it.

    The handle must be open for writing. The call waits for nobody.
    """
    if fcntl is None:
        return Locked.UNKNOWN
    for take in (_of_open_file, _of_process):
        try:
            take(handle, fcntl.F_WRLCK)
        except OSError as error:
            if error.errno in _HELD:
                return Locked.ELSEWHERE
            if error.errno not in _NOT_THIS_KIND:
                return Locked.UNKNOWN
        else:
            return Locked.OURS
    return Locked.UNKNOWN


def unlocked(handle: int) -> None:
    """Give the lock back, if the lock is ours."""
    if fcntl is None:
        return
    for give in (_of_open_file, _of_process):
        with suppress(OSError):
            give(handle, fcntl.F_UNLCK)


def _of_open_file(handle: int, kind: int) -> None:
    """Set a lock that belongs to the open file.

    Raises: OSError.
    """
    if OFD_SETLK is None:
        raise OSError(errno.ENOSYS, "no open file description locks")
    if sys.platform == "darwin":
        asked = struct.pack("qqihh", FAR_BYTE, 1, 0, kind, os.SEEK_SET)
    else:
        asked = struct.pack("hhqqi0q", kind, os.SEEK_SET, FAR_BYTE, 1, 0)
    fcntl.fcntl(handle, OFD_SETLK, asked)


def _of_process(handle: int, kind: int) -> None:
    """Set a lock that belongs to the process.

    For systems that have no locks of the open file.

    Raises: OSError.
    """
    wanted = fcntl.LOCK_UN if kind == fcntl.F_UNLCK else fcntl.LOCK_EX | fcntl.LOCK_NB
    fcntl.lockf(handle, wanted, 1, FAR_BYTE, os.SEEK_SET)
