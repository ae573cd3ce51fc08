"""Report data beside the SIMs: approvals, bulk requests, request rate."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import bindparam, func, select

from migrator.chunks import PAGE
from migrator.core.run.states import StepKind, StepState
from migrator.store.database.database import Database
from migrator.store.database.rows import AnyRow
from migrator.store.database.sql import truncated
from migrator.store.plans.lookup import plan_row
from migrator.store.tables.plans import approvals, request_items, requests, steps

__all__ = ["Reporting"]

_items, _later, _claims = request_items.c, request_items.alias("later"), requests.alias("claims")
_was_claimed_again = (
    select(_later.c.request_id)
    .join(_claims, _claims.c.request_id == _later.c.request_id)
    .where(_later.c.plan_no == _items.plan_no, _later.c.source_key == _items.source_key)
    .where(_later.c.request_id > _items.request_id, _claims.c.kind == StepKind.CLAIM)
    .exists()
)
_CLAIMED = (  # the SIMs of a request that are claimed, each counted for the last claim that named it
    select(func.count())
    .select_from(request_items)
    .join(steps, (steps.c.plan_no == _items.plan_no) & (steps.c.source_key == _items.source_key))
    .where(_items.request_id == requests.c.request_id)
    .where(steps.c.kind == StepKind.CLAIM, steps.c.state == StepState.DONE, ~_was_claimed_again)
    .correlate(requests)
    .scalar_subquery()
)
_BUT_BODY = tuple(column for column in requests.c if column.name != "body")
_NEXT_BULK = (
    select(*_BUT_BODY, _CLAIMED.label("claimed"))
    .where(requests.c.plan_no == bindparam("plan_no"), requests.c.method == "POST")
    .where(requests.c.request_id > bindparam("after"))
    .order_by(requests.c.request_id)
    .limit(PAGE)
)
_of_plan = requests.c.plan_no == bindparam("plan_no")
_SPAN = select(func.min(requests.c.intent_at).label("first"), func.max(requests.c.intent_at).label("last")).where(
    _of_plan
)
_bin = truncated((requests.c.intent_at - bindparam("begin")) / bindparam("width"))
_PACE = select(requests.c.kind, _bin.label("bin"), func.count().label("sent")).where(_of_plan).group_by("kind", "bin")


class Reporting:
    """Reader of report data; never reads more than a page at once."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def times(self, plan_id: str) -> dict[str, float | None]:
        """Return when a plan was made, begun and used up.

        Times are UTC seconds; None for what did not happen yet.
        """
        row = plan_row(self._db, plan_id)
        return {"created_at": row.created_at, "started_at": row.started_at, "finished_at": row.finished_at}

    def approvals(self, plan_id: str) -> Sequence[AnyRow]:
        """Return the approvals of a plan, oldest first."""
        plan_no = plan_row(self._db, plan_id).plan_no
        given = select(approvals).where(approvals.c.plan_no == plan_no).order_by(approvals.c.approval_id)
        return self._db.rows(given)

    def bulk_requests(self, plan_id: str) -> Iterator[AnyRow]:
        """Yield the POSTs of a plan, oldest first, without their bodies.

        `claimed` is the number of SIMs of a request that are claimed now.
        """
        plan_no, after = plan_row(self._db, plan_id).plan_no, 0
        while rows := self._db.rows(_NEXT_BULK, plan_no=plan_no, after=after):
            yield from rows
            after = rows[-1].request_id

    def span(self, plan_id: str) -> tuple[float, float] | None:
        """Return when a plan's first and last requests were sent.

        Times are UTC seconds; None if no request was sent.
        """
        (row,) = self._db.rows(_SPAN, plan_no=plan_row(self._db, plan_id).plan_no)
        return None if row.first is None else (row.first, row.last)

    def pace(self, plan_id: str, *, begin: float, width_s: float, bins: int) -> dict[str, list[int]]:
        """Count the requests in each stretch of time, by kind.

        There are `bins` equal stretches of time from `begin` on.
        """
        found: dict[str, list[int]] = {}
        values: dict[str, Any] = {"begin": begin, "width": width_s}
        for row in self._db.rows(_PACE, plan_no=plan_row(self._db, plan_id).plan_no, **values):
            counts = found.setdefault(row.kind, [0] * bins)
            counts[min(max(row.bin, 0), bins - 1)] += row.sent
        return found
