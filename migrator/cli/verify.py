"""`verify`: fresh reads of every SIM of a plan, compared with what was planned."""

from typing import TYPE_CHECKING, Any

import click

from migrator.cli.common import Globals, Outcome, finish, global_options, table
from migrator.core.results import ExitCode
from migrator.errors import Problem

if TYPE_CHECKING:
    from migrator.core.plan import PlanHeader
    from migrator.executor.context import Stopper
    from migrator.inputs.settings import Settings
    from migrator.store import Store

__all__ = ["verified", "verify"]


@click.command("verify", epilog="Exit codes: 0 all as planned, 3 differences, 7 all that is left is pending.")
@click.argument("plan", required=False)
@global_options
@click.pass_obj
def verify(shared: Globals, /, *, plan: str | None) -> int:
    """Read every SIM of PLAN (default the newest) afresh at Hologram and compare. Sends no write."""
    return finish("verify", shared, lambda: _verify(shared, plan))


def _verify(shared: Globals, plan: str | None) -> Outcome:
    from migrator import bootstrap
    from migrator.cli.lookups import plan_id_of

    chosen = bootstrap.settings(shared.config)
    chosen.hologram()
    with bootstrap.open_store(shared.state or chosen.state) as store:
        return verified(shared, chosen, store, store.plans.header(plan_id_of(store, plan)))


def verified(shared: Globals, chosen: "Settings", store: "Store", header: "PlanHeader") -> Outcome:
    """Verify a plan and tell the outcome."""
    from migrator import bootstrap
    from migrator.bootstrap.planning import look
    from migrator.cli.progress import watching

    with watching(shared) as progress:

        async def body(stopper: "Stopper") -> None:
            async with bootstrap.target(chosen, store, stopper, read_only=True) as target:
                await look(
                    store,
                    target,
                    header,
                    absent_after_s=chosen.absent_after_s,
                    clock=bootstrap.SystemClock(),
                    stopper=stopper,
                    progress=progress,
                )

        bootstrap.run_async(body)
    return _told(store, header)


def _told(store: "Store", header: "PlanHeader") -> Outcome:
    from migrator.cli.lookups import finding_counts

    verdicts = dict(store.journal.verdicts(header.plan_id))
    findings = finding_counts(store, header.plan_id)
    blocked = header.counts.get("BLOCK", 0)
    data = {"plan_id": header.plan_id, "verdicts": verdicts, "findings": findings, "blocked": blocked}
    text: list[Any] = [table(f"Plan {header.plan_id}", ("verdict", "SIMs"), [*verdicts.items(), ("blocked", blocked)])]
    if findings:
        text.append(table("What differs", ("finding", "SIMs"), list(findings.items())))
    lasting = verdicts.get("mismatch", 0) + verdicts.get("missing", 0)
    if lasting or blocked:
        words = f"{lasting} SIMs differ from the plan, {blocked} are blocked"
        problem = Problem("attention", words, "`migrator report` lists them SIM by SIM")
        return Outcome(data, text, ExitCode.ATTENTION, (problem,))
    if verdicts.get("pending", 0):
        problem = Problem("stopped", f"{verdicts['pending']} SIMs are pending", "`migrator apply` goes on with them")
        return Outcome(data, text, ExitCode.RESUMABLE, (problem,))
    return Outcome(data, [*text, "Every SIM of the plan is as planned."])
