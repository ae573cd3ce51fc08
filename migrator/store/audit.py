"""Audit log: its events, and its check against plans and requests."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, select
from sqlalchemy.exc import NoResultFound

from migrator.chunks import PAGE
from migrator.core.audit.chain import DAMAGE, GENESIS, AuditEvent, chain_problems
from migrator.core.audit.sent import SentRequests
from migrator.errors import InputError, StoreBusy, StoreError
from migrator.store.database.database import Database
from migrator.store.database.rows import AnyRow
from migrator.store.log import LAST_EVENT
from migrator.store.plans.lookup import is_cutover, is_migration
from migrator.store.plans.wholeness import edited_cutover, edited_lines, edited_plan
from migrator.store.tables.plans import events, plans, requests

__all__ = ["Audit"]

NOT_HELD = (
    "answers, runs, steps, verdicts, approvals, orders and rates",
    "the inventory, the pairs, and what the carriers showed last",
)
"""Facts that `audit verify` cannot check.

The log reports them, or they can be read again at the carriers.
"""

_NEXT = select(events).where(events.c.seq > bindparam("after")).order_by(events.c.seq).limit(PAGE)
_OF_CAMPAIGNS = _NEXT.where(events.c.kind.startswith("campaign."))

Check = Callable[[Database, str], str | None]
"""Check of a plan by its id, with what was changed."""


class Audit:
    """Audit log, and its check against the rest of the store.

    The check does not cover the facts in `not_held`.
    """

    not_held = NOT_HELD

    def __init__(self, database: Database) -> None:
        self._db = database

    def events(self) -> Iterator[AuditEvent]:
        """Yield every event, oldest first, a page at a time."""
        return self._pages(_NEXT)

    def of_campaigns(self) -> Iterator[AuditEvent]:
        """Yield every event of a campaign itself, oldest first."""
        return self._pages(_OF_CAMPAIGNS)

    def _pages(self, page: Select[Any]) -> Iterator[AuditEvent]:
        after = 0
        while rows := self._db.rows(page, after=after):
            yield from map(_event, rows)
            after = rows[-1].seq

    def requests(self, plan_id: str) -> Iterator[dict[str, Any]]:
        """Yield every write of a plan as JSON values, oldest first."""
        wanted = (requests.c.plan_no == plans.c.plan_no) & (plans.c.plan_id == plan_id)
        yield from map(_request, self._requests(wanted))

    def head(self) -> str:
        """Return the digest of the newest event, to be noted elsewhere."""
        with self._db.read() as connection:
            last = connection.execute(LAST_EVENT).one_or_none()
        return GENESIS if last is None else str(last.digest)

    def problems(self, *, head: str | None = None) -> Iterator[str]:
        """Yield what does not hold.

        The chain is checked, the file, and each plan and request against the digest of it in the log.

        Args:
            head: a digest that was noted before, which the chain must still hold.
        """
        sent, unread = SentRequests(), list[AuditEvent]()
        with self._db.bearing_damage():
            yield from _checkable("the log", chain_problems(_noted(self.events(), sent.note, unread), head=head))
            yield from (f"event {one.seq} ({one.kind}) does not tell what such an event tells" for one in unread)
            yield from _checkable("the file", self._db.damages())
            yield from _checkable("the plans", self._plan_problems(sent, is_migration, edited_plan, edited_lines))
            of_cutovers = self._plan_problems(sent, is_cutover, edited_cutover)
            yield from _checkable("the cutover and rollback plans", of_cutovers)

    def _plan_problems(self, sent: SentRequests, kind: ColumnElement[bool], *checks: Check) -> Iterator[str]:
        """Yield the problems of plans of a kind, and of their requests."""
        for row in self._db.rows(select(plans.c.plan_no, plans.c.plan_id).where(plans.c.plan_id.is_not(None), kind)):
            yield from _edited(row.plan_id, *(partial(check, self._db) for check in checks))
            mine = self._requests(requests.c.plan_no == row.plan_no)
            yield from sent.problems(row.plan_id, (one._asdict() for one in mine))

    def _requests(self, wanted: ColumnElement[bool]) -> Iterator[AnyRow]:
        """Yield requests, oldest first, a page at a time."""
        number, after = requests.c.request_id, 0
        page = select(requests).where(wanted, number > bindparam("after")).order_by(number).limit(PAGE)
        while rows := self._db.rows(page, after=after):
            yield from rows
            after = rows[-1].request_id


def _checkable(what: str, found: Iterable[str]) -> Iterator[str]:
    """Yield what a check finds.

    A damage that ends the check is a problem, too.
    """
    try:
        yield from found
    except StoreBusy:
        raise
    except (*DAMAGE, NoResultFound, StoreError, InputError) as error:
        words = error.message if isinstance(error, StoreError | InputError) else type(error).__name__
        yield f"{what} cannot be checked: {words}"


def _edited(plan_id: str, *checks: Callable[[str], str | None]) -> Iterator[str]:
    for check in checks:
        yield from _checkable(f"plan {plan_id}", _in_words(plan_id, check))


def _in_words(plan_id: str, check: Callable[[str], str | None]) -> Iterator[str]:
    if (words := check(plan_id)) is not None:
        yield f"plan {plan_id} is not what was made: {words}"


def _noted(
    log: Iterable[AuditEvent], take: Callable[[AuditEvent], None], unread: list[AuditEvent]
) -> Iterator[AuditEvent]:
    """Yield the same events, and give each to `take`.

    An event that `take` cannot read is added to `unread`.
    """
    for event in log:
        try:
            take(event)
        except DAMAGE:
            unread.append(event)
        yield event


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
