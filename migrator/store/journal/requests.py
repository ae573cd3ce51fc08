"""Every request meant to change something: content, SIMs and outcome."""

import json
from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, func, select, update

from migrator.chunks import PAGE
from migrator.core.run.states import StepKind, StepState
from migrator.core.run.steps import Item, RequestOutcome, RequestRecord
from migrator.errors import InputError
from migrator.store.database.database import storable
from migrator.store.database.rows import AnyRow, by_page, is_later
from migrator.store.journal.items import Items
from migrator.store.plans.lookup import any_plan_row, plan_row
from migrator.store.tables.plans import plans, request_items, requests, steps

__all__ = ["Requests"]

_REQUESTS = select(requests, plans.c.plan_id).join_from(requests, plans).order_by(requests.c.request_id)


class Requests(Items):
    """Reader of requests; a part of the journal."""

    def requests(self, plan_id: str) -> Sequence[RequestRecord]:
        """Return every write of a plan of any kind, oldest first."""
        return self._records(requests.c.plan_no == any_plan_row(self._db, plan_id).plan_no)

    def requests_by_job(self, job_id: str) -> Sequence[RequestRecord]:
        """Return the writes that have this carrier job id, oldest first."""
        return self._records(requests.c.job_id == job_id)

    def request(self, request_id: int) -> RequestRecord | None:
        """Return a write of a plan of any kind, or None."""
        return next(iter(self._records(requests.c.request_id == request_id)), None)

    def request_items(self, request_id: int) -> Sequence[Item]:
        """Return the SIMs of a migration's request, as they are now.

        Raises: InputError, if there is no such request.
        """
        record = self.request(request_id)
        if record is None:
            raise InputError(f"there is no request {request_id} in this store", code="no_such_request")
        return self.items_by_key(record.plan_id, self.request_keys(request_id))

    def request_keys(self, request_id: int) -> Sequence[str]:
        """Return the keys of the SIMs of a request, sorted."""
        named = (
            select(request_items.c.source_key)
            .where(request_items.c.request_id == request_id)
            .order_by(request_items.c.source_key)
        )
        with self._db.read() as connection:
            return connection.execute(named).scalars().all()

    def claimed_at(self, plan_id: str) -> Iterator[tuple[str, float]]:
        """Yield each SIM whose claim is done, with the claim's time.

        The time is when the claim that succeeded was answered, or sent if no answer came.
        """
        plan_no = plan_row(self._db, plan_id).plan_no
        wanted = (
            select(steps.c.source_key, func.max(func.coalesce(requests.c.outcome_at, requests.c.intent_at)).label("at"))
            .join_from(
                steps,
                request_items,
                (request_items.c.plan_no == steps.c.plan_no) & (request_items.c.source_key == steps.c.source_key),
            )
            .join(requests, requests.c.request_id == request_items.c.request_id)
            .where(steps.c.plan_no == plan_no, steps.c.kind == StepKind.CLAIM, steps.c.state == StepState.DONE)
            .where(
                requests.c.kind == StepKind.CLAIM, is_later(steps.c.source_key), is_later(request_items.c.source_key)
            )
            .group_by(steps.c.source_key)
            .order_by(steps.c.source_key)
            .limit(PAGE)
        )
        yield from ((row.source_key, row.at) for row in by_page(lambda after: self._db.rows(wanted, after=after)))

    def job_ids(self, plan_id: str, wave: str) -> frozenset[str]:
        """Return the carrier's job ids from answers to a wave's writes."""
        told = (
            select(requests.c.job_id)
            .distinct()
            .where(
                requests.c.plan_no == plan_row(self._db, plan_id).plan_no,
                requests.c.wave == wave,
                requests.c.job_id.is_not(None),
            )
        )
        with self._db.read() as connection:
            return frozenset(connection.execute(told).scalars())

    def job_status(self, job_id: str, status: str) -> None:
        """Note the status that the carrier gave to a job."""
        with self._db.write() as connection:
            connection.execute(update(requests).where(requests.c.job_id == job_id).values(job_status=storable(status)))

    def _records(self, which: ColumnElement[bool]) -> list[RequestRecord]:
        with self._db.read() as connection:
            return [_record(row) for row in connection.execute(_REQUESTS.where(which))]


def _record(row: AnyRow) -> RequestRecord:
    return RequestRecord(
        request_id=row.request_id,
        plan_id=row.plan_id,
        run_id=row.run_id,
        kind=StepKind(row.kind),
        method=row.method,
        path=row.path,
        body=json.loads(row.body),
        sims=row.sims,
        intent_at=row.intent_at,
        wave=row.wave,
        outcome=RequestOutcome(row.outcome),
        outcome_at=row.outcome_at,
        status=row.status,
        job_id=row.job_id,
        job_status=row.job_status,
        message=row.message,
    )
