"""Runs and plans: what is at work, and how far each is."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from migrator.core.run.control import CEILING_SETTINGS
from migrator.core.run.states import PlanKind, PlanState, RunState
from migrator.reports.formats.charts import BarChart, shares_chart
from migrator.reports.model import moment
from migrator.reports.words import step_word
from migrator.store import Store
from migrator.workflows.cutover.status import cutovers_of
from migrator.workflows.report import caps_used
from migrator.workflows.site import living_holder

__all__ = ["AtWork", "PlanCounts", "at_work", "clock", "plan_counts", "plan_page", "runs_page"]

MOST_RUNS = MOST_PLANS = MOST_REQUESTS = 50
PACE_S = 60.0
_BUCKETS = {
    "ok": "verified",
    "pending": "pending",
    "unread": "pending",
    "staged": "pending",
    "mismatch": "mismatch",
    "missing": "failed",
}
"""Verdicts, and the buckets of the report whose colour they have."""
_COMMANDS = {
    PlanKind.MIGRATE: "migrator apply",
    PlanKind.STOCK: "migrator apply",
    PlanKind.CUTOVER: "migrator cutover apply",
    PlanKind.ROLLBACK: "migrator rollback apply",
}
_TONES = {0: "verified", 3: "mismatch", 7: "excluded", 130: "excluded"}
"""Colours of exit codes that are no failure."""
_STATES = {PlanState.CREATED: "not begun", PlanState.STARTED: "begun", PlanState.FINISHED: "finished"}


def clock(seconds: float | None) -> str:
    """Return UTC seconds as a person reads them; empty for None."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True, slots=True, kw_only=True)
class AtWork:
    """Run of now, or the last one.

    Args:
        holder: the process that is at work; None if there is none.
        heard_s: seconds since it was last heard of.
        last: the newest run, as `_run` tells it; None if nothing ever ran.
        orders: plans that an operator holds back, with the order in words and the command that lets them go on.
        rates: requests per second by carrier: the ceiling, who set it, and what was found out.
        pace: requests of the last minute that meant to change something, in words.
    """

    holder: str | None
    heard_s: float | None
    last: Mapping[str, Any] | None
    orders: Sequence[Mapping[str, str]]
    rates: Sequence[Mapping[str, Any]]
    pace: Sequence[tuple[str, int]]


def at_work(store: Store, now: float) -> AtWork:
    """Return what is at work at this moment."""
    holder, lease = living_holder(store), store.lease.holder()
    runs = store.glance.runs(1)
    is_alive = holder is not None
    return AtWork(
        holder=None if holder is None else str(holder),
        heard_s=None if lease is None or not is_alive else max(0.0, now - lease[1]),
        last=_run(runs[0], is_alive=is_alive) if runs else None,
        orders=[_order(store, plan_id) for plan_id in store.steering.ordered_plans()],
        rates=list(filter(None, (_rate(store, carrier) for carrier in CEILING_SETTINGS))),
        pace=sorted(
            (f"{kind} {_plain(outcome)}", sent) for (kind, outcome), sent in store.glance.pace(now - PACE_S).items()
        ),
    )


def _order(store: Store, plan_id: str) -> dict[str, str]:
    order = store.steering.order(plan_id)
    words = "held back" if order is None else f"{order.past} by {order.given_by}, {clock(order.given_at)}"
    return {"plan_id": plan_id, "words": words, "command": f"migrator run resume {plan_id}"}


def _rate(store: Store, carrier: str) -> dict[str, Any] | None:
    ceiling, learned = store.steering.ceiling(carrier), store.steering.learned(carrier)
    if ceiling is None and learned is None:
        return None
    found = None if learned is None else learned.values.get("per_second")
    return {
        "carrier": carrier,
        "ceiling": None if ceiling is None else ceiling.per_second,
        "by": None if ceiling is None else ceiling.given_by,
        "learned": round(found, 1) if isinstance(found, float) else found,
        "learned_at": None if learned is None else clock(learned.at),
    }


def _run(row: Any, *, is_alive: bool) -> dict[str, Any]:
    """Return a run for a page.

    A run whose process is gone without a word has ended, too.
    """
    is_running = row.state == RunState.RUNNING
    state = "ended without a word" if is_running and not is_alive else row.state
    return {
        "run_id": row.run_id,
        "plan_id": row.plan_id,
        "kind": _kind(row.kind),
        "state": state,
        "is_running": is_running and is_alive,
        "tone": "pending" if is_running and is_alive else _TONES.get(row.exit_code, "failed"),
        "owner": row.owner,
        "started_at": clock(row.started_at),
        "ended_at": clock(row.ended_at),
        "started_s": row.started_at,
        "ended_s": row.ended_at,
        "exit_code": row.exit_code,
        "reason": row.reason,
        "command": f"{_COMMANDS[PlanKind(row.kind)]} {row.plan_id}",
    }


