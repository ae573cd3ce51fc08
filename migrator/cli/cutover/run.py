"""Parts that `cutover apply` and `rollback apply` share.

Both find the plan, ask for its confirmation, run it, and report its end.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
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
from migrator.core.cutover.plan import CutoverHeader, Direction
from migrator.core.cutover.results import CutoverResult
from migrator.core.fleet.sims import ONENCE
from migrator.core.plan.refs import ref_of
from migrator.core.run.results import ExitCode
from migrator.errors import InputError, Problem
from migrator.workflows.cutover.apply import (
    VERBS,
    CutoverBounds,
    carry_out_cutover,
    cutover_have_confirmed,
    cutover_must_be_ready,
    dry_run_cutover,
)
from migrator.workflows.cutover.lookups import cutover_id_of, last_exit_code
from migrator.workflows.lookups.looks import meant_cutover, shown_cutover
from migrator.workflows.site import Site

__all__ = [
    "APPLY_CODES",
    "CutoverApplyOptions",
    "alive_within_s",
    "applied",
    "apply_options",
    "asking_count",
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
        if store.cutovers.state(cutover_id) == "finished":
            return finished_before(cutover_id, last_exit_code(store, cutover_id))
        site = Site(store, chosen, warn=warned)
        if options.dry_run:
            return _dry_run(shared, site, header, options)
        cutover_must_be_ready(store, header)
        if not header.count:
            return Outcome({"switch_id": cutover_id, "count": 0}, ("There is nothing to switch.",))
        cutover_have_confirmed(store, header, options.confirm, asking_count(shared, header))
        with watching(shared) as progress:
            result = carry_out_cutover(replace(site, progress=progress), header, options.bounds)
        head = store.audit.head()
    return _told(header, result, head)


def finished_before(cutover_id: str, exit_code: int) -> Outcome:
    """Return the outcome of a plan that was finished before.

    A plan is used once: nothing is read at a carrier and nothing sent. `exit_code` is that of its last run.
    """
    data = {"switch_id": cutover_id, "state": "finished"}
    text = (f"Plan {cutover_id} was carried out before: `migrator cutover show {cutover_id}`.",)
    if not exit_code:
        return Outcome(data, text)
    hint = f"`migrator cutover show {cutover_id}` lists them; make a new plan for those that can be mended"
    problem = Problem("attention", f"plan {cutover_id} is finished, and some SIMs need attention", hint)
    return Outcome(data, text, exit_code, (problem,))


def asking_count(shared: Globals, header: CutoverHeader) -> Callable[[str], int] | None:
    """Return the question for the number of SIMs, or None.

    None stands for nobody to ask. The question gets the name of the source.
    """
    if not can_ask(shared):
        return None

    def ask(source: str) -> int:
        words = f"Plan {header.cutover_id} {WHAT[header.direction].format(count=header.count, source=source)}."
        for line in (words, *(f"Mind: {line}." for line in header.summary["reminders"])):
            click.echo(line, err=True)
        return int(click.prompt(f"Type the number of SIMs to {VERBS[header.direction]}", type=int, err=True))

    return ask


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


def _dry_run(shared: Globals, site: Site, header: CutoverHeader, options: CutoverApplyOptions) -> Outcome:
    """Run the true engine on a copy; show what it would send."""
    keep_all = shared.json or shared.events
    with outbox(options.requests, keep_all=keep_all) as sent, watching(shared, is_dry_run=True) as progress:
        result = dry_run_cutover(replace(site, progress=sent.watching(progress)), header, options.bounds, sent)
    shown_cutover(site.store, header.direction, header.cutover_id)
    return dry_outcome(header.cutover_id, result, sent, options.requests, named="switch_id")
