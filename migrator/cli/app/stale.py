"""Refusing a plan that the world has moved on from, in the words of every command that goes by one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from migrator.cli.app.common import Globals, Outcome, say
from migrator.errors import Problem, StalePlan

if TYPE_CHECKING:
    from migrator.core.plan.plan import PlanHeader
    from migrator.store import Store

__all__ = ["refuse_stale", "say_at_once", "with_warnings"]


def refuse_stale(store: "Store", header: "PlanHeader", hint: str) -> list[str]:
    """Returns: warnings, of what could not be looked at. Raises: StalePlan, saying what changed since."""
    from migrator.workflows.changes_since import changes_since

    since = changes_since(store, header)
    if since.changed:
        problems = tuple(Problem("changed", line) for line in since.changed)
        words = f"plan {header.plan_id} is stale: what it was made from has changed"
        raise StalePlan(words, problems=(*problems, Problem("stale_plan", words, hint)))
    return since.warnings


def say_at_once(shared: Globals, warnings: Sequence[str]) -> None:
    """Tell a person before anything is confirmed or sent; a document has them at its end."""
    if not (shared.json or shared.events):
        for words in warnings:
            say(f"warning: {words}")


def with_warnings(shared: Globals, outcome: Outcome, warnings: Sequence[str]) -> Outcome:
    """A document's share of what `say_at_once` tells people."""
    if not (shared.json or shared.events):
        return outcome
    return replace(outcome, problems=[*(Problem("warning", words) for words in warnings), *outcome.problems])
