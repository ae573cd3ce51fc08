"""Parts that `cutover apply` and `rollback apply` share.

Both find the plan, ask for its confirmation, run it, and report its end.
"""

import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from itertools import zip_longest
from pathlib import Path
from typing import Any

import click

from migrator import wiring
from migrator.carriers.dryrun import DryRunTarget
from migrator.carriers.dryrun_switch import DryRunSwitch
from migrator.cli.app.common import Globals, Outcome, table, warned
from migrator.cli.app.looks import meant_switch, shown_switch
from migrator.cli.app.progress import watching
from migrator.cli.app.words import head_line
from migrator.core.cutover.plan import Direction, SwitchHeader, header_from
from migrator.core.fleet.units import counted
from migrator.core.run.control import halted_by
from migrator.core.run.results import ExitCode
from migrator.engine.cutover.context import SwitchContext, SwitchOptions
from migrator.engine.cutover.cutover import Switching, SwitchResult
from migrator.engine.run.context import Stopper
from migrator.errors import InputError, Problem, StalePlan
from migrator.inputs.policy.file import stored_policy
from migrator.inputs.settings.settings import Settings, duration_s
from migrator.ports import Progress, Request, SourceSwitch, TargetPlatform
from migrator.store import Store
from migrator.wiring.crash_points import switch_hooks_from_environment
from migrator.workflows.cutover.make import stale_reasons, switch_lines
from migrator.workflows.plans.refusals import switch_must_be_whole

__all__ = [
    "APPLY_CODES",
    "SwitchOptionsGiven",
    "alive_within_s",
    "applied",
    "rest_s",
    "switch_id_of",
    "verified_share",
    "wave_counts",
]

APPLY_CODES = (
    "0 done, 2 input, 3 done but some SIMs need attention, 4 refused, 5 stale or of another store, 6 a gate or too "
    "many failures, 7 resumable, 9 another run holds the store, 130 interrupted."
)
SHOWN_REQUESTS = 40
MOST_WAVES = 20
WHAT = {
    Direction.CUTOVER: ("switches {count} old SIMs off at 1NCE", "switch off"),
    Direction.ROLLBACK: ("switches {count} old SIMs on at 1NCE, and then pauses their new ones", "switch back"),
}


@dataclass(frozen=True, slots=True)
class SwitchOptionsGiven:
    """Options of one `cutover apply` or `rollback apply`."""

    direction: Direction
    switch_id: str | None
    confirm: int | None
    dry_run: bool
    wait: str | None


# --- what a command line says -------------------------------------------------------------------------------------


def switch_id_of(store: Store, given: str | None, direction: Direction | None) -> str:
    """Return the id of the cutover or rollback plan that is meant.

    That is `given`, an id or a plan file, or the newest of this direction.

    Raises: InputError, if there is none; StalePlan, for a file of another store.
    """
    if given is None:
        newest = store.switches.newest(direction)
        if newest is None:
            name = "cutover" if direction is None else direction.value
            hint = f"run `migrator {name} plan`"
            raise InputError(f"the store holds no {name} plan yet", code="no_plan", hint=hint)
        return newest
    file = Path(given) if Path(given).is_file() else None
    if file is not None:
        given = _id_in_file(store, file)
    header = store.switches.header(given)
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
    return header.switch_id


def _must_be_the_stored_plan(store: Store, file: Path, switch_id: str) -> None:
    """Refuse a file that is not the stored plan to the letter.

    Raises: InputError, naming the first line that differs.
    """
    with file.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        pairs = zip_longest(lines, switch_lines(store, switch_id))
        number = next((at for at, (here, there) in enumerate(pairs, 1) if here != there), None)
    if number is not None:
        raise InputError(
            f"{file}:{number}: this is not what the store holds of plan {switch_id}: the file was changed since it was "
            "written",
            code="edited_plan",
            hint="a plan is not edited: make a new one; or write this one again: `migrator cutover show --out FILE`",
        )


def rest_s(text: str | None, default: float) -> float:
    """Return the seconds of `--rest`, or of the policy.

    Raises: InputError, naming the option.
    """
    return default if text is None else _duration(text, "--rest")


def alive_within_s(text: str | None, default: float) -> float:
    """Return the seconds of `--alive-within`, or of the policy.

    Raises: InputError, naming the option.
    """
    seconds = default if text is None else _duration(text, "--alive-within")
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


def _duration(text: str, option: str) -> float:

    try:
        return duration_s(text)
    except InputError as error:
        raise InputError(f"{option}: {error.message}", code=error.code, hint=error.hint) from error


# --- the run ------------------------------------------------------------------------------------------------------


