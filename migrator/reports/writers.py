"""A report in files.

Each file is written beside its place. All files are moved into place only when every file is whole.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
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

__all__ = ["FORMATS", "Written", "report_folder", "spreadsheet_safe", "write_report", "write_together"]

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
    with report_folder(folder), bound(report, folder) as book:
        files = [folder / f"reconciliation.{name}" for name in formats]
        writers = {path: partial(FORMATS[name], book) for path, name in zip(files, formats, strict=True)}
        write_together(writers)
        return Written(files, book.tally, book.shortfall())


@contextmanager
def report_folder(folder: Path) -> Iterator[None]:
    """Make the folder of a report, and name it in errors.

    Raises: InputError.
    """
    try:
        private_folder(folder)
        yield
    except (FileExistsError, NotADirectoryError) as error:
        hint = "choose another folder with --out"
        raise InputError(f"{folder} is a file, expected a folder", code="report_unwritable", hint=hint) from error
    except OSError as error:
        raise InputError(
            f"the report cannot be written to {folder}: {error.strerror or error}",
            code="report_unwritable",
            hint="choose another folder with --out, or make room",
        ) from error


def write_together(writers: Mapping[Path, Callable[[TextIO], None]]) -> None:
    """Write all files, then move them into place.

    No file is moved into its place before all files are on disk.
    """
    with ExitStack() as places:
        for path, write in writers.items():
            out = places.enter_context(text_beside(path))
            write(out)
            out.flush()
            os.fsync(out.fileno())
