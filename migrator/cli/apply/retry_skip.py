"""`retry`: have failed steps read and tried again. `skip`: leave SIMs behind.

Both choose SIMs of a plan, and report the result.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options, table
from migrator.core.fleet.units import n_sims
from migrator.core.run.control import Intervened, Selection
from migrator.errors import InputError
from migrator.inputs.files.iccids import read_iccids, unknown_iccids
from migrator.store import Store
from migrator.workflows.cutover.apply import cutover_may_be_retried
from migrator.workflows.lookups.plans import plan_id_of

__all__ = ["retry", "skip"]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Plan and SIMs that a `retry` or `skip` asked for."""

    plan: str | None
    codes: tuple[str, ...]
    wave: str | None
    iccids: Path | None
    dry_run: bool


@dataclass(frozen=True, slots=True)
class _Target:
    """Plan of any kind, with the commands that apply and show it."""

    plan_id: str
    apply: str
    show: str


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
    return finish("retry", shared, lambda: _retry(shared, _Chosen(**options), never_claimed=never_claimed))


def _retry(shared: Globals, asked: _Chosen, *, never_claimed: bool) -> Outcome:
    def act(store: Store, plan_id: str, chosen: Selection, now: float) -> Intervened:
        if store.cutovers.exists(plan_id) is not None:
            cutover_may_be_retried(store, plan_id, never_claimed=never_claimed)
        return store.interventions.retry(plan_id, chosen, now=now, never_claimed=never_claimed, dry_run=asked.dry_run)

    target, came = _intervention(shared, asked, act)
    words = "would be tried again" if asked.dry_run else "are to be tried again"
    return _told(target, asked, came, words, next_step=f"`{target.apply}`, which reads before it sends")


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
    return finish("skip", shared, lambda: _skip(shared, _Chosen(**options)))


def _skip(shared: Globals, asked: _Chosen) -> Outcome:
    def act(store: Store, plan_id: str, chosen: Selection, now: float) -> Intervened:
        skipping = store.interventions if store.cutovers.exists(plan_id) is None else store.cutovers
        return skipping.skip(plan_id, chosen, now=now, dry_run=asked.dry_run)

    target, came = _intervention(shared, asked, act)
    words = "would be set aside" if asked.dry_run else "are set aside"
    return _told(target, asked, came, words, next_step=f"`{target.apply}` goes on without them")


def _intervention(
    shared: Globals, asked: _Chosen, act: Callable[[Store, str, Selection, float], Intervened]
) -> tuple[_Target, Intervened]:
    """Choose SIMs and act on them.

    The store is held while the SIMs are acted on, except in a dry run.

    Returns: the plan, and the result.
    Raises: InputError, for no way to choose or a bad file; StoreBusy, while another run holds the store.
    """
    if not (asked.codes or asked.wave or asked.iccids):
        hint = "give --code, --wave or --iccids; several together mean the SIMs that fit all of them"
        raise InputError("which SIMs are meant?", code="no_selection", hint=hint)
    with wiring.store_of(shared.state, shared.config) as store:
        target = _target(store, asked.plan)
        chosen = _selection(store, target.plan_id, asked)
        now = wiring.SystemClock().now().timestamp()
        if asked.dry_run:
            return target, act(store, target.plan_id, chosen, now)
        with wiring.holding_lease(store):
            return target, act(store, target.plan_id, chosen, now)


def _target(store: Store, given: str | None) -> _Target:
    """Return the plan of any kind that is meant.

    Default: the newest migration.

    Raises: InputError, if there is no such plan.
    """
    if given is not None and store.cutovers.exists(given) is not None:
        return _Target(given, f"migrator {store.cutovers.header(given).direction} apply {given}", "cutover show")
    plan_id = plan_id_of(store, given)
    return _Target(plan_id, f"migrator apply {plan_id}", "status")


def _selection(store: Store, plan_id: str, asked: _Chosen) -> Selection:
    keys = None
    if asked.iccids is not None:
        lines = read_iccids(asked.iccids)
        unknown = store.interventions.not_in_plan(plan_id, lines)
        if unknown:
            raise unknown_iccids(asked.iccids, lines, unknown, plan_id=plan_id)
        keys = frozenset(lines)
    return Selection(frozenset(asked.codes), asked.wave, keys)


def _told(target: _Target, asked: _Chosen, came: Intervened, words: str, *, next_step: str) -> Outcome:
    """Return the outcome, counted by code.

    Args:
        target: the plan.
        asked: the plan and SIMs that were asked for.
        came: the result.
        words: what happened, or would happen, to that many SIMs.
        next_step: the command that goes on.
    """
    data = {"plan_id": target.plan_id, "sims": came.sims, "codes": dict(came.by_code), "dry_run": asked.dry_run}
    text: list[Any] = [f"Plan {target.plan_id}: {n_sims(came.sims)} {words}."]
    if came.by_code:
        text.append(table("", ("code", "SIMs"), sorted(came.by_code.items())))
    if not came.sims:
        text.append(f"`migrator {target.show}` shows what there is, with the codes of failed steps.")
    elif not asked.dry_run:
        text.append(f"Next: {next_step}.")
    return Outcome(data, text)
