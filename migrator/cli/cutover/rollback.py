"""`rollback`: back to the old SIMs.

The SIMs are those that a cutover switched off.
"""

from pathlib import Path
from typing import Any

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options
from migrator.cli.app.files import check_destination
from migrator.cli.app.lookups import plan_id_of
from migrator.cli.cutover.cutover import planned
from migrator.cli.cutover.run import APPLY_CODES, applied, apply_options, options_given, wave_counts
from migrator.core.cutover.plan import Direction
from migrator.errors import Problem
from migrator.inputs.files.iccids import read_iccids
from migrator.store import Store
from migrator.wiring.pace import ceiling
from migrator.workflows.cutover.make import make_rollback

__all__ = ["apply", "plan"]


@click.command("plan", epilog="Exit codes: 0 done, 2 input, 9 another run holds the store.")
@click.argument("plan_id", metavar="[PLAN]", required=False)
@click.option(
    "--iccids", "file", type=click.Path(path_type=Path, exists=True), help="Only these: a source ICCID on each line."
)
@click.option("--waves", metavar="N,N", help="SIMs in the first waves (10,100); the rest follows. Default: the plan's.")
@click.option("--out", type=click.Path(path_type=Path, allow_dash=True), help="Also write it as JSON Lines.")
@global_options
@click.pass_obj
def plan(shared: Globals, /, *, plan_id: str | None, file: Path | None, waves: str | None, out: Path | None) -> int:
    """Say which SIMs of PLAN can go back to their old SIM.

    These are the SIMs that a cutover of ours switched off. Sends nothing.

    `rollback apply` enables the old SIM, proves it by reading, and only then pauses the new one. Claims and what they
    charged cannot be undone.
    """
    return finish("rollback plan", shared, lambda: _plan(shared, plan_id, file, waves, out))


def _plan(shared: Globals, plan_id: str | None, file: Path | None, waves: str | None, out: Path | None) -> Outcome:

    counts = wave_counts(waves)
    listed = None if file is None else set(read_iccids(file))
    if out is not None:
        check_destination(shared, out)
    with wiring.store_of(shared.state, shared.config) as store, wiring.holding_lease(store):
        wiring.must_be_at_1nce(store)
        given = plan_id_of(store, plan_id or _plan_of_cutover(store))
        now = wiring.SystemClock().now().timestamp()
        rps = ceiling(store, "1nce", wiring.settings(shared.config).max_rps("ONENCE_MAX_RPS"))()
        header = make_rollback(store, store.plans.header(given), listed=listed, waves=counts, now=now, source_rps=rps)
        outcome = planned(store, header, out)
        known = {row.source_iccid.key for row in store.switches.rows(header.switch_id)} if listed else set()
    strangers = sorted((listed or set()) - known)
    problems = [Problem("warning", f"plan {given} does not hold the SIM {key} of {file}") for key in strangers]
    return Outcome(outcome.data, outcome.text, problems=problems, is_on_stdout=outcome.is_on_stdout)


def _plan_of_cutover(store: Store) -> str | None:
    """Return the migration's plan that was cut over last.

    The way back is for that plan, also when there is a newer plan.
    """
    newest = store.switches.newest(Direction.CUTOVER)
    return None if newest is None else store.switches.header(newest).plan_id


@click.command("apply", epilog=f"Exit codes: {APPLY_CODES}")
@apply_options(Direction.ROLLBACK)
@global_options
@click.pass_obj
def apply(shared: Globals, /, **options: Any) -> int:
    """Carry out the rollback plan ID, or go on with it.

    Default: the newest, if you were shown no other since.

    Per SIM: enable the old one at 1NCE, prove it by reading, then pause the new one at Hologram, so that never both are
    off. The same command resumes after any interruption.
    """
    return finish("rollback apply", shared, lambda: applied(shared, options_given(Direction.ROLLBACK, **options)))
