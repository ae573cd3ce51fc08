"""`rollback`: back to the old SIMs.

The SIMs are those that a cutover switched off.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options, table
from migrator.cli.app.files import check_destination
from migrator.cli.cutover.cutover import SHOWN, planned
from migrator.cli.cutover.run import APPLY_CODES, applied, apply_options, options_given, wave_counts
from migrator.core.cutover.plan import Direction
from migrator.core.cutover.rules import moment_s
from migrator.core.fleet.units import counted
from migrator.errors import InputError, Problem
from migrator.inputs.files.iccids import read_iccids
from migrator.workflows.cutover.back import WayBack, named_units, plan_way_back, switched_since
from migrator.workflows.cutover.lookups import plan_cut_over_last
from migrator.workflows.cutover.make import make_rollback
from migrator.workflows.cutover.show import CutoverShown, cutover_shown
from migrator.workflows.lookups.plans import plan_id_of

__all__ = ["apply", "plan"]


@click.command("plan", epilog="Exit codes: 0 done, 2 input, 9 another run holds the store.")
@click.argument("plan_id", metavar="[PLAN]", required=False)
@click.option(
    "--iccids", "file", type=click.Path(path_type=Path, exists=True), help="Only these: a source ICCID on each line."
)
@click.option("--unit", "units", metavar="NAME", multiple=True, help="Only this unit, by any name that `show` takes.")
@click.option("--since", metavar="DATE", help="Only SIMs that went off since: 2026-11-20, or with a time (UTC).")
@click.option("--waves", metavar="N,N", help="SIMs in the first waves (10,100); the rest follows. Default: the plan's.")
@click.option("--out", type=click.Path(path_type=Path, allow_dash=True), help="Also write it as JSON Lines.")
@global_options
@click.pass_obj
def plan(shared: Globals, /, **asked: Any) -> int:
    """Say which SIMs can go back to their old SIM.

    These are the SIMs that a cutover of ours switched off: those of PLAN, or, with --unit, --since or --iccids, of all
    plans. Then each migration gets a rollback plan of its own. Sends nothing.

    `rollback apply` enables the old SIM, proves it by reading, and only then pauses the new one. Claims and what they
    charged cannot be undone.
    """
    return finish("rollback plan", shared, lambda: _plan(shared, **asked))


def _plan(
    shared: Globals,
    *,
    plan_id: str | None,
    file: Path | None,
    units: Sequence[str],
    since: str | None,
    waves: str | None,
    out: Path | None,
) -> Outcome:
    if sum(map(bool, (file, units, since))) > 1:
        raise InputError("--iccids, --unit and --since: give one of them", code="usage")
    counts, since_s = wave_counts(waves), None if since is None else _since_s(since)
    listed = None if file is None else set(read_iccids(file))
    if out is not None:
        check_destination(shared, out)
    with wiring.store_of(shared.state, shared.config) as store, wiring.holding_lease(store):
        chosen = wiring.settings(shared.config)
        wiring.must_be_asked(chosen, store)
        now = wiring.SystemClock().now().timestamp()
        rps = wiring.source_rps(chosen, store)
        given = None if plan_id is None else plan_id_of(store, plan_id)
        keys = named_units(store, units) if units else listed if since_s is None else switched_since(store, since_s)
        if keys is None:
            of = given or plan_id_of(store, plan_cut_over_last(store))
            header = make_rollback(store, store.plans.header(of), listed=None, waves=counts, now=now, source_rps=rps)
            return planned(cutover_shown(store, header, sims=SHOWN), out)
        back = plan_way_back(store, keys, plan_id=given, is_one=out is not None, waves=counts, now=now, source_rps=rps)
        shown = [cutover_shown(store, header, sims=SHOWN) for header in back.headers]
        return _told(back, shown, store.inventory.source_name(), out=out, given=given, file=file)


def _told(
    back: WayBack,
    shown: Sequence[CutoverShown],
    source: str,
    *,
    out: Path | None,
    given: str | None,
    file: Path | None,
) -> Outcome:
    """Return the rollback plans of one wish, shown as one."""
    where = "no cutover of ours" if given is None else f"no cutover of plan {given}"
    named = "" if file is None else f" of {file}"
    problems = [Problem("warning", f"{where} holds the SIM {key}{named} off") for key in back.not_off]
    if len(shown) == 1:
        return replace(planned(shown[0], out), problems=problems)
    each = [planned(one, None).data for one in shown]
    rows = [(header.cutover_id, header.plan_id, header.count) for header in back.headers]
    text: list[Any] = ["No SIM can go back: no cutover of ours holds one of them off."]
    if rows:
        text = [
            f"{counted(back.count, 'SIM')} to switch on again at {source}, of {len(rows)} migrations.",
            table("A rollback plan for each", ("rollback", "of plan", "SIMs"), rows),
            *(
                f"`migrator rollback apply {header.cutover_id} --confirm {header.count}`"
                for header in back.headers
                if header.count
            ),
        ]
    return Outcome({"count": back.count, "rollbacks": each}, text, problems=problems)


def _since_s(text: str) -> float:
    """Return the moment that a person wrote, in UTC seconds.

    Raises: InputError.
    """
    at_s = moment_s(text)
    if at_s is None:
        words = f"--since {text!r} is no date"
        raise InputError(words, code="bad_date", hint="write 2026-11-20, or 2026-11-20T08:00:00Z")
    return at_s


@click.command("apply", epilog=f"Exit codes: {APPLY_CODES}")
@apply_options(Direction.ROLLBACK)
@global_options
@click.pass_obj
def apply(shared: Globals, /, **options: Any) -> int:
    """Carry out the rollback plan ID, or go on with it.

    Default: the newest, if you were shown no other since.

    Per SIM: enable the old one at its carrier, prove it by reading, then pause the new one at Hologram, so that never
    both are off. The same command resumes after any interruption.
    """
    return finish("rollback apply", shared, lambda: applied(shared, options_given(Direction.ROLLBACK, **options)))
