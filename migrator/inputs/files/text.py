"""Text files as people save them.

UTF-8 with or without a byte order mark, or UTF-16 with a byte order mark.
"""

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import TextIO

from migrator.core.fleet.iccid_text import SPREADSHEET_REMEDY, looks_rounded, rounding_notation, without_invisible
from migrator.errors import InputError, NoSuchFile
from migrator.inputs.files.file_rights import must_be_ours, must_be_private

__all__ = [
    "SPREADSHEET_REMEDY",
    "Windows1252",
    "looks_rounded",
    "opened_text",
    "rounding_notation",
    "small_text",
    "unwrapped",
]

SMALL_FILE_BYTES = 1_000_000
SAVE_AS_UTF8 = 'save it again as "CSV UTF-8" or plain text in UTF-8'


class Windows1252:
    """Error handler that reads bytes that are not UTF-8 as Windows-1252.

    `replaced` counts these bytes: labels may have suffered.
    """

    NAME = "migrator.windows-1252"

    def __init__(self) -> None:
        self.replaced = 0
        codecs.register_error(self.NAME, self)

    def __call__(self, error: UnicodeError) -> tuple[str, int]:
        """Return the characters for some bytes, as `codecs` expects.

        Raises: UnicodeError, if the bytes are not Windows-1252 either.
        Source: the reference on the portal's export: its encoding is unknown, Windows-1252 is to be expected.
        """
        if not isinstance(error, UnicodeDecodeError):
            raise error
        self.replaced += error.end - error.start
        return error.object[error.start : error.end].decode("cp1252"), error.end


@contextmanager
def opened_text(
    path: Path,
    *,
    fallback: Windows1252 | None = None,
    stdin: bool = False,
    decides: bool = False,
    is_secret: bool = False,
) -> Iterator[TextIO]:
    """Open a text file to read once, from start to end.

    Line ends stay as they are.

    Args:
        path: the file.
        fallback: for files that may be older than UTF-8; not used for a file with a byte order mark.
        stdin: read standard input instead; `path` is its name in messages.
        decides: whether the file decides what is sent and where to; then nobody else may write the file.
        is_secret: whether nobody else may read the file.

    Raises: InputError, naming the file and the remedy, when the file is missing, a directory, unreadable or not such
        text; the last also during the reading.
    """
    try:
        with _opened(path, stdin=stdin) as raw:
            if decides:
                must_be_ours(raw.fileno(), path)
            if is_secret:
                must_be_private(raw.fileno(), path)
            encoding = _encoding(raw, path)
            errors = fallback.NAME if fallback is not None and encoding == "utf-8" else "strict"
            with TextIOWrapper(raw, encoding=encoding, errors=errors, newline="") as text:
                yield text
    except FileNotFoundError:
        raise NoSuchFile(f"{path} does not exist", hint=f"looked in {Path.cwd()}; check the path") from None
    except UnicodeError:
        raise InputError(
            f"{_first_bad_line(path)}: not text in UTF-8 (or UTF-16 with a byte order mark)",
            code="bad_encoding",
            hint=SAVE_AS_UTF8,
        ) from None
    except OSError as error:
        raise _unreadable(path, error) from None


@contextmanager
def _opened(path: Path, *, stdin: bool) -> Iterator[BufferedReader]:
    with open(0, "rb", closefd=False) if stdin else path.open("rb") as raw:
        yield raw


def _unreadable(path: Path, error: OSError) -> InputError:
    """Build the error for a file that the system does not open.

    Windows reports a missing permission when a directory is opened.
    """
    if isinstance(error, IsADirectoryError | PermissionError) and path.is_dir():
        return InputError(f"{path} is a directory, expected a file", code="unreadable_file", hint="name a file in it")
    message = f"{path} cannot be read: {error.strerror}"
    return InputError(message, code="unreadable_file", hint="check the path and its permissions")


def small_text(path: Path) -> str:
    """Read the whole text of a file that decides what is sent.

    Such a file also decides where requests go. The text has no byte order mark.

    Raises: InputError, also for more than a million characters, and where others may write the file.
    """
    with opened_text(path, decides=True) as stream:
        text = stream.read(SMALL_FILE_BYTES + 1)
    if len(text) > SMALL_FILE_BYTES:
        raise InputError(f"{path} is larger than 1 MB", code="unreadable_file", hint="is this the right file?")
    return text


def _encoding(raw: BufferedReader, path: Path) -> str:
    """Return the encoding, known from the first bytes of the file."""
    head = raw.peek(512)[:512]
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith(b"PK\x03\x04"):
        raise InputError(
            f"{path} is a spreadsheet or an archive, expected text",
            code="bad_encoding",
            hint='save the sheet as "CSV UTF-8", with the ICCID columns as text',
        )
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and not head.startswith(codecs.BOM_UTF32_LE):
        return "utf-16"
    if b"\0" in head:
        raise InputError(
            f"{path} is not text in UTF-8 (or UTF-16 with a byte order mark)", code="bad_encoding", hint=SAVE_AS_UTF8
        )
    return "utf-8"


def _first_bad_line(path: Path) -> str:
    """Return FILE:LINE of the first line that is not UTF-8.

    FILE alone where the line cannot be found (a pipe, UTF-16).
    """
    if not path.is_file():
        return str(path)
    with path.open("rb") as raw:
        if raw.peek(2)[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
            return str(path)
        return next((f"{path}:{number}" for number, line in enumerate(raw, start=1) if not _is_utf8(line)), str(path))


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def unwrapped(cell: str) -> str:
    """Remove the marks that people put around a value for spreadsheets.

    Such marks keep a spreadsheet from changing the value: '898..., ="898...", spaces.
    """
    if cell.isdigit():  # most are, and a fleet has millions
        return cell
    text = without_invisible(cell).strip()
    if text.startswith('="') and text.endswith('"'):
        text = text[2:-1]
    return text.strip("\"' \t\u00a0")
