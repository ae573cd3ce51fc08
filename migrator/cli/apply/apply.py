"""`apply`: carry a plan out, or go on with it."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from migrator import wiring
from migrator.cli.app.asking import asking, can_ask
from migrator.cli.app.common import Globals, Outcome, finish, global_options, say, table, warned
from migrator.cli.app.progress import watching
from migrator.cli.app.refs import ref_option
from migrator.cli.app.stale import say_at_once, with_warnings
from migrator.cli.app.words import head_line, seconds_of, verdict_word
from migrator.cli.apply.dry_run import dry_outcome, outbox, refuse_requests
from migrator.cli.verify.verify import verified
from migrator.core.fleet.units import n_sims
from migrator.core.plan.plan import PlanHeader
from migrator.core.plan.refs import ref_of
from migrator.core.run.results import ApplyResult, ExitCode
from migrator.errors import Problem
from migrator.workflows.apply import STALE_HINT, Bounds, carry_out, dry_run, have_confirmed, must_be_ready
from migrator.workflows.lookups.looks import meant_plan, shown_plan
from migrator.workflows.lookups.plans import plan_or_file
from migrator.workflows.plans.refusals import must_be_whole, refuse_stale
from migrator.workflows.site import Site

__all__ = ["apply", "outcome_of"]

CODES = (
    "0 done, 2 input, 3 done but some SIMs need attention, 4 refused, 5 stale or of another store, 6 a gate or cap, "
)
CLAIMED_IDS = "Ids below zero stand for what does not exist yet: the devices of the claims, and a new tag."


@dataclass(frozen=True, slots=True)
class Options:
    """Options of one `apply`."""

    plan: str | None
    dry_run: bool
    requests: Path | None
    confirm: int | None
    confirm_pauses: int | None
    bounds: Bounds


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
@ref_option
@global_options
@click.pass_obj
def apply(shared: Globals, /, **options: Any) -> int:
    """Carry PLAN out, or go on with it.

    PLAN is an id or a plan file. Default: the newest, if you were shown no other since.

    A claim bills at once and cannot be undone. The first run of a plan asks for the number of claims, or takes it from
    --confirm. The same command resumes after any interruption: it reads first, and sends only what is missing.
    """
    return finish("apply", shared, lambda: _apply(shared, _options(**options)))


def _options(
    *,
    wait: str | None,
    max_duration: str | None,
    max_sims: int | None,
    wave: str | None,
    adopt_tagged: int | None,
    ref: str | None,
    **others: Any,
) -> Options:
    """Return the options, with durations in seconds.

    Raises: InputError, naming an option whose text is no duration.
    """
    wait_s = None if wait is None else seconds_of("--wait", wait)
    most_s = None if max_duration is None else seconds_of("--max-duration", max_duration)
    bounds = Bounds(max_sims, wave, wait_s, most_s, adopt_tagged, ref_of(ref))
    return Options(bounds=bounds, **others)


def _apply(shared: Globals, options: Options) -> Outcome:

    if options.requests is not None:
        refuse_requests(shared, options.requests, is_dry_run=options.dry_run)
    chosen = wiring.settings(shared.config)
    chosen.hologram()
    with wiring.open_store(shared.state or chosen.state) as store:
        plan_id = plan_or_file(store, options.plan)
        if options.plan is None and not options.dry_run:
            plan_id = meant_plan(store, plan_id, asking(shared))
        header = store.plans.header(plan_id)
        site = Site(store, chosen, warn=warned)
        if store.plans.state(plan_id) == "finished":
            return _looked_at_only(verified(shared, site, header), plan_id)
        must_be_whole(store, header, lines=options.dry_run)
        if options.dry_run:
            warnings = [*chosen.warnings, *refuse_stale(store, header, STALE_HINT)]
            say_at_once(shared, warnings)
            return with_warnings(shared, _dry_run(shared, site, header, options), warnings)
        warnings = [*chosen.warnings, *must_be_ready(store, header)]
        say_at_once(shared, warnings)
        ask = partial(_asked_for, header) if can_ask(shared) else None
        have_confirmed(store, header, options.confirm, options.confirm_pauses, ask)
        with watching(shared) as progress:
            result = carry_out(replace(site, progress=progress), header, options.bounds)
        head = store.audit.head()
    return with_warnings(shared, outcome_of(result, head), warnings)


def _asked_for(header: PlanHeader) -> int:
    """Ask for the number of claims."""
    cost = header.summary["money"]["charged_now"] or "an amount that Hologram does not show"
    say(
        f"Plan {header.plan_id} claims {n_sims(header.claims)} at organization {header.org_id} and charges {cost} "
        "at once. This cannot be undone."
    )
    return int(click.prompt("Type the number of SIMs to claim", type=int, err=True))


def outcome_of(result: ApplyResult, head: str) -> Outcome:
    """Return the outcome of a run: counts, and what to do next."""
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
        "audit_head": head,
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
    text.append(head_line(head))
    if result.exit_code is ExitCode.DONE:
        text.append(f"Next: `migrator report {result.plan_id}`.")
        return Outcome(data, text)
    code = "attention" if result.exit_code is ExitCode.ATTENTION else "stopped"
    return Outcome(data, text, result.exit_code, (Problem(code, result.reason, result.hint),))


def _looked_at_only(outcome: Outcome, plan_id: str) -> Outcome:
    """Return what a finished plan's SIMs look like now.

    A finished plan is not used again.
    """
    if outcome.exit_code == ExitCode.DONE:
        text = (f"Plan {plan_id} was carried out before.", *outcome.text)
        return Outcome(outcome.data, text)
    hint = "a plan is used once: make a new one with `migrator plan create`"
    problem = Problem("attention", f"plan {plan_id} is finished, and some SIMs differ from it", hint)
    return Outcome(outcome.data, outcome.text, ExitCode.ATTENTION, (problem,))


def _dry_run(shared: Globals, site: Site, header: PlanHeader, options: Options) -> Outcome:
    """Run the true engine on a copy; show what it would send."""
    keep_all = shared.json or shared.events
    with (
        outbox(options.requests, keep_all=keep_all) as sent,
        watching(shared, is_dry_run=True) as progress,
    ):
        result = dry_run(Site(site.store, site.settings, sent.watching(progress)), header, options.bounds, sent)
    shown_plan(site.store, header.plan_id)
    note = CLAIMED_IDS if header.claims else ""
    return dry_outcome(header.plan_id, result, sent, options.requests, note=note)
