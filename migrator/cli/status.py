"""`status`: where a plan stands."""

from typing import TYPE_CHECKING, Any

import click

from migrator.cli.common import Globals, Outcome, finish, global_options, table

if TYPE_CHECKING:
    from migrator.store import Store

__all__ = ["status"]


@click.command("status", epilog="Exit codes: 0 done, 2 no plan yet.")
@click.argument("plan", required=False)
@global_options
@click.pass_obj
def status(shared: Globals, /, *, plan: str | None) -> int:
    """Where PLAN (default the newest) stands: steps, verdicts, failures, the last run, and the command that goes on."""
    return finish("status", shared, lambda: _status(shared, plan))


def _status(shared: Globals, plan: str | None) -> Outcome:
    from migrator import bootstrap
    from migrator.cli.lookups import plan_id_of

    with bootstrap.store_of(shared.state, shared.config) as store:
        return _of(store, plan_id_of(store, plan))


def _of(store: "Store", plan_id: str) -> Outcome:
    from migrator.bootstrap import process_is_gone
    from migrator.cli.lookups import finding_counts
    from migrator.reports.model import moment

    header, journal = store.plans.header(plan_id), store.journal
    state = str(store.plans.state(plan_id))
    steps = [(kind.value, step_state, count) for (kind, step_state), count in journal.step_counts(plan_id).items()]
    runs = journal.runs(plan_id)
    holder = store.lease.holder()
    if holder is not None and process_is_gone(holder[0]):
        holder = None
    by_wave = {wave: dict(journal.verdicts(plan_id, wave)) for wave in header.waves}
    data: dict[str, Any] = {
        "plan_id": plan_id,
        "state": state,
        "claims": header.claims,
        "counts": header.counts,
        "waves": by_wave,
        "steps": [{"kind": kind, "state": step_state, "sims": count} for kind, step_state, count in steps],
        "failed": dict(journal.failure_codes(plan_id)),
        "findings": finding_counts(store, plan_id),
        "running": None if holder is None else str(holder[0]),
        "last_run": None if not runs else {"run_id": runs[-1].run_id, "reason": runs[-1].reason},
        "next": _next(state, header.claims, is_running=holder is not None),
    }
    text: list[Any] = [f"Plan {plan_id}: {state}" + (f", {holder[0]} is at it" if holder else "") + "."]
    waves = [(wave, verdict, count) for wave, counts in by_wave.items() for verdict, count in counts.items()]
    text.append(table("Waves", ("wave", "verdict", "SIMs"), waves))
    for title, rows, columns in (
        ("Steps", steps, ("step", "state", "SIMs")),
        ("Failed", list(data["failed"].items()), ("code", "SIMs")),
        ("What differs", list(data["findings"].items()), ("finding", "SIMs")),
        ("Runs", [(r.run_id, r.state, moment(r.started_at), r.exit_code, r.reason) for r in runs], RUN_COLUMNS),
    ):
        if rows:
            text.append(table(title, columns, rows))
    return Outcome(data, [*text, f"Next: {data['next']}"])


RUN_COLUMNS = ("run", "state", "started", "exit", "reason")


def _next(state: str, claims: int, *, is_running: bool) -> str:
    """The command that goes on from here."""
    if is_running:
        return "wait for the run that is at it"
    if state == "created":
        return f"`migrator apply --dry-run`, then `migrator apply --confirm {claims}`"
    return "`migrator apply`" if state == "started" else "`migrator report`"
