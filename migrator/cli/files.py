"""Writing what a user asked for into a file, whole or not at all; `-` is stdout."""

import os
from collections.abc import Iterable
from pathlib import Path

import click

from migrator.errors import InputError

__all__ = ["refuse_unwritable", "written"]


def written(file: Path, lines: Iterable[str]) -> int:
    """Write `lines` to `file`. Returns: how many there were.

    Raises: InputError, if the file cannot be written; then whatever was there before is still there.
    """
    if str(file) == "-":
        count = 0
        for line in lines:
            click.echo(line, nl=False)
            count += 1
        return count
    try:
        return _replaced(file, lines)
    except OSError as error:
        raise InputError(
            f"{file} cannot be written: {error.strerror or error}", code="unwritable", hint="choose another file"
        ) from error


def refuse_unwritable(file: Path) -> None:
    """Raises: InputError, if `written` could not put a file there."""
    if str(file) != "-" and (file.is_dir() or not os.access(file.absolute().parent, os.W_OK)):
        hint = "choose a file in a folder that is there and can be written"
        raise InputError(f"{file} cannot be written", code="unwritable", hint=hint)


def _replaced(file: Path, lines: Iterable[str]) -> int:
    from migrator.reports.placing import text_beside

    count = 0
    with text_beside(file, mode=0o644) as out:
        for line in lines:
            out.write(line)
            count += 1
    return count
