"""Files that take their place only when they are whole."""

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

__all__ = ["beside", "text_beside"]


@contextmanager
def beside(path: Path, *, mode: int = 0o600) -> Iterator[BinaryIO]:
    """A file of this mode that takes the place of `path` only when it is whole and on disk.

    Raises: OSError, if there is no such folder or no room; then whatever was at `path` is still there.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w+b") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def text_beside(path: Path, *, mode: int = 0o600) -> Iterator[TextIO]:
    """The same for text, in UTF-8 with line ends as they are written."""
    with beside(path, mode=mode) as raw:
        out = io.TextIOWrapper(raw, encoding="utf-8", newline="")
        yield out
        out.flush()
        out.detach()
