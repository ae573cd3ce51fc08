"""`verify`: fresh reads of every SIM of a plan.

The reads are compared with what was planned. Options ask for more proofs.
"""

from dataclasses import replace
from typing import Any

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options, table, warned
from migrator.cli.app.progress import watching
from migrator.cli.app.words import verdict_word
from migrator.cli.verify.proofs import ProofSum, lives_told, most_kept, source_told, unexpected_told
from migrator.cli.verify.watch import watched
from migrator.core.fleet.units import n_sims
from migrator.core.plan.plan import PlanHeader
from migrator.core.run.results import ExitCode
from migrator.errors import InputError, Problem
from migrator.workflows.lookups.plans import plan_or_file
from migrator.workflows.site import Site
from migrator.workflows.verify.verify import ROLLED_BACK, Checks, Verification, verify_plan

__all__ = ["verified", "verify"]


@click.command(
    "verify",
    epilog="Exit codes: 0 all as planned, 3 differences, 4 refused, 5 a plan file of another store, 7 all that is left "
    "is pending, or a carrier is down. With --watch: 3 when there was drift, else 7 while SIMs are pending, else 0.",
)
@click.argument("plan", required=False)
@click.option("--thorough", is_flag=True, help="Read the whole device list, to find every device that nobody planned.")
@click.option("--source", is_flag=True, help="Read the source's list, too: SIMs that changed there since the plan.")
@click.option("--traffic", is_flag=True, help="Proof of life: data sessions on the new SIMs, and in which unit.")
@click.option("--old-silent", is_flag=True, help="With --traffic: whether the old SIM is silent (a request per SIM).")
@click.option("--watch", is_flag=True, help="Read again and again; end with 3 as soon as there is drift.")
@click.option("--every", metavar="DURATION", default="60s", show_default=True, help="How often, with --watch.")
@click.option("--for", "for_", metavar="DURATION", help="How long to watch; without it, until Ctrl-C.")
@click.option("--keep-going", is_flag=True, help="With --watch: go on after drift, and tell what comes and goes.")
@global_options
@click.pass_obj
def verify(
    shared: Globals,
    /,
    *,
    plan: str | None,
    thorough: bool,
    source: bool,
    traffic: bool,
    old_silent: bool,
    watch: bool,
    every: str,
    for_: str | None,
    keep_going: bool,
) -> int:
    """Read every SIM of PLAN afresh at Hologram and compare.

    PLAN is an id or a plan file; default the newest. Sends no write.

    Devices that carry the plan's tag, or belong to SIMs that it leaves alone, and that no plan put there are reported
    as unexpected wherever the device list is read, which is when that is cheaper than looking SIMs up.
    """
    lives = ProofSum(most_kept(shared))
    checks = Checks(thorough, source, traffic, old_silent, most_kept(shared), lives.keep)

    def body() -> Outcome:

        _refuse_nonsense(checks, watch=watch, bound=for_ is not None or keep_going)
        if watch:
            return watched(shared, plan, every=every, for_=for_, keep_going=keep_going)
        return _verify(shared, plan, checks, lives)

    return finish("verify", shared, body)


def _refuse_nonsense(checks: Checks, *, watch: bool, bound: bool) -> None:
    """Refuse options that make no sense together.

    Raises: InputError, naming the options.
    """
    problem = ""
    if watch and (checks.thorough or checks.source or checks.traffic or checks.old_silent):
        problem = "--watch reads the record only: not with --thorough, --source, --traffic or --old-silent"
    elif bound and not watch:
        problem = "--for and --keep-going are about --watch"
    elif checks.old_silent and not checks.traffic:
        problem = "--old-silent is a part of --traffic"
    if problem:
        raise InputError(problem, code="bad_options", hint="see `migrator verify --help`")


def _verify(shared: Globals, plan: str | None, checks: Checks, lives: ProofSum) -> Outcome:

    chosen = wiring.settings(shared.config)
    chosen.hologram()
    with wiring.open_store(shared.state or chosen.state) as store:
        if checks.source or checks.old_silent:
            wiring.must_be_asked(chosen, store)
            chosen.source()
        header = store.plans.header(plan_or_file(store, plan))
        with watching(shared) as progress:
            found = verify_plan(Site(store, chosen, progress, warned), header, checks)
    parts = [_told(header, found)]
    if found.devices is not None:
        parts.append(unexpected_told(found.devices))
    if found.source is not None:
        parts.append(source_told(found.source, chosen.carrier.name))
    if checks.traffic:
        parts.append(lives_told(lives))
    return _joined(parts)


def verified(shared: Globals, site: Site, header: PlanHeader) -> Outcome:
    """Verify the record of a plan's SIMs, and return the outcome."""
    with watching(shared) as progress:
        found = verify_plan(replace(site, progress=progress), header, None)
    return _joined([_told(header, found)])


def _told(header: PlanHeader, found: Verification) -> Outcome:
    verdicts, findings, blocked = found.verdicts, found.findings, header.counts.get("BLOCK", 0)
    data = {"plan_id": header.plan_id, "verdicts": dict(verdicts), "findings": dict(findings), "blocked": blocked}
    shown = [(verdict_word(verdict), count) for verdict, count in verdicts.items()]
    text: list[Any] = [table(f"Plan {header.plan_id}", ("verdict", "SIMs"), [*shown, ("blocked", blocked)])]
    if findings:
        text.append(table("What differs", ("finding", "SIMs"), list(findings.items())))
    lasting = verdicts.get("mismatch", 0) + verdicts.get("missing", 0)
    if lasting or blocked:
        words = f"{n_sims(lasting)} not as planned for good, {blocked} blocked"
        problem = Problem("attention", words, "`migrator report` lists them SIM by SIM")
        return Outcome(data, text, ExitCode.ATTENTION, (problem,))
    if waiting := verdicts.get("pending", 0) + verdicts.get("staged", 0):
        words = f"{n_sims(waiting)} pending or staged: not as planned yet"
        problem = Problem("stopped", words, f"`migrator apply {header.plan_id}` goes on with them")
        return Outcome(data, text, ExitCode.RESUMABLE, (problem,))
    words = "Every SIM of the plan is as planned"
    if back := verdicts.get(ROLLED_BACK, 0):
        words += f", but for {n_sims(back)} that a rollback took back: the old SIM is on, the new one paused"
    return Outcome(data, [*text, f"{words}."])


def _joined(parts: list[Outcome]) -> Outcome:
    """Join several outcomes into one.

    The exit code for attention outranks the one for waiting.
    """
    codes = {ExitCode(part.exit_code) for part in parts}
    worst = next((code for code in (ExitCode.ATTENTION, ExitCode.RESUMABLE) if code in codes), ExitCode.DONE)
    return Outcome(
        {name: value for part in parts for name, value in part.data.items()},
        [line for part in parts for line in part.text],
        worst,
        tuple(problem for part in parts for problem in part.problems),
    )
