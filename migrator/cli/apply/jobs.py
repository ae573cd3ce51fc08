"""`jobs`: requests that were sent, and their results."""

from typing import Any

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options, table
from migrator.cli.app.words import step_word
from migrator.cli.apply.status import runs_table
from migrator.core.cutover.plan import CutoverItem
from migrator.core.fleet.units import counted
from migrator.core.run.steps import RequestRecord
from migrator.reports.formats.json_file import run_values
from migrator.reports.model import moment
from migrator.workflows.cutover.status import cutover_line, cutovers_of
from migrator.workflows.journal.requests import RequestWithSims, requests_of_job
from migrator.workflows.lookups.plans import plan_looked_at

__all__ = ["job_values", "list_jobs", "show"]

FIELDS = ("request_id", "run_id", "wave", "kind", "sims", "outcome", "job_id", "sent_at", "answered_at")
COLUMNS = ("request", "run", "wave", "kind", "SIMs", "outcome", "carrier job", "sent", "answered")


@click.command("list", epilog="Exit codes: 0 done, 2 no plan yet.")
@click.option("--plan", help="Which plan; default the newest.")
@click.option("--all", "every", is_flag=True, help="Also requests for a single SIM (exact names).")
@global_options
@click.pass_obj
def list_jobs(shared: Globals, /, *, plan: str | None, every: bool) -> int:
    """List a plan's runs, and their requests with the carrier's job ids."""
    return finish("jobs list", shared, lambda: _list(shared, plan, every=every))


def _list(shared: Globals, plan: str | None, *, every: bool) -> Outcome:

    with wiring.store_of(shared.state, shared.config) as store:
        plan_id = plan_looked_at(store, plan)
        runs = store.journal.runs(plan_id)
        requests = store.journal.requests(plan_id)
        cutovers = cutovers_of(store, plan_id)
    shown = [job_values(record) for record in requests if every or record.method == "POST"]
    hidden = len(requests) - len(shown)
    rows = [tuple(job[key] for key in FIELDS) for job in shown]
    text: list[Any] = [
        *runs_table(f"Runs of plan {plan_id}", runs),
        table("Requests", COLUMNS, rows),
    ]
    if hidden:
        text.append(f"{counted(hidden, 'request')} for a single SIM left out; --all shows them.")
    text += (f"{cutover_line(one)} `migrator cutover show {one['switch_id']}`" for one in cutovers)
    data = {"plan_id": plan_id, "switches": cutovers, "runs": [run_values(run) for run in runs], "requests": shown}
    return Outcome(data, text)


def job_values(record: RequestRecord) -> dict[str, Any]:
    """Return a request as JSON values, without its body."""
    return {
        "request_id": record.request_id,
        "run_id": record.run_id,
        "wave": record.wave,
        "kind": record.kind.value,
        "method": record.method,
        "path": record.path,
        "sims": record.sims,
        "outcome": record.outcome.value,
        "status": record.status,
        "job_id": record.job_id,
        "job_status": record.job_status,
        "message": record.message,
        "sent_at": moment(record.intent_at),
        "answered_at": moment(record.outcome_at),
    }


@click.command("show", epilog="Exit codes: 0 done, 2 no such request or job.")
@click.argument("job")
@global_options
@click.pass_obj
def show(shared: Globals, /, *, job: str) -> int:
    """Show a request or a carrier job, SIM by SIM.

    JOB is the number of a request, or the id of a job of the carrier.
    """
    return finish("jobs show", shared, lambda: _show(shared, job))


def _show(shared: Globals, job: str) -> Outcome:

    with wiring.store_of(shared.state, shared.config) as store:
        parts = [_one(request) for request in requests_of_job(store, job)]
    text: list[Any] = []
    for values in parts:
        shown = [(key, value) for key, value in values.items() if key not in {"sims_of_it", "body"}]
        text.append(table(f"Request {values['request_id']}", ("", ""), shown))
        rows = [
            (sim["source_iccid"], sim["target_iccid"], step_word(sim["state"]), sim["message"])
            for sim in values["sims_of_it"]
        ]
        text.append(table("", ("source", "target", "step", "message"), rows))
    return Outcome({"requests": parts}, text)


def _one(request: RequestWithSims) -> dict[str, Any]:
    record = request.record
    sims = [
        {
            "source_iccid": row.source_iccid.digits,
            "target_iccid": None if row.target_iccid is None else row.target_iccid.digits,
            "state": item.state_of(record.kind).value,
            "message": item.steps[record.kind].message if record.kind in item.steps else "",
        }
        for item in request.items
        for row in [item.row if isinstance(item, CutoverItem) else item.change]
    ]
    return {**job_values(record), "plan_id": record.plan_id, "body": record.body, "sims_of_it": sims}
