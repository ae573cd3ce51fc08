"""Output files: written whole or not at all.

The name `-` means stdout.
"""

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from stat import S_ISDIR, S_ISREG

import click

from migrator.cli.app.common import Globals, Outcome
from migrator.errors import InputError
from migrator.files import real_place, refuse_database, text_beside, unwritable

__all__ = ["check_destination", "is_stdout", "refuse_unwritable", "unwritable", "with_evidence", "written"]

STDOUT = 1


def is_stdout(file: Path | None) -> bool:
    """True if the file is standard output.

    That is `-`, or another name for standard output such as /dev/stdout.
    """
    if file is None or str(file) == "-":
        return file is not None
    try:
        return os.path.samestat(file.stat(), os.fstat(STDOUT))
    except OSError:
        return False


def written(file: Path, lines: Iterable[str]) -> int:
    """Write `lines` to `file`, and return the number of lines.

    Raises: InputError, if the file cannot be written; the old content of the file is then still there.
    """
    if is_stdout(file):
        count = 0
        for line in lines:
            click.echo(line, nl=False)
            count += 1
        return count
    try:
        return _replaced(file, lines)
    except OSError as error:
        raise unwritable(file, error.strerror or str(error)) from error


def check_destination(shared: Globals, file: Path) -> None:
    """Refuse a file that `written` cannot write, or a stdout used twice.

    Raises: InputError, if `written` could not put a file there, or if stdout would hold two things.
    """
    if is_stdout(file) and (shared.json or shared.events):
        option = "--json" if shared.json else "--events"
        words = f"stdout cannot hold both the file and what {option} prints"
        raise InputError(words, code="usage", hint=f"name a file in place of {file}, or leave {option} out")
    refuse_unwritable(file)


def refuse_unwritable(file: Path) -> None:
    """Refuse a file that `written` cannot write.

    Raises: InputError, if `written` could not put a file there, or would write over a database.
    """
    if is_stdout(file):
        return
    try:
        place, there = real_place(file)
        refuse_database(file)
    except OSError as error:
        raise unwritable(file, error.strerror or str(error)) from error
    if there is not None and S_ISDIR(there.st_mode):
        raise unwritable(file, "it is a directory")
    if there is not None and not S_ISREG(there.st_mode):
        return  # a device or a pipe: nothing is put in its place
    if not place.parent.is_dir():
        raise unwritable(file, f"there is no folder {place.parent}")
    if not os.access(place.parent, os.W_OK):
        raise unwritable(file, f"no right to write in {place.parent}")


def _replaced(file: Path, lines: Iterable[str]) -> int:

    count = 0
    with text_beside(file) as out:
        for line in lines:
            out.write(line)
            count += 1
    return count


def with_evidence(outcome: Outcome, file: Path, *, manifest_sha256: str, head: str) -> Outcome:
    """Add an evidence file and its digests to an outcome."""
    told = {"file": str(file), "manifest_sha256": manifest_sha256, "head": head}
    text = [
        *outcome.text,
        f"wrote {file}; `migrator audit verify {file}` checks it",
        "Note these elsewhere, in a ticket, to hold them against it later:",
        f"  manifest {manifest_sha256}",
        f"  head     {head}",
    ]
    return replace(outcome, data={**outcome.data, "evidence": told}, text=text)
