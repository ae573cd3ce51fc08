"""A report in files.

Each file is written beside its place. All files are moved into place only when every file is whole.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from migrator.errors import InputError
from migrator.files import private_folder, text_beside
from migrator.reports.formats.csv_file import spreadsheet_safe, write_csv
from migrator.reports.formats.html_page import write_html
from migrator.reports.formats.json_file import write_json
from migrator.reports.formats.markdown import write_md
from migrator.reports.model import Reconciliation
from migrator.reports.rows_on_disk import Book, bound
from migrator.reports.tally import Tally

__all__ = ["FORMATS", "Written", "spreadsheet_safe", "write_report"]

FORMATS: Mapping[str, Callable[[Book, TextIO], None]] = {
    "html": write_html,
    "json": write_json,
    "csv": write_csv,
    "md": write_md,
}
"""Writer of each format, in the order in which they are written."""


@dataclass(frozen=True, slots=True)
class Written:
    """Files of a report, and what the report says.

    `shortfall` is empty when the buckets sum to the inventory.
    """

    files: Sequence[Path]
    tally: Tally
    shortfall: str


def write_report(report: Reconciliation, folder: Path, formats: Sequence[str]) -> Written:
    """Write `reconciliation.FORMAT` for each of `formats` into `folder`.

    Raises: InputError, if the folder or a file in it cannot be written; then what was there before is still there.
    """
    try:
        private_folder(folder)
        with bound(report, folder) as book:
            files = [folder / f"reconciliation.{name}" for name in formats]
            _write_all(book, dict(zip(files, formats, strict=True)))
            return Written(files, book.tally, book.shortfall())
    except (FileExistsError, NotADirectoryError) as error:
        hint = "choose another folder with --out"
        raise InputError(f"{folder} is a file, expected a folder", code="report_unwritable", hint=hint) from error
    except OSError as error:
        raise InputError(
            f"the report cannot be written to {folder}: {error.strerror or error}",
            code="report_unwritable",
            hint="choose another folder with --out, or make room",
        ) from error


def _write_all(book: Book, formats: Mapping[Path, str]) -> None:
    """Write all files, then move them into place.

    No file is moved into its place before all files are on disk.
    """
    with ExitStack() as places:
        for path, name in formats.items():
            out = places.enter_context(text_beside(path))
            FORMATS[name](book, out)
            out.flush()
            os.fsync(out.fileno())
