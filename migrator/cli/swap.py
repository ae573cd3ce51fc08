"""`swap`: one unit after the other, on the bench."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options, say, warned
from migrator.cli.app.progress import watching
from migrator.cli.app.words import seconds_of
from migrator.core.fleet.units import counted
from migrator.core.run.results import ExitCode
from migrator.errors import InputError, MigratorError, NotConfirmed, Problem
from migrator.inputs.policy.file import read_policy
from migrator.workflows.apply import Bounds
from migrator.workflows.field.swap import ScannedUnit, Swapped, UnitNotes, scanned_units, swap
from migrator.workflows.site import Site

__all__ = ["swap_unit"]

CODES = (
    "0 LIVE, 2 input, 3 not LIVE: a person must look, 4 refused, 5 of another store, 6 a gate or cap, 7 resumable by "
    "the same command, 9 another run holds the store, 130 interrupted."
)


@click.command("swap", epilog=f"Exit codes: {CODES}")
@click.argument("old", required=False)
@click.argument("new", required=False)
@click.option(
    "--policy", "policy_file", type=click.Path(path_type=Path), required=True, help="The policy, a TOML file."
)
@click.option("--unit", help="The name of the unit.")
@click.option("--site", "place", help="Its place.")
@click.option("--ticket", help="The ticket of the swap.")
@click.option("--confirm", type=click.IntRange(0), metavar="COUNT", help="The most SIMs to claim: each bills at once.")
@click.option("--confirm-pauses", type=int, metavar="COUNT", help="1, if the policy pauses it while it is live.")
@click.option("--wait", metavar="DURATION", help="How long to stay for a SIM that is only pending [30m].")
@click.option("--scan", is_flag=True, help="Read a barcode scanner from stdin: two scans a unit; `undo` drops one.")
@global_options
@click.pass_obj
def swap_unit(shared: Globals, /, **options: Any) -> int:
    """Swap one unit: pair OLD with NEW, claim, set up, read back.

    NEW is claimed, or adopted if it is ours already, and gets limits, tag, name and state by the policy, within its
    caps. The same command goes on after any interruption, and never claims twice.

    With --scan, the inventory tells which of two scans is the old SIM. Errors are told, and the next unit goes on.
    """
    return finish("swap", shared, lambda: _swap(shared, **options))


def _swap(
    shared: Globals,
    *,
    old: str | None,
    new: str | None,
    policy_file: Path,
    unit: str | None,
    place: str | None,
    ticket: str | None,
    confirm: int | None,
    confirm_pauses: int | None,
    wait: str | None,
    scan: bool,
) -> Outcome:
    if scan and (old or new or unit):
        raise InputError("--scan reads the units from stdin", code="usage", hint="leave OLD, NEW and --unit out")
    if not scan and not (old and new):
        raise InputError("OLD and NEW are missing", code="usage", hint="give both ICCIDs, or --scan")
    read_policy(policy_file)  # refused before the first scan
    bounds = Bounds(wait_s=None if wait is None else seconds_of("--wait", wait))
    notes = UnitNotes(unit, place, ticket)
    chosen = wiring.settings(shared.config)
    chosen.hologram()
    with wiring.open_store(shared.state or chosen.state) as store, watching(shared) as progress:
        site = Site(store, chosen, progress, warned)
        for words in chosen.warnings:
            warned(words)
        if scan:
            if confirm is None:
                words = "--scan may claim a SIM for every unit, which bills at once and cannot be undone"
                raise NotConfirmed(words, hint="add --confirm COUNT: the most SIMs to claim")
            return _summed(list(_each(site, policy_file, notes, confirm, bounds)))
        done = swap(
            site,
            old or "",
            new or "",
            policy=policy_file,
            confirm=confirm,
            confirm_pauses=confirm_pauses,
            notes=notes,
            bounds=bounds,
        )
    return _told(done)


def _told(done: Swapped) -> Outcome:
    data = _values(done)
    text = (_line(done),)
    if done.exit_code is ExitCode.DONE:
        return Outcome(data, text)
    code = "attention" if done.exit_code is ExitCode.ATTENTION else "stopped"
    hint = f"`migrator plan explain {done.plan_id} {done.old}`; the same command goes on"
    return Outcome(data, text, done.exit_code, (Problem(code, done.words, hint),))


def _values(done: Swapped) -> dict[str, Any]:
    return {
        "old": str(done.old),
        "new": str(done.new),
        "live": done.is_live,
        "reason": done.words,
        "claimed": done.claimed,
        "name": done.name,
        "device_id": done.device_id,
        "plan_id": done.plan_id,
        "exit_code": int(done.exit_code),
    }


def _line(done: Swapped) -> str:
    named = f", {done.name!r}" if done.name else ""
    state = "LIVE" if done.is_live else f"NOT LIVE: {done.words}"
    return f"{done.old} -> {done.new}{named}: {state}"


def _each(site: Site, policy: Path, notes: UnitNotes, most: int, bounds: Bounds) -> Iterator[dict[str, Any]]:
    """Swap unit after unit, and say at once what became of each."""
    left = most
    for unit in scanned_units(site.store, iter(sys.stdin.readline, "")):
        try:
            done = _one(site, policy, notes, min(left, 1), bounds, unit)
        except MigratorError as error:
            problem = error.problems[0]
            say(f"scan {unit.line}: NOT LIVE: {problem.message}")
            say(problem.hint, "  ")
            sims = {"old": unit.old and str(unit.old), "new": unit.new and str(unit.new)}
            yield {**sims, "live": False, "reason": problem.message, "exit_code": int(error.exit_code)}
            continue
        left -= done.claimed
        say(_line(done))
        yield _values(done)


def _one(  # noqa: PLR0917 - handed through as they came
    site: Site, policy: Path, notes: UnitNotes, confirm: int, bounds: Bounds, unit: ScannedUnit
) -> Swapped:
    if unit.problem is not None or unit.old is None or unit.new is None:
        found = unit.problem or Problem("half_a_unit", "half a unit")
        raise InputError(found.message, code=found.code, hint=found.hint)
    return swap(site, str(unit.old), str(unit.new), policy=policy, confirm=confirm, notes=notes, bounds=bounds)


def _summed(units: list[dict[str, Any]]) -> Outcome:
    live = sum(unit["live"] for unit in units)
    data = {"units": units, "live": live, "not_live": len(units) - live}
    text = (f"{counted(len(units), 'unit')}: {live} LIVE, {len(units) - live} not.",)
    if live == len(units):
        return Outcome(data, text)
    problem = Problem("attention", f"{counted(len(units) - live, 'unit')} not LIVE", "scan them again, or see above")
    return Outcome(data, text, ExitCode.ATTENTION, (problem,))
