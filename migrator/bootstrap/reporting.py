"""The reconciliation of a plan, read from the store."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from migrator.core.journal import RequestRecord
from migrator.core.states import StepKind, StepState
from migrator.reports.model import Reconciliation, ReportRow, moment, row_of, unplanned_row

if TYPE_CHECKING:
    from migrator.store import Store

__all__ = ["reconciliation"]


def reconciliation(store: "Store", plan_id: str) -> Reconciliation:
    """The model of a report. Its rows are read from the store each time they are walked."""

    def rows() -> Iterator[ReportRow]:
        for item, verified, job_ids, claimed_at, verified_at in store.journal.report_rows(plan_id):
            yield row_of(item, verified, job_ids=job_ids, claimed_at=claimed_at, verified_at=verified_at)
        for sim in store.journal.unplanned(plan_id):
            yield unplanned_row(sim)

    return Reconciliation(
        plan_id=plan_id,
        inventory_total=int(store.inventory.summary()["count"]),
        rows=rows,
        runs=store.journal.runs(plan_id),
        jobs=[_job(record) for record in store.journal.requests(plan_id) if record.method == "POST"],
        money=_money(store, plan_id),
    )


def _job(record: RequestRecord) -> dict[str, Any]:
    return {
        "request_id": record.request_id,
        "run_id": record.run_id,
        "wave": record.wave,
        "kind": record.kind.value,
        "sims": record.sims,
        "outcome": record.outcome.value,
        "job_id": record.job_id,
        "job_status": record.job_status,
        "sent_at": moment(record.intent_at),
        "answered_at": moment(record.outcome_at),
    }


def _money(store: "Store", plan_id: str) -> dict[str, Any]:
    """What the plan foresaw, and how many SIMs the journal shows as claimed."""
    header = store.plans.header(plan_id)
    counts = store.journal.step_counts(plan_id)
    return {
        **{f"planned_{key}": value for key, value in header.summary["money"].items()},
        "sims_planned_to_claim": header.claims,
        "sims_claimed": counts.get((StepKind.CLAIM, StepState.DONE), 0),
        "sims_uncertain": counts.get((StepKind.CLAIM, StepState.UNCERTAIN), 0),
    }
