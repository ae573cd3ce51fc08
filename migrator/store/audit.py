"""The audit log: an event goes into the very transaction of what it tells, so neither is there without the other."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select

from migrator.core.audit import GENESIS, AuditEvent, chain_problems, digest_of, request_digest
from migrator.core.journal import RequestOutcome
from migrator.core.plan_document import header_from
from migrator.core.states import STEP_TRANSITIONS, StepState
from migrator.store.documents import document_text
from migrator.store.engine import Database, Query
from migrator.store.plan_tables import changes, events, plans, requests, steps
from migrator.store.rows import PAGE, AnyRow, by_page, in_iccid_order
from migrator.store.tables import meta

__all__ = ["Audit", "Told", "note"]

_LAST = select(events.c.seq, events.c.digest).order_by(events.c.seq.desc()).limit(1)
_INSERT = insert(events)
_NEXT = select(events).where(events.c.seq > bindparam("after")).order_by(events.c.seq).limit(PAGE)
_NEXT_REQUESTS = (
    select(requests, plans.c.plan_id)
    .join_from(requests, plans)
    .where(requests.c.request_id > bindparam("after"))
    .order_by(requests.c.request_id)
    .limit(PAGE)
)
_DOCUMENTS = Query(
    select(changes.c.source_key, changes.c.source_iccid, changes.c.document)
    .where(changes.c.plan_no == bindparam("plan_no"), changes.c.source_key > bindparam("after"))
    .order_by(changes.c.source_key)
    .limit(PAGE)
)


def note(connection: Connection, at: float, kind: str, plan_id: str | None, detail: Mapping[str, Any]) -> None:
    """Add an event to the log, within the caller's transaction.

    Args:
        connection: holds the write lock, so that nobody else adds one meanwhile.
        at: UTC seconds.
        kind: what happened, e.g. `request.sent`.
        plan_id: which plan it is about; None for none.
        detail: JSON values, without secrets.
    """
    last = connection.execute(_LAST).one_or_none()
    seq, before = (1, GENESIS) if last is None else (last.seq + 1, last.digest)
    text = document_text(detail)
    event = {"seq": seq, "at": at, "kind": kind, "plan_id": plan_id, "detail": json.loads(text)}
    digest = digest_of(before, event)  # over what will be read again
    connection.execute(_INSERT, event | {"detail": text, "digest": digest})


@dataclass(slots=True)
class Told:
    """What a log tells of requests and steps, gathered while its events are read.

    `sent` and `answered` are by request; `done` counts the steps that came to their end, by plan and kind.
    """

    sent: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    answered: dict[int, str] = field(default_factory=dict)
    done: Counter[tuple[str | None, str]] = field(default_factory=Counter)

    def noting(self, log: Iterable[AuditEvent]) -> Iterator[AuditEvent]:
        """The same events, noted as they pass."""
        for event in log:
            self._note(event.kind, event.plan_id, event.detail)
            yield event

    def _note(self, kind: str, plan_id: str | None, detail: Mapping[str, Any]) -> None:
        if kind == "request.sent":
            self.sent[detail["request_id"]] = detail
        elif kind == "request.answered":
            self.answered[detail["request_id"]] = detail["outcome"]
        elif kind == "run.took_over":
            self.answered.update(dict.fromkeys(detail["requests"], RequestOutcome.LOST.value))
        elif kind == "steps.moved" and advances_to_done(detail["event"]):
            self.done[plan_id, detail["kind"]] += detail["sims"]


def advances_to_done(event: str) -> bool:
    """Whether a step that takes this event has come to its end."""
    return any(taken == event and to is StepState.DONE for (_, taken), to in STEP_TRANSITIONS.items())


class Audit:
    """The log, read and held against the rest of the store."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def events(self) -> Iterator[AuditEvent]:
        """Every event, oldest first, a page at a time."""
        after = 0
        while rows := self._db.rows(_NEXT, after=after):
            yield from map(_event, rows)
            after = rows[-1].seq

    def requests(self, plan_id: str) -> Iterator[dict[str, Any]]:
        """Every write of a plan as JSON values, oldest first."""
        after = 0
        while rows := self._db.rows(_NEXT_REQUESTS, after=after):
            yield from (_request(row) for row in rows if row.plan_id == plan_id)
            after = rows[-1].request_id

    def head(self) -> str:
        """The digest of the newest event: to be noted elsewhere."""
        with self._db.read() as connection:
            last = connection.execute(_LAST).one_or_none()
        return GENESIS if last is None else str(last.digest)

    def problems(self, *, head: str | None = None) -> Iterator[str]:
        """What does not hold: the chain, requests against their events, plans against their fingerprints.

        Args:
            head: a digest that was noted before, which the chain must still hold.
        """
        told = Told()
        yield from chain_problems(told.noting(self.events()), head=head)
        yield from self._request_problems(told.sent, told.answered)
        if not self.first_audited():
            yield from self._step_problems(told.done)
        yield from self._plan_problems()

    def _step_problems(self, told: Mapping[tuple[str | None, str], int]) -> Iterator[str]:
        """DONE is the end of a step, so each one must have been told as such."""
        counted = (
            select(plans.c.plan_id, steps.c.kind, func.count().label("sims"))
            .join_from(steps, plans, plans.c.plan_no == steps.c.plan_no)
            .where(steps.c.state == StepState.DONE)
            .group_by(plans.c.plan_id, steps.c.kind)
        )
        found = {(row.plan_id, row.kind): row.sims for row in self._db.rows(counted)}
        for plan_id, kind in sorted(set(found) | set(told), key=str):
            here, there = found.get((plan_id, kind), 0), told.get((plan_id, kind), 0)
            if here != there:
                yield f"plan {plan_id}: {here} steps {kind} are done in the journal, and {there} in the log"

    def _request_problems(self, sent: dict[int, Mapping[str, Any]], answered: Mapping[int, str]) -> Iterator[str]:
        first = self.first_audited()
        after = 0
        while rows := self._db.rows(_NEXT_REQUESTS, after=after):
            for row in rows:
                detail = sent.pop(row.request_id, None)
                if detail is None:
                    if row.request_id > first:
                        yield f"request {row.request_id} is in the journal, and the log does not know it"
                elif detail["sha256"] != request_digest(row.method, row.path, row.body):
                    yield f"request {row.request_id} is not what was sent"
                elif row.outcome != answered.get(row.request_id, RequestOutcome.SENT.value):
                    yield f"request {row.request_id} is {row.outcome} in the journal, and another outcome in the log"
            after = rows[-1].request_id
        yield from (f"request {request_id} is in the log, and not in the journal" for request_id in sorted(sent))

    def first_audited(self) -> int:
        """The last request that was sent before there was a log."""
        with self._db.read() as connection:
            value = connection.scalar(select(meta.c.value).where(meta.c.name == "audited_after_request"))
        return int(value or 0)

    def _plan_problems(self) -> Iterator[str]:
        made = select(plans.c.plan_no, plans.c.plan_id, plans.c.header).where(plans.c.plan_id.is_not(None))
        for row in self._db.rows(made.order_by(plans.c.plan_no)):
            expected = header_from(json.loads(row.header)).fingerprints.changes
            if _hash_of(self._documents(row.plan_no)) != expected:
                yield f"plan {row.plan_id} is not what was made: its changes have another fingerprint"

    def _documents(self, plan_no: int) -> Iterator[str]:
        rows = by_page(lambda after: self._db.tuples(_DOCUMENTS, plan_no=plan_no, after=after))
        return (document for _, _, document in in_iccid_order(rows))


def _hash_of(documents: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for document in documents:
        digest.update(f"{document}\n".encode())
    return digest.hexdigest()


def _request(row: AnyRow) -> dict[str, Any]:
    named = ("request_id", "run_id", "kind", "wave", "method", "path", "sims", "intent_at", "outcome", "outcome_at")
    values = {name: getattr(row, name) for name in (*named, "status", "job_id", "message")}
    return values | {"body": json.loads(row.body)}


def _event(row: AnyRow) -> AuditEvent:
    return AuditEvent(row.seq, row.at, row.kind, row.plan_id, json.loads(row.detail), row.digest)
