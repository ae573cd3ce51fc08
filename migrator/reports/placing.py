"""Files that take their place only when they are whole; a symlink is followed, and a device or pipe written through."""

import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_IMODE, S_ISREG
from typing import BinaryIO, TextIO

__all__ = ["beside", "real_place", "text_beside"]

LONGEST_PREFIX = 50
"""Characters of the name that are found again in that of the unfinished file: the whole of it may not fit once more."""


def real_place(path: Path) -> tuple[Path, os.stat_result | None]:
    """Where a file would really be put, its symlinks followed, and what stands there now; None for nothing."""
    place = Path(os.path.realpath(path))
    try:
        return place, path.stat()
    except FileNotFoundError:
        return place, None


@contextmanager
def beside(path: Path, *, mode: int = 0o600) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` only when it is whole and on disk.

    A new file gets this mode, as far as the process's umask allows; one that was there keeps its own. What is no
    regular file (a device, a pipe) is written as it comes, since nothing can take its place.

    Raises: OSError, if there is no such folder or no room; then whatever was at `path` is still there.
    """
    place, there = real_place(path)
    if there is not None and not S_ISREG(there.st_mode):
        with path.open("wb") as out:
            yield out
        return
    unfinished = place.with_name(f".{place.name[:LONGEST_PREFIX]}.{secrets.token_hex(4)}")
    try:
        with open(unfinished, "x+b", opener=lambda name, flags: os.open(name, flags, mode)) as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        if there is not None:
            unfinished.chmod(S_IMODE(there.st_mode))
        unfinished.replace(place)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


@contextmanager
def text_beside(path: Path, *, mode: int = 0o600) -> Iterator[TextIO]:
    """The same for text, in UTF-8 with line ends as they are written."""
    with beside(path, mode=mode) as raw:
        out = io.TextIOWrapper(raw, encoding="utf-8", newline="")
        yield out
        out.flush()
        out.detach()
