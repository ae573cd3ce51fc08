"""Parts that `cutover apply` and `rollback apply` share.

Both find the plan, ask for its confirmation, run it, and report its end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import zip_longest
from pathlib import Path
from typing import Any

import click

from migrator import wiring
from migrator.cli.app.asking import asking, can_ask
from migrator.cli.app.common import Globals, Outcome, table, warned
from migrator.cli.app.progress import watching
from migrator.cli.app.refs import ref_option
from migrator.cli.app.words import head_line, seconds_of
from migrator.cli.apply.dry_run import dry_outcome, outbox, refuse_requests
from migrator.core.cutover.plan import CutoverHeader, Direction, header_from
from migrator.core.cutover.results import CutoverResult
from migrator.core.fleet.sims import ONENCE
from migrator.core.plan.refs import ref_of
from migrator.core.run.results import ExitCode
from migrator.errors import InputError, Problem, StalePlan
from migrator.inputs.settings.settings import Settings
from migrator.store import Store
from migrator.workflows.cutover.apply import (
    VERBS,
    CutoverBounds,
    carry_out_cutover,
    cutover_must_be_confirmed,
    cutover_must_be_ready,
    dry_run_cutover,
)
from migrator.workflows.cutover.make import cutover_lines
from migrator.workflows.lookups.looks import meant_cutover, shown_cutover
from migrator.workflows.site import Site

__all__ = [
    "APPLY_CODES",
    "CutoverApplyOptions",
    "alive_within_s",
    "applied",
    "apply_options",
    "confirm",
    "cutover_id_of",
    "finished_before",
    "options_given",
    "outcome_rows",
    "rest_s",
    "verified_share",
    "wave_counts",
]

APPLY_CODES = (
    "0 done, 2 input, 3 done but some SIMs need attention, 4 refused, 5 stale or of another store, 6 a gate or too "
    "many failures, 7 resumable, 9 another run holds the store, 130 interrupted."
)
MOST_WAVES = 20
WHAT = {
    Direction.CUTOVER: "switches {count} old SIMs off at {source}",
    Direction.ROLLBACK: "switches {count} old SIMs on at {source}, and then pauses their new ones",
}


@dataclass(frozen=True, slots=True)
class CutoverApplyOptions:
    """Options of one `cutover apply` or `rollback apply`."""

    direction: Direction
    cutover_id: str | None
    confirm: int | None
    dry_run: bool
    requests: Path | None
    bounds: CutoverBounds


def apply_options(direction: Direction) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Return a decorator that adds the options of both `apply`."""
    verb = VERBS[direction]
    options = (
        click.argument("cutover_id", metavar="[ID]", required=False),
        click.option(
            "--confirm", type=int, metavar="COUNT", help=f"How many SIMs it will {verb}: `{direction} plan` says it."
        ),
        click.option(
            "--dry-run", is_flag=True, help="Print the requests that would go out; send none, change nothing."
        ),
        click.option(
            "--requests",
            type=click.Path(path_type=Path, allow_dash=True),
            help="With --dry-run: write every request, whole, as JSON Lines; `-` is stdout.",
        ),
        click.option("--wave", metavar="NAME", help="Work on this wave only; the one before must be switched."),
        click.option("--wait", metavar="DURATION", help="How long to stay for orders that are not proved yet [30m]."),
        click.option("--max-duration", metavar="DURATION", help="Stop in good order after so long, with exit 7."),
        ref_option,
    )

    def add(command: Callable[..., int]) -> Callable[..., int]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def options_given(
    direction: Direction,
    *,
    wave: str | None,
    wait: str | None,
    max_duration: str | None,
    ref: str | None,
    **others: Any,
) -> CutoverApplyOptions:
    """Return the options, with durations in seconds.

    Raises: InputError, naming an option whose text is no duration.
    """
    wait_s = None if wait is None else seconds_of("--wait", wait)
    most_s = None if max_duration is None else seconds_of("--max-duration", max_duration)
    return CutoverApplyOptions(direction, bounds=CutoverBounds(wave, wait_s, most_s, ref_of(ref)), **others)


# --- what a command line says -------------------------------------------------------------------------------------


def cutover_id_of(store: Store, given: str | None, direction: Direction | None) -> str:
    """Return the id of the cutover or rollback plan that is meant.

    That is `given`, an id or a plan file, or the newest of this direction.

    Raises: InputError, if there is none; StalePlan, for a file of another store.
    """
    if given is None:
        newest = store.cutovers.newest(direction)
        if newest is None:
            name = "cutover" if direction is None else direction.value
            hint = f"run `migrator {name} plan`"
            raise InputError(f"the store holds no {name} plan yet", code="no_plan", hint=hint)
        return newest
    file = Path(given) if Path(given).is_file() else None
    if file is not None:
        given = _id_in_file(store, file)
    header = store.cutovers.header(given)
    if file is not None:
        _must_be_the_stored_plan(store, file, given)
    if direction is not None and header.direction is not direction:
        raise InputError(
            f"{given} is a {header.direction} plan", code="other_direction", hint=f"`migrator {header.direction} apply`"
        )
    return given


