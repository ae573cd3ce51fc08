"""`retry`: have failed steps read and tried again. `skip`: leave SIMs behind.

Both choose SIMs of a plan, and report the result.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options, table
from migrator.core.fleet.units import n_sims
from migrator.core.run.control import Intervened
from migrator.workflows.journal.retry_skip import Target, Wish, retry_sims, skip_sims

__all__ = ["retry", "skip"]

F = TypeVar("F", bound=Callable[..., Any])


def _selection_options(command: F) -> F:
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


@click.command("retry", epilog="Exit codes: 0 done, 2 input, 5 a later plan has these SIMs, 9 the store is held.")
@_selection_options
@click.option(
    "--never-claimed",
    is_flag=True,
    help="Hologram has said that these SIMs are not claimed, whatever its reply named: claim them again.",
)
@global_options
@click.pass_obj
def retry(shared: Globals, /, never_claimed: bool, **options: Any) -> int:
    """Have failed steps of some SIMs read and tried again.

    PLAN is by default the newest migration; it may be a cutover or rollback. Nothing is sent now. The next `apply`
    reads each of these SIMs first: what happened after all counts as done, and only what surely did not happen is sent.
    A finished plan is in use again.
    """
    return finish("retry", shared, lambda: _retry(shared, Wish(**options), never_claimed=never_claimed))


def _retry(shared: Globals, wish: Wish, *, never_claimed: bool) -> Outcome:
    with wiring.store_of(shared.state, shared.config) as store:
        target, came = retry_sims(store, wish, never_claimed=never_claimed)
    words = "would be tried again" if wish.dry_run else "are to be tried again"
    return _told(target, wish, came, words, next_step=f"`{target.apply}`, which reads before it sends")


@click.command("skip", epilog="Exit codes: 0 done, 2 input, 9 another run holds the store.")
@_selection_options
@global_options
@click.pass_obj
def skip(shared: Globals, /, **options: Any) -> int:
    """Skip SIMs of PLAN: nothing more is sent for them.

    PLAN is by default the newest migration; it may be a cutover or rollback. No gate waits for these SIMs. What is done
    for them stays done, so a claimed SIM goes on to be billed. A skip cannot be taken back under this plan; a new plan
    has the SIMs again. SIMs that are verified, or switched and proved, are left as they are.
    """
    return finish("skip", shared, lambda: _skip(shared, Wish(**options)))


def _skip(shared: Globals, wish: Wish) -> Outcome:
    with wiring.store_of(shared.state, shared.config) as store:
        target, came = skip_sims(store, wish)
    words = "would be set aside" if wish.dry_run else "are set aside"
    return _told(target, wish, came, words, next_step=f"`{target.apply}` goes on without them")


def _told(target: Target, wish: Wish, came: Intervened, words: str, *, next_step: str) -> Outcome:
    """Return the outcome, counted by code.

    Args:
        target: the plan.
        wish: the plan and SIMs that were asked for.
        came: the result.
        words: what happened, or would happen, to that many SIMs.
        next_step: the command that goes on.
    """
    data = {"plan_id": target.plan_id, "sims": came.sims, "codes": dict(came.by_code), "dry_run": wish.dry_run}
    text: list[Any] = [f"Plan {target.plan_id}: {n_sims(came.sims)} {words}."]
    if came.by_code:
        text.append(table("", ("code", "SIMs"), sorted(came.by_code.items())))
    if not came.sims:
        text.append(f"`migrator {target.show}` shows what there is, with the codes of failed steps.")
    elif not wish.dry_run:
        text.append(f"Next: {next_step}.")
    return Outcome(data, text)
