"""Parts that `retry` and `skip` share.

Both choose SIMs of a plan, and report the result.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, table
from migrator.cli.app.lookups import plan_id_of
from migrator.cli.app.words import n_sims
from migrator.core.run.control import Selection
from migrator.errors import InputError
from migrator.inputs.files.iccids import read_iccids, unknown_iccids
from migrator.store import Store
from migrator.store.journal.retry_skip import Intervened

__all__ = ["Asked", "intervention", "selection_options", "told"]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Asked:
    """Plan and SIMs that a `retry` or `skip` asked for."""

    plan: str | None
    codes: tuple[str, ...]
    wave: str | None
    iccids: Path | None
    dry_run: bool


def selection_options(command: F) -> F:
    """Add the plan and the options to choose SIMs to a command."""
    options = (
        click.argument("plan", required=False),
        click.option("--code", "codes", multiple=True, help="With a step that failed so; `status` lists the codes."),
        click.option("--wave", metavar="NAME", help="In this wave."),
        click.option(
            "--iccids", metavar="FILE", type=click.Path(path_type=Path), help="In this file, one ICCID a line."
        ),
        click.option("--dry-run", is_flag=True, help="Only tell how many SIMs there are; change nothing."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def intervention(
    shared: Globals, asked: Asked, act: Callable[[Store, str, Selection, float], Intervened]
) -> tuple[str, Intervened]:
    """Choose SIMs and act on them.

    The store is held while the SIMs are acted on, except in a dry run.

    Returns: the plan's id, and the result.
    Raises: InputError, for no way to choose or a bad file; StoreBusy, while another run holds the store.
    """
    if not (asked.codes or asked.wave or asked.iccids):
        hint = "give --code, --wave or --iccids; several together mean the SIMs that fit all of them"
        raise InputError("which SIMs are meant?", code="no_selection", hint=hint)
    with wiring.store_of(shared.state, shared.config) as store:
        plan_id = plan_id_of(store, asked.plan)
        chosen = _selection(store, plan_id, asked)
        now = wiring.SystemClock().now().timestamp()
        if asked.dry_run:
            return plan_id, act(store, plan_id, chosen, now)
        with wiring.holding_lease(store):
            return plan_id, act(store, plan_id, chosen, now)


def _selection(store: Store, plan_id: str, asked: Asked) -> Selection:

    keys = None
    if asked.iccids is not None:
        lines = read_iccids(asked.iccids)
        unknown = store.interventions.not_in_plan(plan_id, lines)
        if unknown:
            raise unknown_iccids(asked.iccids, lines, unknown, plan_id=plan_id)
        keys = frozenset(lines)
    return Selection(frozenset(asked.codes), asked.wave, keys)


def told(plan_id: str, asked: Asked, came: Intervened, words: str, *, next_step: str) -> Outcome:
    """Return the outcome, counted by code.

    Args:
        plan_id: the plan.
        asked: the plan and SIMs that were asked for.
        came: the result.
        words: what happened, or would happen, to that many SIMs.
        next_step: the command that goes on.
    """
    data = {"plan_id": plan_id, "sims": came.sims, "codes": dict(came.by_code), "dry_run": asked.dry_run}
    text: list[Any] = [f"Plan {plan_id}: {n_sims(came.sims)} {words}."]
    if came.by_code:
        text.append(table("", ("code", "SIMs"), sorted(came.by_code.items())))
    if not came.sims:
        text.append("`migrator status` shows what there is, with the codes of failed steps.")
    elif not asked.dry_run:
        text.append(f"Next: {next_step}.")
    return Outcome(data, text)
