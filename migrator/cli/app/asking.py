"""Questions to the person at the terminal."""

import sys

import click

from migrator.cli.app import voice
from migrator.cli.app.common import Globals
from migrator.workflows.lookups.looks import Ask

__all__ = ["asking", "can_ask"]


def can_ask(shared: Globals) -> bool:
    """True if somebody is there who can be asked.

    Nobody is where standard input is closed, as a service manager may leave it.
    """
    return not (shared.no_input or shared.json) and voice.is_tty(sys.stdin)


def asking(shared: Globals) -> Ask | None:
    """Return the question for a plan's id, or None.

    None stands for nobody to ask.
    """
    return _plan_id if can_ask(shared) else None


def _plan_id(words: str) -> str:
    click.echo(words, err=True)
    return str(click.prompt("Type the id of the plan to carry out", err=True)).strip()