def _kind(kind: str) -> str:
    return "migration" if kind == PlanKind.MIGRATE else kind


def _plain(word: str) -> str:
    return word.replace("_", " ")


def _runs(store: Store, plan_id: str | None = None) -> list[dict[str, Any]]:
    is_alive = living_holder(store) is not None
    rows = store.glance.runs(MOST_RUNS, plan_id)
    newest = store.glance.runs(1)
    return [_run(row, is_alive=is_alive and row.run_id == newest[0].run_id) for row in rows]


def runs_page(store: Store, now: float) -> dict[str, Any]:
    """Return what the page of the runs shows."""
    return {
        "work": at_work(store, now),
        "runs": _runs(store),
        "plans": [_plan(row) for row in store.glance.plans(MOST_PLANS)],
        "most": MOST_RUNS,
    }


def _plan(row: Any) -> dict[str, Any]:
    return {
        "plan_id": row.plan_id,
        "kind": _kind(row.kind),
        "state": _STATES.get(row.state, row.state),
        **{name: clock(getattr(row, name)) for name in ("created_at", "started_at", "finished_at")},
        "of": getattr(row, "of_plan_id", None),
    }


# --- one plan -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCounts:
    """Counts of one plan, which take long for a large one.

    `made_at` is in UTC seconds; `waves` has a verdict's SIMs by wave.
    """

    made_at: float
    waves: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    steps: Sequence[tuple[str, str, int]] = ()
    failed: Sequence[tuple[str, int]] = ()
    outcomes: Sequence[tuple[str, str, int]] = ()
    stuck: int = 0
    caps: Mapping[str, Any] = field(default_factory=dict)
    cutovers: Sequence[Mapping[str, Any]] = ()
    claims: int = 0

    @property
    def chart(self) -> BarChart:
        """Chart of the waves, with the SIMs of each bucket."""
        return shares_chart("Waves", {wave: _by_bucket(counts) for wave, counts in self.waves.items()})


def _by_bucket(counts: Mapping[str, int]) -> Counter[str]:
    found: Counter[str] = Counter()
    for verdict, sims in counts.items():
        found[_BUCKETS.get(verdict, "pending")] += sims
    return found


def plan_counts(store: Store, plan_id: str, now: float) -> PlanCounts:
    """Count a plan's SIMs, steps and requests.

    `now` is in UTC seconds.
    """
    steps = [
        (kind.value, step_word(str(state)), sims) for (kind, state), sims in store.journal.step_counts(plan_id).items()
    ]
    outcomes = [(kind, _plain(outcome), sent) for (kind, outcome), sent in store.glance.outcomes(plan_id).items()]
    if store.plans.exists(plan_id) is None:
        return PlanCounts(made_at=now, steps=steps, outcomes=outcomes)
    header = store.plans.header(plan_id)
    return PlanCounts(
        made_at=now,
        waves={wave: dict(store.journal.verdicts(plan_id, wave)) for wave in header.waves},
        steps=steps,
        failed=sorted(store.journal.failure_codes(plan_id).items()),
        outcomes=outcomes,
        stuck=store.stuck(plan_id, now).half_hour,
        caps=caps_used(store, header),
        cutovers=cutovers_of(store, plan_id),
        claims=header.claims,
    )


def plan_page(store: Store, plan_id: str) -> dict[str, Any] | None:
    """Return the quick part of a plan's page, or None."""
    row = store.glance.plan(plan_id)
    if row is None:
        return None
    order = store.steering.order(plan_id)
    return {
        "plan": _plan(row),
        "command": _command(store, row),
        "order": None if order is None else _order(store, plan_id),
        "runs": _runs(store, plan_id),
        "requests": [_request(one) for one in store.glance.requests(plan_id, MOST_REQUESTS)],
        "most": MOST_REQUESTS,
    }


def _command(store: Store, row: Any) -> str:
    if row.kind == PlanKind.CUTOVER:
        return store.cutovers.header(row.plan_id).command
    return f"{_COMMANDS[PlanKind(row.kind)]} {row.plan_id}"


def _request(row: Any) -> dict[str, Any]:
    return {
        "request_id": row.request_id,
        "run_id": row.run_id,
        "kind": row.kind,
        "wave": row.wave,
        "sims": row.sims,
        "outcome": _plain(row.outcome),
        "status": row.status,
        "job_id": row.job_id,
        "message": row.message,
        "sent_at": clock(row.intent_at),
        "answered_at": moment(row.outcome_at),
    }