def _id_in_file(store: Store, file: Path) -> str:

    try:
        with file.open(encoding="utf-8") as lines:
            header = header_from(next(lines))
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        hint = "`migrator cutover show --out FILE` writes one"
        raise InputError(f"{file} is no cutover or rollback plan", code="bad_plan_file", hint=hint) from None
    if header.lineage != store.lineage:
        raise StalePlan(
            f"{file} was made from another store (lineage {header.lineage}, this one is {store.lineage})",
            code="other_lineage",
            hint="use the store that it was made from, or make a new plan here",
        )
    return header.cutover_id


def _must_be_the_stored_plan(store: Store, file: Path, cutover_id: str) -> None:
    """Refuse a file that is not the stored plan to the letter.

    Raises: InputError, naming the first line that differs.
    """
    with file.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        pairs = zip_longest(lines, cutover_lines(store, cutover_id))
        number = next((at for at, (here, there) in enumerate(pairs, 1) if here != there), None)
    if number is not None:
        raise InputError(
            f"{file}:{number}: this is not what the store holds of plan {cutover_id}: the file was changed since it "
            "was written",
            code="edited_plan",
            hint="a plan is not edited: make a new one; or write this one again: `migrator cutover show --out FILE`",
        )


def rest_s(text: str | None, default: float) -> float:
    """Return the seconds of `--rest`, or of the policy.

    Raises: InputError, naming the option.
    """
    return default if text is None else seconds_of("--rest", text)


def alive_within_s(text: str | None, default: float) -> float:
    """Return the seconds of `--alive-within`, or of the policy.

    Raises: InputError, naming the option.
    """
    seconds = default if text is None else seconds_of("--alive-within", text)
    if not seconds:
        hint = "write a longer one, such as 14d"
        raise InputError(f"--alive-within: no SIM could meet {text!r}", code="bad_duration", hint=hint)
    return seconds


def verified_share(text: str | None, default: Decimal) -> Decimal:
    """Return the share of `--verified-share`, or of the policy.

    Raises: InputError, naming the option.
    """
    if text is None:
        return default
    try:
        share = Decimal(text)
    except InvalidOperation:
        share = Decimal(-1)
    if not (share.is_finite() and 0 <= share <= 1):
        hint = "a number from 0 (asks nothing) to 1 (all of them), such as 0.99"
        raise InputError(f"--verified-share: {text!r} is no share", code="bad_share", hint=hint)
    return share


def wave_counts(text: str | None) -> tuple[int, ...]:
    """Return the numbers of `--waves`.

    Raises: InputError, if the text is no list of numbers.
    """
    if text is None:
        return ()
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and int(part) > 0 for part in parts) or len(parts) > MOST_WAVES:
        hint = "numbers of SIMs, such as 10,100: what is left comes after them"
        raise InputError(f"--waves: {text!r} is no list of up to {MOST_WAVES} numbers", code="bad_waves", hint=hint)
    return tuple(map(int, parts))


# --- the run ------------------------------------------------------------------------------------------------------


def applied(shared: Globals, options: CutoverApplyOptions) -> Outcome:
    """Carry out a cutover or rollback plan, or go on with it."""
    if options.requests is not None:
        told = "`migrator cutover show` shows how far a plan is"
        refuse_requests(shared, options.requests, is_dry_run=options.dry_run, hint=told)
    chosen = wiring.settings(shared.config)
    chosen.hologram()
    with wiring.open_store(shared.state or chosen.state) as store:
        wiring.must_be_asked(chosen, store)
        chosen.source()
        cutover_id = cutover_id_of(store, options.cutover_id, options.direction)
        if options.cutover_id is None and not options.dry_run:
            cutover_id = meant_cutover(store, options.direction, cutover_id, asking(shared))
        header = store.cutovers.header(cutover_id)
        if store.cutovers.state(header.cutover_id) == "finished":
            return finished_before(store, header)
        if options.dry_run:
            return _dry_run(shared, chosen, store, header, options)
        cutover_must_be_ready(store, header)
        if not header.count:
            return Outcome({"switch_id": header.cutover_id, "count": 0}, ("There is nothing to switch.",))
        confirm(shared, store, header, options.confirm)
        with watching(shared) as progress:
            result = carry_out_cutover(Site(store, chosen, progress, warned), header, options.bounds)
        head = store.audit.head()
    return _told(header, result, head)