def applied(shared: Globals, given: SwitchOptionsGiven) -> Outcome:
    """Carry out a cutover or rollback plan, or go on with it."""
    chosen = wiring.settings(shared.config)
    chosen.hologram()
    chosen.onence()
    with wiring.open_store(shared.state or chosen.state) as store:
        switch_id = switch_id_of(store, given.switch_id, given.direction)
        if given.switch_id is None and not given.dry_run:
            switch_id = meant_switch(shared, store, given.direction, switch_id)
        header = store.switches.header(switch_id)
        if store.switches.state(header.switch_id) == "finished":
            return _finished_before(store, header)
        _refuse_stale(store, header)
        if not given.dry_run and (order := store.steering.order(header.plan_id)) is not None:
            raise halted_by(order, header.switch_id, f"{header.direction} apply")
        if given.dry_run:
            switch_must_be_whole(store, header)
            return _dry_run(shared, chosen, store, header, given)
        if not header.count:
            return Outcome({"switch_id": header.switch_id, "count": 0}, ("There is nothing to switch.",))
        _confirm(shared, store, header, given)
        with wiring.holding_lease(store, warn=warned) as me:
            _refuse_stale(store, header)
            switch_must_be_whole(store, header)
            result = _run(shared, chosen, store, header, given, me)
            if result.is_over:
                store.switches.finish(header.switch_id, wiring.SystemClock().now().timestamp())
            head = store.audit.head()
    return _told(header, result, head)


def _finished_before(store: Store, header: SwitchHeader) -> Outcome:
    """Return the outcome of a plan that was finished before.

    A plan is used once: nothing is read at a carrier and nothing sent.
    """
    runs = store.switches.runs(header.switch_id)
    exit_code = int(runs[-1]["exit_code"] or 0) if runs else 0
    data = {"switch_id": header.switch_id, "state": "finished"}
    text = (f"Plan {header.switch_id} was carried out before: `migrator cutover show {header.switch_id}`.",)
    if not exit_code:
        return Outcome(data, text)
    hint = f"`migrator cutover show {header.switch_id}` lists them; make a new plan for those that can be mended"
    problem = Problem("attention", f"plan {header.switch_id} is finished, and some SIMs need attention", hint)
    return Outcome(data, text, exit_code, (problem,))


def _refuse_stale(store: Store, header: SwitchHeader) -> None:
    """Refuse a plan whose inputs changed after the plan was made.

    Raises: StalePlan, saying what changed since the plan was made.
    """
    changed = stale_reasons(store, header)
    if changed:
        problems = tuple(Problem("changed", line) for line in changed)
        words = f"plan {header.switch_id} is stale: what it was made from has changed; nothing was sent"
        hint = f"run `migrator {header.direction} plan` again"
        raise StalePlan(words, problems=(*problems, Problem("stale_plan", words, hint)))


def _confirm(shared: Globals, store: Store, header: SwitchHeader, given: SwitchOptionsGiven) -> None:
    """Ask for the number of SIMs before a plan's first run.

    Raises: InputError, if the number is wrong, or nobody can be asked.
    """
    if store.switches.state(header.switch_id) == "started":
        return
    what, verb = WHAT[header.direction]
    words, count = f"plan {header.switch_id} {what.format(count=header.count)}", given.confirm
    if count is None:
        if shared.no_input or shared.json or not sys.stdin.isatty():
            hint = f"look at `migrator cutover show {header.switch_id}`, then add --confirm {header.count}"
            raise InputError(words, code="confirm", hint=hint)
        for line in (f"{words[0].upper()}{words[1:]}.", *(f"Mind: {line}." for line in header.summary["reminders"])):
            click.echo(line, err=True)
        count = click.prompt(f"Type the number of SIMs to {verb}", type=int, err=True)
    if count != header.count:
        raise InputError(
            f"the plan is to {verb} {header.count} SIMs, not {count}; nothing was sent",
            code="confirm",
            hint=f"confirm the number that `migrator cutover show {header.switch_id}` prints",
        )


def _run(  # noqa: PLR0917 - handed through as they came
    shared: Globals, chosen: Settings, store: Store, header: SwitchHeader, given: SwitchOptionsGiven, me: Any
) -> SwitchResult:

    with watching(shared) as progress:

        async def body(stopper: Stopper) -> SwitchResult:
            command = f"{header.direction} apply"  # its orders stand by the migration's plan: they hold both
            stopper.obey(lambda: store.steering.order(header.plan_id), header.switch_id, progress, command)
            async with AsyncExitStack() as stack:
                target = await stack.enter_async_context(wiring.target(chosen, store, stopper))
                source = await stack.enter_async_context(wiring.source_switch(chosen, store, stopper))
                await stack.enter_async_context(wiring.heartbeat(store, me, stopper))
                parts = _CutoverParts(store, source, target, stopper, progress, wiring.runner(me))
                return await Switching(_context(chosen, header, given, parts)).run()

        return wiring.run_async(body)


@dataclass(frozen=True, slots=True)
class _CutoverParts:
    """Objects that a run works with and on."""

    store: Store
    source: SourceSwitch
    target: TargetPlatform
    stopper: Stopper
    progress: Progress
    owner: str


