"""File of an open store: its lock, its one name, its place.

The file is locked for the length of a run, has one name, and must still be the file at its path.
"""

import os
import re
import stat
import sys
from contextlib import suppress
from pathlib import Path

from migrator.errors import InputError
from migrator.store.database.byte_lock import Locked, locked, unlocked
from migrator.store.database.faults import file_trouble

__all__ = ["StoreFile", "must_have_one_name"]

COMPANIONS = ("-wal", "-shm")
MOUNTS = Path("/proc/self/mountinfo")
MOUNT_POINT = 4
"""Index of the mount point in a line of `MOUNTS`.

Source: proc_pid_mountinfo(5), field 5.
"""

_Identity = tuple[int, int]
_open: dict[_Identity, int] = {}
"""Number of connections of this process by file."""

_unclosed: dict[_Identity, list[int]] = {}
"""Handles no longer needed, of files that SQLite has open.

To close such a handle then would take SQLite's locks away.
"""


def must_have_one_name(path: Path) -> None:
    """Refuse a store's file with several names, before SQLite opens it.

    Each name has a `-wal` of its own, and so is another store.

    Raises: InputError, if the file has several names; StoreError or InputError, if the file cannot be read.
    """
    place = Path(os.path.realpath(path))
    try:
        found = place.stat()
    except OSError as error:
        raise file_trouble(error, path) from None
    if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
        raise InputError(
            f"the state store {place} has {found.st_nlink} names (hard links): each has a -wal of its own, so that "
            "what is written by one name is unknown to the other, or lost",
            code="several_names",
            hint=f"`find / -xdev -samefile {place}` lists them; once nothing is at work there, remove all but one. "
            "For a copy, then `migrator state backup FILE`",
        )
    if _is_mounted_alone(place):
        raise InputError(
            f"the state store {place} is mounted as a single file: its -wal stays outside, and is lost or unknown "
            "to others",
            code="mounted_alone",
            hint="mount the folder that holds it",
        )


class StoreFile:
    """File of an open store, as a run locks and checks it.

    Made once SQLite has the file open, and closed after SQLite has closed the file.

    Args:
        path: as it was given; symlinks are followed each time.

    Raises: InputError or StoreError, if there is no such file any more.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._handle: int | None = None
        self._beside: dict[Path, _Identity] = {}
        try:
            self._identity: _Identity | None = _identity(self.path)
        except OSError as error:
            raise file_trouble(error, path) from None
        _open[self._identity] = _open.get(self._identity, 0) + 1

    def must_have_one_name(self) -> None:
        """Refuse the file if it has several names.

        Raises: InputError, if the file has several names; StoreError or InputError, if the file cannot be read.
        """
        must_have_one_name(self.path)

    def lock(self) -> Locked:
        """Take the lock, and note the companion files of the store.

        Returns: who has the lock.
        Raises: StoreError or InputError.
        """
        if self._handle is None:
            try:
                self._handle = os.open(self.path, os.O_RDWR)
            except OSError as error:
                raise file_trouble(error, self.path) from None
        place = os.path.realpath(self.path)
        for ending in COMPANIONS:
            with suppress(OSError):  # where a file system bears no `-wal`, there is none
                companion = Path(place + ending)
                self._beside[companion] = _identity(companion)
        return locked(self._handle)

    def unlock(self) -> None:
        """Give the lock back, but keep the handle open.

        To close the handle would take SQLite's locks away.
        """
        if self._handle is not None:
            unlocked(self._handle)

    def what_became(self) -> str:
        """Return what happened to the open file; empty if all is well.

        The text follows the name of the file in a sentence.
        """
        for path, known in ({self.path: self._identity} | self._beside).items():
            is_beside = path in self._beside
            try:
                found = path.stat()
            except (FileNotFoundError, NotADirectoryError):
                return f"lost its {path.name}" if is_beside else "was removed or moved away"
            except OSError as error:
                return f"cannot be looked at any more ({error.strerror})"
            if (found.st_dev, found.st_ino) != known:
                return f"was given another {path.name}" if is_beside else "was replaced by another file"
            if found.st_nlink > 1 and not is_beside:
                return "was given a second name (a hard link)"
        return ""

    def where_now(self) -> Path | None:
        """Return the present path of the open file, or None.

        None if the file has no name any more, or the system does not report the path.
        """
        if self._handle is None or sys.platform != "linux":
            return None
        with suppress(OSError):
            place = Path(f"/proc/self/fd/{self._handle}").readlink()
            if os.path.samestat(place.stat(), os.fstat(self._handle)):
                return place
        return None

    def close(self) -> None:
        """Let go of the file.

        The handle is closed as soon as no connection of this process has the file open. May be called twice.
        """
        if self._identity is None:
            return
        identity, self._identity = self._identity, None
        if self._handle is not None:
            unlocked(self._handle)
            _unclosed.setdefault(identity, []).append(self._handle)
            self._handle = None
        _open[identity] -= 1
        if not _open[identity]:
            del _open[identity]
            for handle in _unclosed.pop(identity, []):
                os.close(handle)


def _identity(path: Path) -> _Identity:
    """Return device and inode, which identify a file while it is open.

    Raises: OSError.
    """
    found = path.stat()
    return found.st_dev, found.st_ino


def _is_mounted_alone(place: Path) -> bool:
    """True if this very file is a mount point.

    `docker run -v FILE:FILE` makes such a mount point. False where the system does not say.
    """
    with suppress(OSError):
        for line in MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            fields = line.split(" ")
            if len(fields) > MOUNT_POINT and _unescaped(fields[MOUNT_POINT]) == str(place):
                return True
    return False


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)
