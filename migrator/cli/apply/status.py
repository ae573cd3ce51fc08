"""`status`: the state of a plan."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options, table
from migrator.cli.app.words import step_word, verdict_word
from migrator.cli.apply.run import order_values
from migrator.cli.plan.tables import caps_table
from migrator.core.campaign.notices import DeliveryState
from migrator.core.fleet.spelling import json_text
from migrator.core.fleet.units import n_sims
from migrator.core.run.steps import JobRecord
from migrator.errors import InputError
from migrator.inputs.settings.settings import duration_s
from migrator.reports.model import moment
from migrator.reports.remedies import CAMPAIGN_GOES_ON
from migrator.wiring import SystemClock
from migrator.workflows.cutover.status import cutover_line
from migrator.workflows.journal.status import PlanStatus, plan_status, watch_status
from migrator.workflows.lookups.plans import plan_looked_at

__all__ = ["runs_table", "status"]

STUCK_HINT = (
    "A SIM that stays *-PENDING there can only be freed by Hologram: write to its support with the ICCIDs. The rest of "
    "the plan goes on; `migrator skip --iccids FILE` stops waiting for them."
)


@click.command("status", epilog="Exit codes: 0 done, 2 no plan yet, or input.")
@click.argument("plan", required=False)
@click.option("--watch", is_flag=True, help="Look again and again, until the run ends or Ctrl-C.")
@click.option("--every", metavar="DURATION", default="5s", show_default=True, help="How often, with --watch.")
@global_options
@click.pass_obj
def status(shared: Globals, /, *, plan: str | None, watch: bool, every: str) -> int:
    """Show the state of PLAN, and the command that goes on.

    PLAN is by default the one at work, else the newest.

    Shows steps, verdicts, failures, the last run, an order in force (`run pause`, `run abort`), the rates that were
    set, SIMs stuck at Hologram, and what cards cost that are claimed and were never seen.
    """
    return finish("status", shared, lambda: _watch(shared, plan, every) if watch else _status(shared, plan))


def _status(shared: Globals, plan: str | None) -> Outcome:

    with wiring.store_of(shared.state, shared.config) as store:
        outcome = _told(plan_status(store, plan_looked_at(store, plan)))
        idle = store.idle(SystemClock().now().timestamp())
        words = [f"Over all plans {idle.words}."] if idle.all.cards else []
        return replace(outcome, data={**outcome.data, "idle": idle.as_dict()}, text=[*outcome.text, *words])


# --- watching -----------------------------------------------------------------------------------------------------


def _watch(shared: Globals, plan: str | None, every: str) -> Outcome:
    """Report every change until no run is alive.

    Ctrl-C ends the watch like any other end.
    """
    every_s = duration_s(every)
    if every_s <= 0:
        raise InputError("--every is zero", code="bad_duration", hint="give a duration such as 5s")
    before = ""

    def tell(found: PlanStatus) -> None:
        nonlocal before
        outcome = _told(found)
        now = _line(outcome.data)
        if now != before:
            _tell(shared, outcome, now)
            before = now

    with wiring.store_of(shared.state, shared.config) as store:
        return _told(watch_status(store, plan_looked_at(store, plan), every_s, tell))


def _tell(shared: Globals, outcome: Outcome, line: str) -> None:
    """Print the whole picture at a terminal, else one line.

    With --events, print one event. With --json, print nothing but the document at the end.
    """
    when = datetime.now(UTC).strftime("%H:%M:%S")
    if shared.events:
        click.echo(json_text({"event": "status", **outcome.data}))
    elif shared.json:
        pass
    elif sys.stdout.isatty():
        console = Console(highlight=False)
        console.clear()
        console.print(*outcome.text, sep="\n")
        console.print(f"{when} UTC; Ctrl-C ends the watching, not the run", markup=False)
    else:
        click.echo(f"{when} {line}")


def _line(data: Any) -> str:
    """Return on one line all that may change between reads."""
    waves = (
        f"{wave}: " + ", ".join(f"{count} {verdict_word(verdict)}" for verdict, count in sorted(counts.items()))
        for wave, counts in data["waves"].items()
    )
    steps = ", ".join(f"{step['kind']} {step_word(step['state'])} {step['sims']}" for step in data["steps"])
    order = None if data["order"] is None else f"{data['order']['kind']} by {data['order']['by']}"
    run = f"{data['running']} is at it" if data["running"] else "no run is alive"
    return "; ".join(filter(None, (data["state"], run, order, *waves, steps)))


# --- one look -----------------------------------------------------------------------------------------------------


def _told(found: PlanStatus) -> Outcome:
    plan_id, order, ends = found.header.plan_id, found.order, found.ends
    data: dict[str, Any] = {
        "plan_id": plan_id,
        "state": found.state,
        "claims": found.header.claims,
        "counts": found.header.counts,
        "waves": {wave: dict(verdicts) for wave, verdicts in found.waves.items()},
        "steps": [{"kind": kind.value, "state": state, "sims": sims} for (kind, state), sims in found.steps.items()],
        "failed": dict(found.failed),
        "test_mode": None if ends is None else asdict(ends),
        "findings": dict(found.findings),
        "stuck": asdict(found.stuck),
        "caps": found.caps,
        "switches": found.cutovers,
        "unfinished": found.unfinished,
        "order": None if order is None else order_values(order),
        "rates": [asdict(rate) for rate in found.rates],
        "running": found.holder,
        "last_run": _last_run(found),
        "notices": {state.value: count for state, count in sorted(found.notices.items())},
    }
    data["next"] = _next(data, found.goes_on)
    text: list[Any] = [f"Plan {plan_id}: {found.state}" + (f", {found.holder} is at it" if found.holder else "") + "."]
    if order is not None:
        text.append(f"It is {order}; `migrator run resume {plan_id}` lets it go on.")
    if found.unfinished is not None:
        text.append(f"Plan {found.unfinished} was begun and is not finished: `{found.unfinished_goes_on}`.")
    text += map(cutover_line, found.cutovers)
    if ends is not None:
        text.append(f"In Test Mode: {n_sims(ends.sims)}; the first ends at {ends.first}.")
        text += [f"Warning: {words}." for words in (ends.warning(),) if words]
    text += _undelivered(data["notices"])
    return Outcome(data, [*text, *_tables(found, data), *_stuck_text(data["stuck"]), f"Next: {data['next']}"])


def _undelivered(counts: Mapping[str, int]) -> list[str]:
    """Return a line on notices that nobody got, if any."""
    waiting = counts.get(DeliveryState.WAITING, 0) + counts.get(DeliveryState.SENDING, 0)
    given_up = counts.get(DeliveryState.GAVE_UP, 0)
    if not waiting and not given_up:
        return []
    return [f"Notices: {waiting} not delivered yet, {given_up} given up; `migrator notify list` says why."]


def _last_run(found: PlanStatus) -> dict[str, Any] | None:
    if not found.runs:
        return None
    last = found.runs[-1]
    return {"run_id": last.run_id, "state": found.last_run_state, "reason": last.reason, "ref": last.ref}


def _tables(found: PlanStatus, data: dict[str, Any]) -> list[Any]:
    last = found.last_run_state if found.runs else ""
    waves = [
        (wave, verdict_word(verdict), count)
        for wave, counts in data["waves"].items()
        for verdict, count in counts.items()
    ]
    steps = [(step["kind"], step_word(step["state"]), step["sims"]) for step in data["steps"]]
    rates = [(rate["carrier"], rate["ceiling"], rate["by"], _rounded(rate["learned"])) for rate in data["rates"]]
    parts: Sequence[tuple[str, Sequence[str], Sequence[Sequence[object]]]] = (
        ("Steps", ("step", "state", "SIMs"), steps),
        ("Failed", ("code", "SIMs"), list(data["failed"].items())),
        ("What differs", ("finding", "SIMs"), list(data["findings"].items())),
        ("Requests a second", ("carrier", "at most", "set by", "found out"), rates),
    )
    shown = [table(title, columns, rows) for title, columns, rows in parts if rows]
    return [
        table("Waves", ("wave", "verdict", "SIMs"), waves),
        *shown,
        *runs_table("Runs", found.runs, last),
        caps_table(data["caps"]),
    ]


def runs_table(title: str, runs: Sequence[JobRecord], last_state: str = "") -> list[Any]:
    """Return the table of a plan's runs; none where there are none.

    A column of references is there once a run has one.
    """
    if not runs:
        return []
    rows = [[run.run_id, run.state, moment(run.started_at), run.exit_code, run.reason] for run in runs]
    rows[-1][1] = last_state or runs[-1].state
    if not any(run.ref for run in runs):
        return [table(title, ("run", "state", "started", "exit", "reason"), rows)]
    with_refs = [[*row[:2], run.ref, *row[2:]] for row, run in zip(rows, runs, strict=True)]
    return [table(title, ("run", "state", "ref", "started", "exit", "reason"), with_refs)]


def _rounded(value: object) -> object:
    return round(value, 1) if isinstance(value, float) else value


def _stuck_text(stuck: dict[str, Any]) -> list[Any]:
    """Return the table of SIMs that wait for too long.

    The longest wait comes first. The table is left out where there are none.
    """
    if not stuck["half_hour"]:
        return []
    rows = [
        (sim["source_iccid"], sim["target_iccid"], sim["state_word"], moment(sim["since"])) for sim in stuck["oldest"]
    ]
    title = f"Stuck: {stuck['half_hour']} SIMs for more than 30 minutes, {stuck['day']} of them for more than 24 hours"
    return [table(title, ("source", "target", "at Hologram", "waits since"), rows), STUCK_HINT]


def _next(data: dict[str, Any], goes_on: str) -> str:
    """Return the command that goes on from here.

    `goes_on` goes on with the plan: its campaign's, or one that names it, as a newer plan may have been made meanwhile.
    """
    plan_id = data["plan_id"]
    if data["order"] is not None:
        return f"`migrator run resume {plan_id}`"
    if data["running"] is not None:
        return "wait for the run that is at it, or `migrator run pause`"
    if data["state"] == "created" and goes_on != CAMPAIGN_GOES_ON:
        return f"`migrator apply {plan_id} --dry-run`, then `migrator apply {plan_id} --confirm {data['claims']}`"
    return f"`migrator report {plan_id}`" if data["state"] == "finished" else f"`{goes_on}`"
