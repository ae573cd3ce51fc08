"""Check of the audit log against the rest of the store."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, select

from migrator.chunks import PAGE
from migrator.core.audit.chain import (
    DAMAGE,
    GENESIS,
    AuditEvent,
    chain_problems,
    guarded,
    hash_of_lines,
)
from migrator.core.audit.replay import ENDS, Answered, Log, Replayed, SentRequest, request_problem
from migrator.core.cutover.plan import header_from as switch_header_from
from migrator.core.plan.document import header_from
from migrator.core.run.states import StepState
from migrator.store.audit.damage import checkable, damaged_cells
from migrator.store.audit.held import Expected
from migrator.store.database.database import Database, Query
from migrator.store.database.rows import AnyRow, by_page, in_iccid_order
from migrator.store.database.tallies import STEPS, SWITCH_STEPS, VERDICTS, TableTally
from migrator.store.log import LAST_EVENT, switch_items_digest
from migrator.store.tables.cutovers import switch_plans, switch_requests, switch_steps
from migrator.store.tables.fleet import meta
from migrator.store.tables.plans import changes, events, plans, request_items, requests, steps

__all__ = ["Audit"]

NOT_HELD = (
    "what the carriers showed last (target_links, and of source_sims all but status word, label and volumes)",
    "the carrier's word on a job",
    "who wrote a pair, and when",
    "what a pacer learned",
    "which plan each operator was shown last",
)
"""Facts that `audit verify` cannot check.

