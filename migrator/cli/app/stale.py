"""Refusal of a stale plan, in the same words for every command."""

from collections.abc import Sequence
from dataclasses import replace

from migrator.cli.app.common import Globals, Outcome, say
from migrator.core.plan.plan import PlanHeader
from migrator.errors import Problem, StalePlan
from migrator.store import Store
from migrator.workflows.changes_since import changes_since

__all__ = ["refuse_stale", "say_at_once", "with_warnings"]


def refuse_stale(store: Store, header: PlanHeader, hint: str) -> list[str]:
    """Refuse a plan whose inputs changed after the plan was made.

    Returns: warnings about what could not be read.
    Raises: StalePlan, saying what changed since.
    """
    since = changes_since(store, header)
    if since.changed:
        problems = tuple(Problem("changed", line) for line in since.changed)
        words = f"plan {header.plan_id} is stale: what it was made from has changed"
        raise StalePlan(words, problems=(*problems, Problem("stale_plan", words, hint)))
    return since.warnings


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
