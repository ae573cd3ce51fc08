"""Claims, first signs of life and cutovers, day by day."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from typing import Any

from sqlalchemy import ColumnElement, func, select

from migrator.core.campaign.forecast import Day
from migrator.core.run.states import PlanKind, StepKind, StepState
from migrator.store.database.database import Database
from migrator.store.database.sql import truncated
from migrator.store.tables.plans import plans, proofs, steps

__all__ = ["Days"]

QUARTER_S = 900
"""Seconds that are counted together.

Time zones differ by quarters of an hour.
"""


def _quarter(at: ColumnElement[float]) -> ColumnElement[int]:
    return truncated(at / QUARTER_S).label("quarter")


_done = steps.c.state == StepState.DONE
_CLAIMED = (
    select(_quarter(steps.c.since), func.count()).where(steps.c.kind == StepKind.CLAIM, _done).group_by("quarter")
)
_first = func.min(proofs.c.first_alive_at).label("first")
_firsts = select(_first).where(proofs.c.first_alive_at.is_not(None)).group_by(proofs.c.source_key).subquery()
_ALIVE = select(_quarter(_firsts.c.first), func.count()).group_by("quarter")


def _switched(kind: PlanKind) -> Any:
    of = select(plans.c.plan_no).where(plans.c.kind == kind)
    moved = select(_quarter(steps.c.since), func.count()).where(steps.c.plan_no.in_(of))
    return moved.where(steps.c.kind == StepKind.SOURCE, _done).group_by("quarter")


_CUT_OVER, _BACK = _switched(PlanKind.CUTOVER), _switched(PlanKind.ROLLBACK)


class Days:
    """Reader of what happened on each day."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def list(self, zone: tzinfo = UTC) -> list[Day]:
        """Return every day on which something happened, oldest first.

        `zone` is the time zone of a day.
        """
        counted = [self._counted(query, zone) for query in (_CLAIMED, _ALIVE, _CUT_OVER, _BACK)]
        days = sorted(set().union(*counted))
        return [Day(day, *(by_day[day] for by_day in counted)) for day in days]

    def _counted(self, query: Any, zone: tzinfo) -> Counter[str]:
        found: Counter[str] = Counter()
        rows: Iterable[Any] = self._db.rows(query)
        for quarter, sims in rows:
            found[datetime.fromtimestamp(quarter * QUARTER_S, zone).date().isoformat()] += sims
        return found
