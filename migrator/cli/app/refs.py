"""`--ref`: the change or ticket that a command is for."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["ref_option"]

F = TypeVar("F", bound=Callable[..., Any])


def ref_option(command: F) -> F:
    """Add `--ref`, which gives `ref`: text for `ref_of`, or None."""
    return click.option(
        "--ref",
        metavar="TEXT",
        help="The change or ticket that it is for: kept in log, report and notices.",
    )(command)
