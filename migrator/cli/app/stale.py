"""Warnings of a plan, said before anything is confirmed or sent."""

from collections.abc import Sequence
from dataclasses import replace

from migrator.cli.app.common import Globals, Outcome, say
from migrator.errors import Problem

__all__ = ["say_at_once", "with_warnings"]


def say_at_once(shared: Globals, warnings: Sequence[str]) -> None:
    """Print warnings for a person before anything is confirmed or sent.

    A JSON document has the warnings at its end instead.
    """
    if not (shared.json or shared.events):
        for words in warnings:
            say(f"warning: {words}")


def with_warnings(shared: Globals, outcome: Outcome, warnings: Sequence[str]) -> Outcome:
    """Add the warnings to the outcome of a JSON document.

    A person has read the warnings before, from `say_at_once`.
    """
    if not (shared.json or shared.events):
        return outcome
    return replace(outcome, problems=[*(Problem("warning", words) for words in warnings), *outcome.problems])