def finished_before(store: Store, header: CutoverHeader) -> Outcome:
    """Return the outcome of a plan that was finished before.

    A plan is used once: nothing is read at a carrier and nothing sent.
    """
    runs = store.journal.runs(header.cutover_id)
    exit_code = int(runs[-1].exit_code or 0) if runs else 0
    data = {"switch_id": header.cutover_id, "state": "finished"}
    text = (f"Plan {header.cutover_id} was carried out before: `migrator cutover show {header.cutover_id}`.",)
    if not exit_code:
        return Outcome(data, text)
    hint = f"`migrator cutover show {header.cutover_id}` lists them; make a new plan for those that can be mended"
    problem = Problem("attention", f"plan {header.cutover_id} is finished, and some SIMs need attention", hint)
    return Outcome(data, text, exit_code, (problem,))


def confirm(shared: Globals, store: Store, header: CutoverHeader, given: int | None) -> None:
    """Ask for the number of SIMs before a plan's first run.

    Raises: InputError, if the number is wrong, or nobody can be asked.
    """
    is_asked_for = given is None and store.cutovers.state(header.cutover_id) != "started"
    if is_asked_for and can_ask(shared):
        source = store.inventory.source_name()
        words = f"Plan {header.cutover_id} {WHAT[header.direction].format(count=header.count, source=source)}."
        for line in (words, *(f"Mind: {line}." for line in header.summary["reminders"])):
            click.echo(line, err=True)
        given = click.prompt(f"Type the number of SIMs to {VERBS[header.direction]}", type=int, err=True)
    cutover_must_be_confirmed(store, header, given)


# --- the end ------------------------------------------------------------------------------------------------------


def _told(header: CutoverHeader, result: CutoverResult, head: str) -> Outcome:
    data = {
        "switch_id": result.cutover_id,
        "run_id": result.run_id,
        "reason": result.reason,
        "count": header.count,
        "proved": result.proved,
        "already": result.already,
        "paused": result.paused,
        "unproved": result.unproved,
        "aside": dict(result.aside),
        "failed": dict(result.failed),
        "changed": dict(result.changed),
        "not_alive": list(result.not_alive),
        "writes": result.writes,
        "audit_head": head,
    }
    is_cutover, source = header.direction is Direction.CUTOVER, header.summary.get("source", ONENCE)
    rows = outcome_rows(result, header.direction)
    text: list[Any] = [
        f"Plan {result.cutover_id}, run {result.run_id}: {result.reason}.",
        table("", ("", "SIMs"), rows),
    ]
    text.append(head_line(head))
    if result.exit_code is ExitCode.DONE:
        if result.unproved:
            text.append(f"Next: `migrator {header.direction} apply {result.cutover_id}` goes on with the other waves.")
            return Outcome(data, text)
        if not is_cutover:
            text.append("The paused new SIMs differ from the migration's plan from now on: `verify` will say so.")
        text.append(f"Next: `migrator inventory pull` brings the inventory in line with {source}.")
        return Outcome(data, text)
    code = "attention" if result.exit_code is ExitCode.ATTENTION else "stopped"
    return Outcome(data, text, result.exit_code, (Problem(code, result.reason, result.hint),))


def outcome_rows(result: CutoverResult, direction: Direction) -> list[tuple[str, int]]:
    """Return the counts of a run, in words."""
    is_cutover = direction is Direction.CUTOVER
    return [
        ("switched off, proved by reading" if is_cutover else "switched on, proved by reading", result.proved),
        ("found so already", result.already),
        *([] if is_cutover else [("new SIMs paused", result.paused)]),
        ("open: not sent or not proved", result.unproved),
        *((f"set aside: {code}", count) for code, count in result.aside.items()),
        *((f"failed: {code}", count) for code, count in result.failed.items()),
        *((f"switched, but {code}", count) for code, count in result.changed.items()),
    ]


def _dry_run(
    shared: Globals, chosen: Settings, store: Store, header: CutoverHeader, options: CutoverApplyOptions
) -> Outcome:
    """Run the true engine on a copy; show what it would send."""
    keep_all = shared.json or shared.events
    with outbox(options.requests, keep_all=keep_all) as sent, watching(shared, is_dry_run=True) as progress:
        site = Site(store, chosen, sent.watching(progress), warned)
        result = dry_run_cutover(site, header, options.bounds, sent)
    shown_cutover(store, header.direction, header.cutover_id)
    return dry_outcome(header.cutover_id, result, sent, options.requests, named="switch_id")
