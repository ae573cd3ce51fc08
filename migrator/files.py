"""Files that take their place only when they are whole.

A symlink is followed. A device or pipe is written through.
"""

import csv
import io
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from stat import S_IMODE, S_ISREG
from typing import Any, BinaryIO, Self, TextIO

from migrator.errors import InputError, StoreError

__all__ = [
    "LineSpool",
    "PlacedText",
    "as_csv",
    "beside",
    "placed_text",
    "private_folder",
    "real_place",
    "refuse_database",
    "text_beside",
    "unfinished_name",
    "unwritable",
]

PRIVATE, PRIVATE_FOLDER = 0o600, 0o700
"""Rights of a new file and of a new folder.

They are set whatever the process's umask: what we write names every unit in the field.
"""
LONGEST_PREFIX = 50
"""Characters of the name that the unfinished file's name repeats.

The whole name may not fit once more.
"""
SQLITE = b"SQLite format 3\0"
"""First bytes of every SQLite database.

The database may be a state store, a backup of a store, or somebody else's.
"""
COMPANIONS = ("-wal", "-shm", "-journal")
"""Endings of the files that SQLite keeps beside a database.

Those files hold what is not in the database yet.
"""


def real_place(path: Path) -> tuple[Path, os.stat_result | None]:
    """Return the real place of a file, and the file there now.

    Symlinks are followed. The second value is the status of the file that stands there; None for no file.
    """
    place = Path(os.path.realpath(path))
    try:
        return place, path.stat()
    except FileNotFoundError:
        return place, None


def refuse_database(path: Path) -> None:
    """Refuse an SQLite database, or a file that belongs to one.

    A state store is the only record of what was sent, and nothing that a command writes may take its place.

    Raises: InputError, if `path` is an SQLite database, or a name that SQLite gives to files beside a database;
    OSError.
    """
    place, there = real_place(path)
    if there is not None and S_ISREG(there.st_mode) and _is_database(place):
        raise _over_database(path, "is an SQLite database, as a state store is")
    for ending in COMPANIONS:
        kept = Path(str(place).removesuffix(ending))
        if kept != place and kept.is_file() and _is_database(kept):
            raise _over_database(path, f"belongs to the SQLite database {kept.name}")


def _is_database(place: Path) -> bool:
    with place.open("rb") as start:
        return start.read(len(SQLITE)) == SQLITE


def _over_database(path: Path, why: str) -> InputError:
    hint = "name another file; nothing was written, and the database is as it was"
    return InputError(f"{path} {why}: nothing is written over it", code="over_database", hint=hint)


def private_folder(path: Path) -> None:
    """Make a folder that only its owner may enter, and its parents.

    A folder that is there keeps its rights.

    Raises: OSError.
    """
    if path.is_dir():
        return
    if path.parent != path:
        private_folder(path.parent)
    path.mkdir(exist_ok=True)
    path.chmod(PRIVATE_FOLDER)


def unfinished_name(place: Path) -> Path:
    """Return the name of a file that is not whole yet.

    The file lies beside `place`, is hidden, and no other process takes its name, nor one that had the same number.
    """
    return place.with_name(f".{place.name[:LONGEST_PREFIX]}.{secrets.token_hex(4)}")


@contextmanager
def beside(path: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` only when whole and on disk.

    A new file is private to its owner; a file that was there keeps its own rights. What is no regular file (a device,
    a pipe) is written as it comes, since nothing can take its place.

    Raises: OSError, if there is no such folder or no room; InputError, if `path` is a database. Then whatever was at
    `path` is still there.
    """
    refuse_database(path)
    place, there = real_place(path)
    if there is not None and not S_ISREG(there.st_mode):
        with path.open("wb") as out:
            yield out
        return
    unfinished = unfinished_name(place)
    try:
        with open(unfinished, "x+b", opener=lambda name, flags: os.open(name, flags, PRIVATE)) as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        unfinished.chmod(PRIVATE if there is None else S_IMODE(there.st_mode))
        refuse_database(path)  # a store may have been made there meanwhile
        unfinished.replace(place)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


@contextmanager
def text_beside(path: Path) -> Iterator[TextIO]:
    """Open a file as `beside` does, for UTF-8 text.

    Line ends stay as they are written.
    """
    with beside(path) as raw:
        out = io.TextIOWrapper(raw, encoding="utf-8", newline="")
        yield out
        out.flush()
        out.detach()


class PlacedText:
    """Text of a file that takes its place later.

    Call it to write.
    """

    def __init__(self, path: Path, out: TextIO) -> None:
        self._path, self._out = path, out

    def __call__(self, text: str) -> None:
        """Write text.

        Raises: InputError, if the file cannot be written.
        """
        with _named(self._path):
            self._out.write(text)

    def to_disk(self) -> None:
        """Bring what was written so far to the disk.

        After that, no full disk can keep the file from its place.

        Raises: InputError, if the file cannot be written.
        """
        with _named(self._path):
            self._out.flush()
            if S_ISREG(os.fstat(self._out.fileno()).st_mode):
                os.fsync(self._out.fileno())


@contextmanager
def placed_text(path: Path) -> Iterator[PlacedText]:
    """Open a file as `text_beside` does, and yield what writes to it.

    Errors of this file name it, and those of anything else in the block pass unchanged.

    Raises: InputError, if the file cannot be written.
    """
    places = ExitStack()
    with _named(path):
        out = places.enter_context(text_beside(path))
    try:
        yield PlacedText(path, out)
    except BaseException as error:
        with suppress(OSError):  # what is given up need not fit on the disk
            places.__exit__(type(error), error, error.__traceback__)
        raise
    with _named(path):
        places.close()


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(path, error.strerror or str(error)) from error


def unwritable(file: Path, why: str) -> InputError:
    """Return the error for a file that cannot be written."""
    hint = "nothing was lost; make room, or choose a file in a folder that is there and can be written"
    return InputError(f"{file} cannot be written: {why}", code="unwritable", hint=hint)


class _Same:
    @staticmethod
    def write(text: str) -> str:
        return text


def as_csv(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """Return rows as lines of CSV, each with its end (RFC 4180)."""
    return map(csv.writer(_Same()).writerow, rows)


class LineSpool:
    """Lines that wait in a nameless temporary file.

    Memory then holds a page of them.

    Args:
        outcome: what a full disk for temporary files comes to, in words.
    """

    def __init__(self, outcome: str) -> None:
        self._outcome = outcome
        with self._trouble():
            self._file: TextIO = tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n")  # noqa: SIM115 - see __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        with suppress(OSError):  # what could not be written was told already
            self._file.close()

    def add(self, lines: Iterable[str]) -> None:
        """Add some lines at the end.

        Raises: StoreError, if the disk for temporary files is full.
        """
        with self._trouble():
            self._file.writelines(f"{line}\n" for line in lines)

    def __iter__(self) -> Iterator[str]:
        """Return every line, from the first."""
        with self._trouble():
            self._file.seek(0)
        return iter(self._file)

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        """Explain what the file system refuses."""
        try:
            yield
        except OSError as error:
            folder = tempfile.gettempdir()
            raise StoreError(
                f"a temporary file in {folder} cannot be written ({error.strerror}); {self._outcome}",
                code="temporary_file",
                hint=f"free some space in {folder}, or set TMPDIR to another folder; then run the same command again",
            ) from None
