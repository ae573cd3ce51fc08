"""Requests of plans, with their SIMs."""

from collections.abc import Sequence
from dataclasses import dataclass

from migrator.core.cutover.plan import CutoverItem
from migrator.core.run.steps import Item, RequestRecord
from migrator.errors import InputError
from migrator.store import Store

__all__ = ["RequestWithSims", "requests_of_job"]

LONGEST_NUMBER = 18


@dataclass(frozen=True, slots=True)
class RequestWithSims:
    """Request with the SIMs that it was for."""

    record: RequestRecord
    items: Sequence[Item | CutoverItem]


def requests_of_job(store: Store, job: str) -> list[RequestWithSims]:
    """Return the requests of the carrier's job id, or of our number.

    Raises: InputError, if there are none.
    """
    records = list(store.journal.requests_by_job(job))
    if not records and job.isdigit() and len(job) <= LONGEST_NUMBER:
        records = [record for record in [store.journal.request(int(job))] if record is not None]
    if not records:
        hint = "`migrator jobs list` shows what there is"
        raise InputError(f"no request and no carrier job {job!r} in this store", code="no_job", hint=hint)
    return [RequestWithSims(record, _items(store, record)) for record in records]


def _items(store: Store, record: RequestRecord) -> Sequence[Item | CutoverItem]:
    if store.cutovers.exists(record.plan_id) is None:
        return store.journal.request_items(record.request_id)
    return store.cutovers.items_by_key(record.plan_id, store.journal.request_keys(record.request_id))
