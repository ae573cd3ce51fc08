"""The one file of an open store: locked for the length of a run, of one name, and still the one at its path."""

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
"""Where the place stands in a line of it: proc_pid_mountinfo(5), field 5."""

_Identity = tuple[int, int]
_open: dict[_Identity, int] = {}
"""How many connections of this process each file has."""

_unclosed: dict[_Identity, list[int]] = {}
"""Handles that were done with while SQLite had the file open: to close them then would take its locks away."""


def must_have_one_name(path: Path) -> None:
    """Look at a store's file before SQLite opens it: each name has a `-wal` of its own, and is another store.

    Raises: InputError, if it has several names; StoreError and kin, if it cannot be looked at.
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
    """What a run asks of its file. Made once SQLite has the file open, and closed after it has closed it.

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
        """Raises: InputError, if the file has several names; StoreError and kin, if it cannot be looked at."""
        must_have_one_name(self.path)

    def lock(self) -> Locked:
        """Take the lock, and note what lies beside the file. Returns: who has it. Raises: StoreError and kin."""
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
        """Give the lock back. The handle stays open: closing it would take SQLite's locks away."""
        if self._handle is not None:
            unlocked(self._handle)

    def what_became(self) -> str:
        """What became of the file that is open, to follow its name in a sentence; empty as long as all is well."""
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
        """Where the open file is by now; None if it has no name any more, or nobody tells."""
        if self._handle is None or sys.platform != "linux":
            return None
        with suppress(OSError):
            place = Path(f"/proc/self/fd/{self._handle}").readlink()
            if os.path.samestat(place.stat(), os.fstat(self._handle)):
                return place
        return None

    def close(self) -> None:
        """Let go of the file, as soon as no connection of this process has it open. May be called twice."""
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
    """What tells a file from any other while it is open. Raises: OSError."""
    found = path.stat()
    return found.st_dev, found.st_ino


def _is_mounted_alone(place: Path) -> bool:
    """Whether this very file is a mount point, as of `docker run -v FILE:FILE`. False where the system does not say."""
    with suppress(OSError):
        for line in MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            fields = line.split(" ")
            if len(fields) > MOUNT_POINT and _unescaped(fields[MOUNT_POINT]) == str(place):
                return True
    return False


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)