def _context(chosen: Settings, header: SwitchHeader, given: SwitchOptionsGiven, parts: _CutoverParts) -> SwitchContext:

    store, clock = parts.store, wiring.SystemClock()
    wait_s = chosen.settle_timeout_s if given.wait is None else _duration(given.wait, "--wait")
    policy = stored_policy(store.plans.policy_text(header.plan_id), name=f"policy of {header.plan_id}")
    return SwitchContext(
        header=header,
        gates=policy.gates,
        run_id=store.switches.start_run(header.switch_id, parts.owner, clock.now().timestamp()),
        source=parts.source,
        target=parts.target,
        journal=store.switches,
        migration=store.journal,
        field_notes=store.field_notes(header.plan_id),
        clock=clock,
        options=SwitchOptions(wait_s=wait_s, absent_after_s=chosen.absent_after_s),
        stopper=parts.stopper,
        is_migrated=store.plans.state(header.plan_id) == "finished",
        progress=parts.progress,
        hooks=switch_hooks_from_environment(),
    )


# --- the end ------------------------------------------------------------------------------------------------------


def _told(header: SwitchHeader, result: SwitchResult, head: str) -> Outcome:
    data = {
        "switch_id": result.switch_id,
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
    is_cutover = header.direction is Direction.CUTOVER
    rows = [
        ("switched off, proved by reading" if is_cutover else "switched on, proved by reading", result.proved),
        ("found so already", result.already),
        *([] if is_cutover else [("new SIMs paused", result.paused)]),
        ("open: not sent or not proved", result.unproved),
        *((f"set aside: {code}", count) for code, count in result.aside.items()),
        *((f"failed: {code}", count) for code, count in result.failed.items()),
        *((f"switched, but {code}", count) for code, count in result.changed.items()),
    ]
    text: list[Any] = [f"Plan {result.switch_id}, run {result.run_id}: {result.reason}.", table("", ("", "SIMs"), rows)]
    text.append(head_line(head))
    if result.exit_code is ExitCode.DONE:
        if not is_cutover:
            text.append("The paused new SIMs differ from the migration's plan from now on: `verify` will say so.")
        text.append("Next: `migrator inventory pull` brings the inventory in line with 1NCE.")
        return Outcome(data, text)
    code = "attention" if result.exit_code is ExitCode.ATTENTION else "stopped"
    return Outcome(data, text, result.exit_code, (Problem(code, result.reason, result.hint),))


def _dry_run(
    shared: Globals, chosen: Settings, store: Store, header: SwitchHeader, given: SwitchOptionsGiven
) -> Outcome:
    """Run the true engine on a copy of the store.

    Both carriers are wrapped, so that no write gets out.
    """
    with store.scratch_copy() as scratch, watching(shared, is_dry_run=True) as progress:

        async def body(stopper: Stopper) -> tuple[SwitchResult, list[Request]]:
            async with AsyncExitStack() as stack:
                real = await stack.enter_async_context(wiring.target(chosen, store, stopper, read_only=True))
                old = await stack.enter_async_context(wiring.source_switch(chosen, store, stopper, read_only=True))
                pauses: list[Request] = []
                source = DryRunSwitch(old)
                parts = _CutoverParts(scratch, source, DryRunTarget(real, pauses), stopper, progress, "dry run")
                result = await Switching(_context(chosen, header, given, parts)).run()
                return result, [*source.sent, *pauses]

        result, sent = wiring.run_async(body)
    shown_switch(store, header.direction, header.switch_id)
    return _dry_outcome(header, result, sent)


def _dry_outcome(header: SwitchHeader, result: SwitchResult, sent: Sequence[Request]) -> Outcome:
    requests = [asdict(request) for request in sent]
    rows = [(number, out.method, out.path, _brief(out.body)) for number, out in enumerate(sent[:SHOWN_REQUESTS], 1)]
    writes = counted(len(sent), "write")
    text: list[Any] = [
        f"Dry run of plan {header.switch_id}: {writes} would go out; none did, and nothing was changed.",
        table("", ("", "method", "path", "body"), rows),
    ]
    if len(sent) > SHOWN_REQUESTS:
        text.append(f"... and {len(sent) - SHOWN_REQUESTS} more; --json lists all.")
    data = {"switch_id": header.switch_id, "writes": len(sent), "requests": requests, "would_end": result.reason}
    if result.exit_code is ExitCode.DONE:
        return Outcome(data, text)
    problem = Problem("attention", f"it would end so: {result.reason}", result.hint)
    return Outcome(data, text, result.exit_code, (problem,))


def _brief(body: Any) -> str:
    """Return a body on one line, with long lists cut short."""
    if isinstance(body, list):
        return f"[{_brief(body[0])}, ... {len(body)} in all]"
    parts = (
        f"{key}=[{value[0]}, ... {len(value)} in all]"
        if isinstance(value, list) and len(value) > 1
        else f"{key}={value}"
        for key, value in body.items()
    )
    return ", ".join(parts)