The log does not record these facts. Reads can be made again at the carriers.
"""

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


class Audit:
    """Audit log, and its check against the rest of the store.

    The check does not cover the facts in `not_held`.
    """

    not_held = NOT_HELD

    def __init__(self, database: Database) -> None:
        self._db = database

    def events(self) -> Iterator[AuditEvent]:
        """Yield every event, oldest first, a page at a time."""
        after = 0
        while rows := self._db.rows(_NEXT, after=after):
            yield from map(_event, rows)
            after = rows[-1].seq

    def requests(self, plan_id: str) -> Iterator[dict[str, Any]]:
        """Yield every write of a plan as JSON values, oldest first."""
        after = 0
        while rows := self._db.rows(_NEXT_REQUESTS, after=after):
            yield from (_request(row) for row in rows if row.plan_id == plan_id)
            after = rows[-1].request_id

    def head(self) -> str:
        """Return the digest of the newest event, to be noted elsewhere."""
        with self._db.read() as connection:
            last = connection.execute(LAST_EVENT).one_or_none()
        return GENESIS if last is None else str(last.digest)

    def problems(self, *, head: str | None = None) -> Iterator[str]:
        """Yield what does not hold, in the chain and the tables.

        Every table that the log describes is compared with the log's events.

        Args:
            head: a digest that was noted before, which the chain must still hold.
        """
        told, unread = Log(), list[AuditEvent]()
        rows = Expected(told.migrations, told.switches)
        with self._db.bearing_damage():
            yield from chain_problems(_noted(self.events(), (told.note, rows.note), unread), head=head)
            yield from (f"event {one.seq} ({one.kind}) does not tell what such an event tells" for one in unread)
            for journal, log in ((_MIGRATIONS, told.migrations), (_SWITCHES, told.switches)):
                first = self._first(journal)
                yield from checkable(f"the {journal.name}s", self._request_problems(journal, log, first))
                if not first:
                    yield from checkable(f"steps of {journal.name}s", self._step_problems(journal, log.ended))
            for tally, told_of in ((STEPS, told.migrations.steps), (VERDICTS, told.migrations.verdicts)):
                yield from checkable(tally.name, self._tally_problems(tally, plans.c.plan_no, plans.c.plan_id, told_of))
            number, name = switch_plans.c.switch_no, switch_plans.c.switch_id
            yield from checkable("steps", self._tally_problems(SWITCH_STEPS, number, name, told.switches.steps))
            yield from checkable("the plans", self._plan_problems())
            yield from checkable("the cutover and rollback plans", self._switch_problems(told.switches.made))
            yield from rows.problems(self._db)
            yield from damaged_cells(self._db)

    def _step_problems(
        self, journal: "_Journal", told: Mapping[tuple[str | None, str, StepState], int]
    ) -> Iterator[str]:
        """Compare the steps that are DONE or SKIPPED with the log.

        No step leaves DONE or SKIPPED, so the log must report each such step.
        """
        found = {(row.plan_id, row.kind, StepState(row.state)): row.sims for row in self._db.rows(journal.ended)}
        for plan_id, kind, state in sorted(set(found) | set(told), key=str):
            here, there = found.get((plan_id, kind, state), 0), told.get((plan_id, kind, state), 0)
            if here != there:
                yield f"plan {plan_id}: {here} steps {kind} are {state} in the journal, and {there} in the log"

    def _tally_problems(
        self, tally: TableTally, number: ColumnElement[int], name: ColumnElement[Any], told: Mapping[str | None, str]
    ) -> Iterator[str]:
        """Compare the rows of each plan with the tally in the log.

        If the log has a tally of a plan, the rows of the plan are added up again.
        """
        for row in self._db.rows(select(number.label("number"), name.label("plan_id")).order_by(number)):
            if row.plan_id in told:
                with self._db.read() as connection:
                    here = tally.digest(connection, row.number)
                if here != told[row.plan_id]:
                    yield f"plan {row.plan_id}: its {tally.words} are not what the log tells"

    def _request_problems(self, journal: "_Journal", told: Replayed, first: int) -> Iterator[str]:
        sent, after, name = dict(told.sent), 0, journal.name
        while rows := self._db.rows(journal.requests, after=after):
            named = self._named(journal, after, rows[-1].request_id)
            for row in rows:
                mine = sent.pop(row.request_id, None)
                if mine is not None or row.request_id > first:
                    answer = told.answered.get(row.request_id, Answered())
                    keys = None if named is None else named[row.request_id]
                    check = partial(_of_request, f"{name} {row.request_id}", row, keys, mine, answer)
                    yield from guarded(f"{name} {row.request_id}", check)
            after = rows[-1].request_id
        yield from (f"{name} {request_id} is in the log, and not in the journal" for request_id in sorted(sent))

    def _named(self, journal: "_Journal", after: int, last: int) -> dict[int, list[str]] | None:
        """Return the SIMs of some requests, by request.

        None where the journal does not keep the SIMs beside the body.
        """
        if journal.items is None:
            return None
        named: dict[int, list[str]] = defaultdict(list)
        for row in self._db.rows(journal.items, after=after, last=last):
            named[row.request_id].append(row.source_key)
        return named

    def first_audited(self) -> int:
        """Return the last request that was sent before the log began."""
        return self._first(_MIGRATIONS)

    def first_audited_switch(self) -> int:
        """Return the last cutover or rollback request before the log began."""
        return self._first(_SWITCHES)

    def _first(self, journal: "_Journal") -> int:
        with self._db.read() as connection:
            value = connection.scalar(select(meta.c.value).where(meta.c.name == journal.first))
        return int(value or 0)

    def _plan_problems(self) -> Iterator[str]:
        made = select(plans.c.plan_no, plans.c.plan_id, plans.c.header).where(plans.c.plan_id.is_not(None))
        for row in self._db.rows(made.order_by(plans.c.plan_no)):
            yield from guarded(f"the header of plan {row.plan_id}", partial(self._of_changes, row))

    def _of_changes(self, row: AnyRow) -> Iterator[str]:
        expected = header_from(json.loads(row.header)).fingerprints.changes
        if _hash_of(self._documents(row.plan_no)) != expected:
            yield f"plan {row.plan_id} is not what was made: its changes have another fingerprint"

    def _switch_problems(self, told: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
        """Compare each cutover or rollback plan with the log.

        The header and the SIMs of the plan must be as the log says that they were made.
        """
        has_no_events = self.first_audited() or self.first_audited_switch()
        missing = set(told)
        of_plan = select(switch_plans, plans.c.plan_id).join_from(switch_plans, plans, isouter=True)
        for row in self._db.rows(of_plan.order_by(switch_plans.c.switch_no)):
            missing.discard(row.switch_id)
            made = told.get(row.switch_id)
            if made is not None:
                yield from guarded(f"plan {row.switch_id}", partial(self._of_switch, row, made))
            elif not has_no_events:
                yield f"plan {row.switch_id} is in the store, and the log does not know it"
        yield from (f"plan {switch_id} is in the log, and not in the store" for switch_id in sorted(missing))

    def _of_switch(self, row: AnyRow, made: Mapping[str, Any]) -> Iterator[str]:
        if (hash_of_lines([row.header]), self._switch_items(row.switch_no)) != (made["header"], made["items"]):
            yield f"plan {row.switch_id} is not what was made"
        elif switch_header_from(row.header).plan_id != row.plan_id:
            yield f"plan {row.switch_id} is of plan {row.plan_id}, and otherwise in its header"
        elif row.direction != made.get("direction", row.direction):
            yield f"plan {row.switch_id} is a {row.direction}, and otherwise in the log"

    def _switch_items(self, switch_no: int) -> str:
        with self._db.read() as connection:
            return switch_items_digest(connection, switch_no)

    def _documents(self, plan_no: int) -> Iterator[str]:
        rows = by_page(lambda after: self._db.tuples(_DOCUMENTS, plan_no=plan_no, after=after))
        return (document for _, _, document in in_iccid_order(rows))


@dataclass(frozen=True, slots=True)
class _Journal:
    """Queries for the requests and steps of one kind of plan.

    `requests` is a page after `after`. `ended` counts steps by `plan_id`, `kind` and `state`. `first` names the fact
    that says which requests were sent before there was a log. `items` are the SIMs of a page of requests.
    """

    name: str
    requests: Select[Any]
    ended: Select[Any]
    first: str
    items: Select[Any] | None = None


_MIGRATIONS = _Journal(
    "request",
    _NEXT_REQUESTS,
    select(plans.c.plan_id, steps.c.kind, steps.c.state, func.count().label("sims"))
    .join_from(steps, plans, plans.c.plan_no == steps.c.plan_no)
    .where(steps.c.state.in_(ENDS))
    .group_by(plans.c.plan_id, steps.c.kind, steps.c.state),
    "audited_after_request",
    select(request_items.c.request_id, request_items.c.source_key).where(
        request_items.c.request_id > bindparam("after"), request_items.c.request_id <= bindparam("last")
    ),
)
_SWITCHES = _Journal(
    "switch request",
    select(switch_requests, switch_plans.c.switch_id.label("plan_id"))
    .join_from(switch_requests, switch_plans)
    .where(switch_requests.c.request_id > bindparam("after"))
    .order_by(switch_requests.c.request_id)
    .limit(PAGE),
    select(
        switch_plans.c.switch_id.label("plan_id"), switch_steps.c.kind, switch_steps.c.state, func.count().label("sims")
    )
    .join_from(switch_steps, switch_plans, switch_plans.c.switch_no == switch_steps.c.switch_no)
    .where(switch_steps.c.state.in_(ENDS))
    .group_by(switch_plans.c.switch_id, switch_steps.c.kind, switch_steps.c.state),
    "audited_after_switch_request",
)


def _of_request(
    name: str, row: AnyRow, keys: Sequence[str] | None, sent: SentRequest | None, answer: Answered
) -> Iterator[str]:
    """Compare a request with the log.

    `keys` are the SIMs of the request, where the journal keeps the SIMs beside the body.
    """
    if sent is None:
        yield f"{name} is in the journal, and the log does not know it"
    elif (words := request_problem(row._asdict(), sent, answer)) is not None:
        yield f"{name} {words}"
    elif keys is not None and sent.detail["sims_sha256"] != hash_of_lines(keys):
        yield f"{name} names other SIMs than those that it was sent for"


def _noted(
    log: Iterable[AuditEvent], takers: Sequence[Callable[[AuditEvent], None]], unread: list[AuditEvent]
) -> Iterator[AuditEvent]:
    """Yield the same events, and give each event to all takers.

    An event that a taker cannot read is added to `unread`.
    """
    for event in log:
        try:
            for take in takers:
                take(event)
        except DAMAGE:
            unread.append(event)
        yield event


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
    return AuditEvent(row.seq, row.at, row.kind, row.plan_id, _detail(row.detail), row.digest)


def _detail(text: str) -> Mapping[str, Any]:
    """Return the detail of an event.

    For a damaged detail, the text that is there is returned. Then the digest is wrong, which the chain shows.
    """
    try:
        values = json.loads(text)
    except DAMAGE:
        values = None
    return values if isinstance(values, dict) else {"damaged": str(text)}
