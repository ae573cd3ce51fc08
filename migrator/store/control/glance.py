"""Glance at all plans, runs and requests, in short reads.

Each read is bounded, or a count.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, bindparam, func, select

from migrator.store.database.database import Database
from migrator.store.database.rows import AnyRow
from migrator.store.tables.plans import plans, requests, runs

__all__ = ["Glance"]

MOST_RECENT = 2000
"""Most requests that are looked through for the pace of now."""

_RUNS = select(
    runs.c.run_id,
    runs.c.state,
    runs.c.owner,
    runs.c.started_at,
    runs.c.ended_at,
    runs.c.exit_code,
    runs.c.reason,
    plans.c.plan_id,
    plans.c.kind,
).join_from(runs, plans)
_OF_PLAN = plans.c.plan_id == bindparam("plan_id")
_NEWEST = requests.c.request_id.desc()
_REQUESTS = (
    select(
        requests.c.request_id,
        requests.c.run_id,
        requests.c.kind,
        requests.c.wave,
        requests.c.method,
        requests.c.sims,
        requests.c.intent_at,
        requests.c.outcome,
        requests.c.outcome_at,
        requests.c.status,
        requests.c.job_id,
        requests.c.message,
    )
    .where(requests.c.plan_no.in_(select(plans.c.plan_no).where(_OF_PLAN)))
    .order_by(_NEWEST)
)
_newest = (
    select(requests.c.kind, requests.c.outcome, requests.c.intent_at).order_by(_NEWEST).limit(MOST_RECENT).subquery()
)
_PACE = (
    select(_newest.c.kind, _newest.c.outcome, func.count().label("sent"))
    .where(_newest.c.intent_at >= bindparam("since_s"))
    .group_by(_newest.c.kind, _newest.c.outcome)
)


class Glance:
    """Reader of what was done lately, over all plans."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def plans(self, limit: int) -> Sequence[AnyRow]:
        """Return the newest plans of every kind, newest first.

        A cutover or rollback has its migration as `of_plan_id`.
        """
        of = plans.alias("of")
        wanted: Select[Any] = (
            select(
                plans.c.plan_id,
                plans.c.kind,
                plans.c.state,
                plans.c.created_at,
                plans.c.started_at,
                plans.c.finished_at,
                of.c.plan_id.label("of_plan_id"),
            )
            .join_from(plans, of, plans.c.of_plan_no == of.c.plan_no, isouter=True)
            .where(plans.c.plan_id.is_not(None))
            .order_by(plans.c.plan_no.desc())
            .limit(limit)
        )
        return self._db.rows(wanted)

    def plan(self, plan_id: str) -> AnyRow | None:
        """Return a plan as it is now; None for an unknown id."""
        rows = self._db.rows(select(plans).where(_OF_PLAN), plan_id=plan_id)
        return rows[0] if rows else None

    def runs(self, limit: int, plan_id: str | None = None) -> Sequence[AnyRow]:
        """Return the newest runs, newest first: of a plan, or of all."""
        wanted = _RUNS.order_by(runs.c.run_id.desc()).limit(limit)
        return self._db.rows(wanted) if plan_id is None else self._db.rows(wanted.where(_OF_PLAN), plan_id=plan_id)

    def run_states(self) -> Mapping[str, int]:
        """Count the runs by state."""
        counted = select(runs.c.state, func.count().label("runs")).group_by(runs.c.state)
        return {row.state: row.runs for row in self._db.rows(counted)}

    def requests(self, plan_id: str, limit: int) -> Sequence[AnyRow]:
        """Return the newest requests of a plan, newest first, without their bodies."""
        return self._db.rows(_REQUESTS.limit(limit), plan_id=plan_id)

    def outcomes(self, plan_id: str | None = None) -> Mapping[tuple[str, str], int]:
        """Count a plan's requests, or all, by kind and outcome."""
        counted = select(requests.c.kind, requests.c.outcome, func.count().label("sent")).group_by("kind", "outcome")
        if plan_id is None:
            rows = self._db.rows(counted)
        else:
            of_plan = requests.c.plan_no.in_(select(plans.c.plan_no).where(_OF_PLAN))
            rows = self._db.rows(counted.where(of_plan), plan_id=plan_id)
        return {(row.kind, row.outcome): row.sent for row in rows}

    def pace(self, since_s: float) -> Mapping[tuple[str, str], int]:
        """Count the requests sent since some moment, by kind and outcome.

        Of very many, only the newest are counted. `since_s` is in UTC seconds.
        """
        return {(row.kind, row.outcome): row.sent for row in self._db.rows(_PACE, since_s=since_s)}
