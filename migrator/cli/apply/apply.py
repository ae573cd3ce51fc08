"""`apply`: carry a plan out, or go on with it."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

from migrator import wiring
from migrator.carriers.dryrun import DryRunTarget
from migrator.cli.app.common import Globals, Outcome, finish, global_options, say, table, warned
from migrator.cli.app.files import check_destination
from migrator.cli.app.looks import meant_plan, shown_plan
from migrator.cli.app.lookups import plan_or_file, unfinished_besides
from migrator.cli.app.progress import watching
from migrator.cli.app.stale import refuse_stale, say_at_once, with_warnings
from migrator.cli.app.whole import must_be_whole
from migrator.cli.app.words import n_sims, verdict_word
from migrator.cli.apply.dry_run import outbox, told
from migrator.cli.plan.approve import require_approvals
from migrator.cli.verify.verify import verified
from migrator.core.plan.plan import PlanHeader
from migrator.core.run.control import halted_by
from migrator.core.run.results import ApplyResult, ExitCode
from migrator.engine.apply.apply import Applying
from migrator.engine.run.context import ApplyOptions, Context, Hooks, Stopper
from migrator.errors import InputError, Problem, StalePlan
from migrator.inputs.policy.file import stored_policy
from migrator.inputs.settings.settings import Settings, duration_s
from migrator.ports import Progress, TargetPlatform
from migrator.store import Store
from migrator.wiring.crash_points import hooks_from_environment
from migrator.workflows.make_plan import applying

__all__ = ["apply"]

CODES = (
    "0 done, 2 input, 3 done but some SIMs need attention, 4 refused, 5 stale or of another store, 6 a gate or cap, "
)
STALE_HINT = "make a new plan: SIMs that are claimed already will be adopted, not claimed again"


@dataclass(frozen=True, slots=True)
class Options:
    """Options of one `apply`."""

    plan: str | None
    dry_run: bool
    requests: Path | None
    confirm: int | None
    confirm_pauses: int | None
    adopt_tagged: int | None
    max_sims: int | None
    wait_s: float | None
    wave: str | None
    max_duration_s: float | None


@click.command("apply", epilog=f"Exit codes: {CODES}7 resumable, 9 another run holds the store, 130 interrupted.")
@click.argument("plan", required=False)
@click.option("--dry-run", is_flag=True, help="Print the requests that would go out; send none, change nothing.")
@click.option(
    "--requests",
    type=click.Path(path_type=Path, allow_dash=True),
    help="With --dry-run: write every request, whole, as JSON Lines; `-` is stdout.",
)
@click.option("--confirm", type=int, metavar="COUNT", help="How many SIMs the plan will claim: `plan create` says it.")
@click.option("--confirm-pauses", type=int, metavar="COUNT", help="How many live SIMs the plan will pause, if any.")
@click.option(
    "--adopt-tagged",
    type=click.IntRange(1),
    metavar="COUNT",
    help="Take over so many SIMs that carry our tag, though this store never claimed them: `apply` says how many.",
)
@click.option("--max-sims", type=click.IntRange(1), help="Claim at most so many SIMs now; then stop with exit 6.")
@click.option("--wave", metavar="NAME", help="Work on this wave only; the one before must be verified.")
@click.option("--wait", metavar="DURATION", help="How long to stay for SIMs that are only pending [30m].")
@click.option("--max-duration", metavar="DURATION", help="Stop in good order after so long, with exit 7.")
@global_options
@click.pass_obj
def apply(shared: Globals, /, **options: Any) -> int:
    """Carry PLAN out, or go on with it.

    PLAN is an id or a plan file. Default: the newest, if you were shown no other since.

    A claim bills at once and cannot be undone. The first run of a plan asks for the number of claims, or takes it from
    --confirm. The same command resumes after any interruption: it reads first, and sends only what is missing.
    """
    return finish("apply", shared, lambda: _apply(shared, _options(**options)))


def _options(*, wait: str | None, max_duration: str | None, **others: Any) -> Options:
    """Return the options, with durations in seconds.

    Raises: InputError, naming an option whose text is no duration.
    """
    return Options(wait_s=_seconds("--wait", wait), max_duration_s=_seconds("--max-duration", max_duration), **others)


def _apply(shared: Globals, options: Options) -> Outcome:

    if options.requests is not None:
        _refuse_requests(shared, options.requests, is_dry_run=options.dry_run)
    chosen = wiring.settings(shared.config)
    chosen.hologram()
    with wiring.open_store(shared.state or chosen.state) as store:
        header = _plan(shared, store, options)
        if store.plans.state(header.plan_id) == "finished":
            return _look_only(shared, chosen, store, header)
        must_be_whole(store, header, lines=options.dry_run)
        if options.dry_run:
            warnings = refuse_stale(store, header, STALE_HINT)
            say_at_once(shared, warnings)
            return with_warnings(shared, _dry_run(shared, chosen, store, header, options), warnings)
        warnings = _check(store, header)
        say_at_once(shared, warnings)
        _confirm(shared, store, header, options)
        result = _run(shared, chosen, store, header, options)
    return with_warnings(shared, _told(result), warnings)


def _check(store: Store, header: PlanHeader) -> list[str]:
    """Refuse a plan that may not be carried out, and return warnings.

    Raises: StalePlan or Halted, if the plan is stale, used up, held by an order, or not approved.
    """
    if store.plans.state(header.plan_id) == "finished":
        raise StalePlan(f"plan {header.plan_id} was finished meanwhile", code="plan_used", hint="make a new plan")
    warnings = refuse_stale(store, header, STALE_HINT)
    _refuse_held(store, header.plan_id)
    require_approvals(store, header)
    return warnings


def _refuse_requests(shared: Globals, requests: Path, *, is_dry_run: bool) -> None:
    """Refuse a --requests file that cannot be written, or without --dry-run.

    Raises: InputError, if the requests cannot be written, or would be sent instead.
    """
    if not is_dry_run:
        raise InputError(
            "--requests goes with --dry-run", code="usage", hint="`migrator jobs list` shows what was sent"
        )
    check_destination(shared, requests)


def _plan(shared: Globals, store: Store, options: Options) -> PlanHeader:
    """Return the header of the plan that is meant.

    Raises: StalePlan, if it belongs to another store; InputError, if there is none, or nobody says which one is meant.
    """
    plan_id = plan_or_file(store, options.plan)
    if options.plan is None and not options.dry_run:
        plan_id = meant_plan(shared, store, plan_id)
    return store.plans.header(plan_id)


def _refuse_held(store: Store, plan_id: str) -> None:
    """Refuse a plan that an operator's order keeps from going on.

    Raises: Halted, if there is such an order.
    """
    order = store.steering.order(plan_id)
    if order is not None:
        raise halted_by(order, plan_id)


def _confirm(shared: Globals, store: Store, header: PlanHeader, options: Options) -> None:
    """Ask for the number of claims before a plan's first run.

    Claims cannot be taken back. Pauses of live SIMs must be confirmed, too.

    Raises: InputError, if a number is wrong, or nobody can be asked.
    """
    given = options.confirm
    if given is not None and given != header.claims:
        _refuse_count(header, given)
    if store.plans.state(header.plan_id) == "started":
        return
    _confirm_pauses(header, options.confirm_pauses)
    if not header.claims:
        return
    if given is None:
        if shared.no_input or shared.json or not sys.stdin.isatty():
            begun = unfinished_besides(store, header.plan_id)
            other = "" if begun is None else f"; or `migrator apply {begun}`, to go on with the plan that was begun"
            raise InputError(
                f"plan {header.plan_id} claims {n_sims(header.claims)}, which bills at once and cannot be undone",
                code="confirm",
                hint=f"look at `migrator plan show {header.plan_id}`, then add --confirm {header.claims}{other}",
            )
        cost = header.summary["money"]["charged_now"] or "an amount that Hologram does not show"
        say(
            f"Plan {header.plan_id} claims {n_sims(header.claims)} at organization {header.org_id} and charges {cost} "
            "at once. This cannot be undone."
        )
        given = click.prompt("Type the number of SIMs to claim", type=int, err=True)
    if given != header.claims:
        _refuse_count(header, given)


def _refuse_count(header: PlanHeader, given: int) -> NoReturn:
    raise InputError(
        f"the plan claims {n_sims(header.claims)}, not {given}; nothing was sent",
        code="confirm",
        hint="confirm the number that `migrator plan show` prints",
    )


def _confirm_pauses(header: PlanHeader, given: int | None) -> None:
    """Refuse a plan that pauses live SIMs whose number was not confirmed.

    Raises: InputError, if the plan pauses SIMs that are live now, and another number or none was confirmed.
    """
    pauses = header.summary.get("live_pauses", 0)
    if pauses and given != pauses:
        raise InputError(
            f"plan {header.plan_id} pauses what is live at Hologram now, {n_sims(pauses)}: their units fall silent",
            code="confirm_pauses",
            hint="old SIMs that are off, and not by a cutover of this store, count as disabled, and [status] disabled "
            "may say pause: set it to live in the policy and make a new plan; or, if it is meant, add "
            f"--confirm-pauses {pauses}",
        )


def _run(shared: Globals, chosen: Settings, store: Store, header: PlanHeader, options: Options) -> ApplyResult:

    with wiring.holding_lease(store, warn=warned) as me, watching(shared) as progress:
        _check(store, header)  # again, as others may have been at it while the confirmation was awaited
        must_be_whole(store, header)

        async def body(stopper: Stopper) -> ApplyResult:
            async with wiring.target(chosen, store, stopper) as target, wiring.heartbeat(store, me, stopper):
                stopper.obey(lambda: store.steering.order(header.plan_id), header.plan_id, progress)
                parts = _Parts(store, target, stopper, progress, wiring.runner(me))
                return await applying(store, _context(chosen, header, options, parts)).run()

        result = wiring.run_async(body)
        if result.exit_code in {ExitCode.DONE, ExitCode.ATTENTION} and not result.is_open:
            store.plans.finish(header.plan_id, wiring.SystemClock().now().timestamp())
        return result


@dataclass(frozen=True, slots=True)
class _Parts:
    """Objects that a run works with and on."""

    store: Store
    target: TargetPlatform
    stopper: Stopper
    progress: Progress
    owner: str


def _context(chosen: Settings, header: PlanHeader, options: Options, parts: _Parts) -> Context:

    clock = wiring.SystemClock()
    return Context(
        header=header,
        policy=stored_policy(parts.store.plans.policy_text(header.plan_id), name=f"policy of {header.plan_id}"),
        run_id=parts.store.journal.start_run(header.plan_id, parts.owner, clock.now().timestamp()),
        target=parts.target,
        journal=parts.store.journal,
        clock=clock,
        options=ApplyOptions(
            max_sims=options.max_sims,
            adopt_tagged=options.adopt_tagged,
            wave=options.wave,
            soaks=not options.dry_run,
            max_duration_s=options.max_duration_s,
            wait_s=chosen.settle_timeout_s if options.wait_s is None else options.wait_s,
            absent_after_s=chosen.absent_after_s,
            claim_batch=chosen.claim_batch,
            batch=chosen.batch,
        ),
        stopper=parts.stopper,
        progress=parts.progress,
        hooks=_crash_hooks(),
    )


def _seconds(option: str, text: str | None) -> float | None:
    """Return the seconds of a duration, or None without the option.

    Raises: InputError, naming the option.
    """
    if text is None:
        return None
    try:
        return duration_s(text)
    except InputError as error:
        raise InputError(f"{option}: {error.message}", code=error.code, hint=error.hint) from error


def _crash_hooks() -> Hooks:
    """Return the crash points that the environment sets.

    The demo and the tests kill this very process at a crash point, to show that a resume is safe.
    """
    return hooks_from_environment()


def _told(result: ApplyResult) -> Outcome:
    data = {
        "plan_id": result.plan_id,
        "run_id": result.run_id,
        "reason": result.reason,
        "claimed": result.claimed,
        "writes": result.writes,
        "verdicts": dict(result.verdicts),
        "failed": dict(result.failed),
        "blocked": result.blocked,
        "skipped": result.skipped,
    }
    rows = [
        ("claimed so far", result.claimed),
        ("writes in this run", result.writes),
        *((verdict_word(verdict), count) for verdict, count in result.verdicts.items()),
        ("blocked by the plan", result.blocked),
        ("skipped by the plan", result.skipped),
    ]
    text: list[Any] = [f"Plan {result.plan_id}, run {result.run_id}: {result.reason}.", table("", ("", ""), rows)]
    if result.failed:
        text.append(table("Failed steps", ("code", "SIMs"), list(result.failed.items())))
    if result.exit_code is ExitCode.DONE:
        text.append(f"Next: `migrator report {result.plan_id}`.")
        return Outcome(data, text)
    code = "attention" if result.exit_code is ExitCode.ATTENTION else "stopped"
    return Outcome(data, text, result.exit_code, (Problem(code, result.reason, result.hint),))


def _look_only(shared: Globals, chosen: Settings, store: Store, header: PlanHeader) -> Outcome:
    """Read a finished plan again, and report what differs now.

    A finished plan is not used again.
    """
    outcome = verified(shared, chosen, store, header)
    if outcome.exit_code == ExitCode.DONE:
        text = (f"Plan {header.plan_id} was carried out before.", *outcome.text)
        return Outcome(outcome.data, text)
    hint = "a plan is used once: make a new one with `migrator plan create`"
    problem = Problem("attention", f"plan {header.plan_id} is finished, and some SIMs differ from it", hint)
    return Outcome(outcome.data, outcome.text, ExitCode.ATTENTION, (problem,))


def _dry_run(shared: Globals, chosen: Settings, store: Store, header: PlanHeader, options: Options) -> Outcome:
    """Run the true engine on a copy of the store.

    Its target takes the writes and sends none.
    """
    keep_all = shared.json or shared.events
    with (
        outbox(options.requests, keep_all=keep_all) as sent,
        store.scratch_copy() as scratch,
        watching(shared, is_dry_run=True) as progress,
    ):

        async def body(stopper: Stopper) -> ApplyResult:
            async with wiring.target(chosen, store, stopper, read_only=True) as real:
                parts = _Parts(scratch, DryRunTarget(real, sent), stopper, sent.watching(progress), "dry run")
                return await Applying(_context(chosen, header, options, parts)).run()

        result = wiring.run_async(body)
    shown_plan(store, header.plan_id)
    return told(header, result, sent, options.requests)
