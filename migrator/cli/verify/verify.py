"""`verify`: fresh reads of every SIM of a plan.

The reads are compared with what was planned. Options ask for more proofs.
"""

from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
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
from migrator.engine.run.context import Stopper
from migrator.errors import InputError, Problem
from migrator.inputs.settings.settings import Settings
from migrator.ports import Progress
from migrator.store import Store
from migrator.workflows.cutover.status import finding_counts, taken_back_and_no_more
from migrator.workflows.lookups.plans import plan_or_file
from migrator.workflows.notices.deliver import deliver_after_run
from migrator.workflows.notices.found import tell_drift, tell_silent
from migrator.workflows.plans.make import look
from migrator.workflows.site import Site
from migrator.workflows.verify import DeviceWatch, look_at_source, prove_life
from migrator.workflows.watch import drift_of

__all__ = ["verified", "verify"]

ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True)
class Asked:
    """Checks to make beyond the record."""

    thorough: bool = False
    source: bool = False
    traffic: bool = False
    old_silent: bool = False


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
    asked = Asked(thorough, source, traffic, old_silent)

    def body() -> Outcome:

        _refuse_nonsense(asked, watch=watch, bound=for_ is not None or keep_going)
        if watch:
            return watched(shared, plan, every=every, for_=for_, keep_going=keep_going)
        return _verify(shared, plan, asked)

    return finish("verify", shared, body)


def _refuse_nonsense(asked: Asked, *, watch: bool, bound: bool) -> None:
    """Refuse options that make no sense together.

    Raises: InputError, naming the options.
    """
    problem = ""
    if watch and asked != Asked():
        problem = "--watch reads the record only: not with --thorough, --source, --traffic or --old-silent"
    elif bound and not watch:
        problem = "--for and --keep-going are about --watch"
    elif asked.old_silent and not asked.traffic:
        problem = "--old-silent is a part of --traffic"
    if problem:
        raise InputError(problem, code="bad_options", hint="see `migrator verify --help`")


def _verify(shared: Globals, plan: str | None, asked: Asked) -> Outcome:

    chosen = wiring.settings(shared.config)
    chosen.hologram()
    with wiring.open_store(shared.state or chosen.state) as store:
        if asked.source or asked.old_silent:
            wiring.must_be_asked(chosen, store)
            chosen.source()
        return verified(shared, chosen, store, store.plans.header(plan_or_file(store, plan)), asked)


def verified(
    shared: Globals, chosen: Settings, store: Store, header: PlanHeader, asked: Asked | None = None
) -> Outcome:
    """Verify a plan and return the outcome.

    Without `asked`, only the record is verified.
    """
    told: list[Outcome] = []
    began_s = wiring.SystemClock().now().timestamp()
    devices, lives = DeviceWatch(store, header, most_kept(shared)), ProofSum(most_kept(shared))
    with watching(shared) as progress, closing(devices):

        async def body(stopper: Stopper) -> None:

            work = _Work(chosen, store, header, stopper, progress)
            await _look_at_target(work, asked, devices, lives)
            if asked is not None and asked.source:
                async with wiring.source(chosen, store, stopper) as source:
                    found = await look_at_source(
                        store,
                        source,
                        header,
                        most=most_kept(shared),
                        clock=wiring.SystemClock(),
                        stopper=stopper,
                        progress=progress,
                    )
                told.append(source_told(found, chosen.carrier.name))

        wiring.run_async(body)
    tell_drift(store, header, drift_of(store, header.plan_id, began_s))
    if asked is not None and asked.traffic:
        tell_silent(store, header, lives.silent)
    deliver_after_run(Site(store, chosen, warn=warned))
    parts = [_told(store, header)]
    if asked is not None:
        parts.append(unexpected_told(devices))
    parts += told
    if asked is not None and asked.traffic:
        parts.append(lives_told(lives))
    return _joined(parts)


@dataclass(frozen=True, slots=True)
class _Work:
    """Objects that every read of `verify` shares."""

    chosen: Settings
    store: Store
    header: PlanHeader
    stopper: Stopper
    progress: Progress


async def _look_at_target(work: _Work, asked: Asked | None, devices: DeviceWatch, lives: ProofSum) -> None:
    """Read the plan's SIMs afresh, and what else was asked for.

    That may be the whole device list, and proofs of life.
    """
    chosen, store, stopper, clock = work.chosen, work.store, work.stopper, wiring.SystemClock()
    async with AsyncExitStack() as stack:
        target = await stack.enter_async_context(wiring.target(chosen, store, stopper, read_only=True))
        await look(
            store,
            target,
            work.header,
            absent_after_s=chosen.absent_after_s,
            clock=clock,
            stopper=stopper,
            progress=work.progress,
            listed=(lambda _page: None) if asked is None else devices.see,
        )
        if asked is not None and asked.thorough:
            await devices.read_all(target, stopper)
        if asked is not None and asked.traffic:
            usage = None
            if asked.old_silent:
                usage = await stack.enter_async_context(wiring.source(chosen, store, stopper))
            await prove_life(
                store,
                target,
                work.header,
                lives.keep,
                source=usage,
                clock=clock,
                stopper=stopper,
                progress=work.progress,
            )


def _verdicts(store: Store, plan_id: str) -> dict[str, int]:
    """Count the SIMs by verdict.

    SIMs that a rollback took back count as `rolled_back`, not as a mismatch: the rollback was ordered.
    """
    verdicts: dict[str, int] = dict(store.journal.verdicts(plan_id))
    back = taken_back_and_no_more(store, plan_id)
    told = verdicts | {"mismatch": verdicts.get("mismatch", 0) - back, ROLLED_BACK: back}
    return {verdict: sims for verdict, sims in told.items() if sims}


def _told(store: Store, header: PlanHeader) -> Outcome:

    verdicts = _verdicts(store, header.plan_id)
    findings = finding_counts(store, header.plan_id)
    blocked = header.counts.get("BLOCK", 0)
    data = {"plan_id": header.plan_id, "verdicts": verdicts, "findings": findings, "blocked": blocked}
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
