"""Plans of all kinds and the last runs, newest first."""

from typing import Any

from sqlalchemy import func, select

from migrator.core.run.states import StepKind, StepState
from migrator.store.database.database import Database
from migrator.store.tables.plans import plans, requests, runs, steps

__all__ = ["AllPlans"]


def _steps(kind: StepKind | None, state: StepState) -> Any:
    counted = select(func.count()).select_from(steps).where(steps.c.plan_no == plans.c.plan_no, steps.c.state == state)
    return (counted if kind is None else counted.where(steps.c.kind == kind)).correlate(plans).scalar_subquery()


_of = plans.alias("of")
_PLANS = (
    select(
        plans.c.plan_id,
        plans.c.kind,
        plans.c.state,
        plans.c.campaign_no,
        _of.c.plan_id.label("of_plan"),
        plans.c.created_at,
        plans.c.started_at,
        plans.c.finished_at,
        _steps(StepKind.CLAIM, StepState.DONE).label("claimed"),
        _steps(StepKind.SOURCE, StepState.DONE).label("switched"),
        _steps(None, StepState.FAILED).label("failed"),
    )
    .outerjoin_from(plans, _of, _of.c.plan_no == plans.c.of_plan_no)
    .where(plans.c.plan_id.is_not(None))
    .order_by(plans.c.made_no.desc(), plans.c.plan_no.desc())
)
_sent = select(func.count()).where(requests.c.run_id == runs.c.run_id).correlate(runs).scalar_subquery()
_RUNS = (
    select(
        runs.c.run_id,
        plans.c.plan_id,
        plans.c.kind,
        runs.c.state,
        runs.c.owner,
        runs.c.started_at,
        runs.c.ended_at,
        runs.c.exit_code,
        runs.c.reason,
        runs.c.ref,
    )
    .join_from(runs, plans, plans.c.plan_no == runs.c.plan_no)
    .order_by(runs.c.run_id.desc())
)


class AllPlans:
    """Reader of plans and runs, whichever kind they are."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def plans(self) -> list[dict[str, Any]]:
        """Return every plan with its counts, newest first; times are UTC seconds."""
        return [row._asdict() for row in self._db.rows(_PLANS)]

    def runs(self, most: int) -> list[dict[str, Any]]:
        """Return the last runs, newest first; times are UTC seconds."""
        return [row._asdict() for row in self._db.rows(_RUNS.limit(most))]
