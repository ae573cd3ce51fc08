"""Audit log, the writing end.

An event goes into the same transaction as the change that the event reports.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from sqlalchemy import Connection, func, insert, select

from migrator.core.audit.chain import GENESIS, cutover_item_line, digest_of, hash_of_lines
from migrator.core.run.states import StepEvent, StepKind
from migrator.store.database.documents import document_text
from migrator.store.moved import MARK, refuse_marked
from migrator.store.tables.plans import changes, events, plans

__all__ = [
    "LAST_COLUMNS",
    "LAST_EVENT",
    "NEXT_NO",
    "PlanRow",
    "cutover_items_digest",
    "moved",
    "note",
    "note_of_plan",
    "remember_last",
]

LAST_EVENT = select(events.c.seq, events.c.digest).order_by(events.c.seq.desc()).limit(1)
LAST_COLUMNS = tuple(
    LAST_EVENT.with_only_columns(column).scalar_subquery().label(column.name)
    for column in (events.c.seq, events.c.digest)
)
"""Last event beside something else, in one read."""

NEXT_NO = func.coalesce(select(func.max(events.c.seq)).scalar_subquery(), 0) + 1
"""Number of the next event, to be kept with what it reports.

Numbers only grow, which the machine's time may not.
"""

_LAST = select(*LAST_COLUMNS, MARK.scalar_subquery().label("mark"))
_INSERT = insert(events)
_KNOWN = "last_event"
"""Name of the last event in `Connection.info`, which each transaction empties."""

PlanRow: TypeAlias = Any
"""Row with number, id, kind and migration of a plan."""


def note(connection: Connection, at: float, kind: str, plan_id: str | None, detail: Mapping[str, Any]) -> None:
    """Add an event to the log, within the caller's transaction.

    Args:
        connection: holds the write lock, so that nobody else adds an event meanwhile.
        at: UTC seconds.
        kind: what happened, e.g. `request.sent`.
        plan_id: the plan of the event; None for none.
        detail: JSON values, without secrets.
    """
    last, before = _last(connection)
    seq = last + 1
    text = document_text(detail)
    event = {"seq": seq, "at": at, "kind": kind, "plan_id": plan_id, "detail": json.loads(text)}
    digest = digest_of(before, event)  # over what will be read again
    connection.execute(_INSERT, event | {"detail": text, "digest": digest})
    if not connection.in_nested_transaction():  # a part that is taken back takes its events back
        connection.info[_KNOWN] = (seq, digest)


def remember_last(connection: Connection, seq: int | None, digest: str | None) -> None:
    """Spare `note` the look at the last event.

    Both are None for a log that is empty. The caller read it within this transaction, which holds the write lock.
    """
    connection.info[_KNOWN] = (0, GENESIS) if seq is None or digest is None else (seq, digest)


def _last(connection: Connection) -> tuple[int, str]:
    """Return number and digest of the last event.

    Raises: InputError or StoreBusy, if the store moved since it was opened. A holder of the lease has its fence.
    """
    known: tuple[int, str] | None = connection.info.pop(_KNOWN, None)
    if known is not None and not connection.in_nested_transaction():
        return known
    found = connection.execute(_LAST).one()
    refuse_marked(found.mark)
    return (0, GENESIS) if found.seq is None else (found.seq, found.digest)


def note_of_plan(connection: Connection, at: float, kind: str, plan: PlanRow, detail: Mapping[str, Any]) -> None:
    """Add an event of a plan of any kind, as `note`.

    An event of a cutover or rollback stands under its migration, and names the plan: `run.started` is then
    `switch.run_started`, and `plan.made` is `switch.made`. So old logs and new ones tell the same in the same words.

    Args:
        connection: as for `note`.
        at: UTC seconds.
        kind: what happened, as for a migration.
        plan: the plan.
        detail: as for `note`.
    """
    if plan.of_plan_no is None:
        note(connection, at, kind, plan.plan_id, detail)
        return
    migration = connection.scalar(select(plans.c.plan_id).where(plans.c.plan_no == plan.of_plan_no))
    word = kind.removeprefix("plan.").replace(".", "_")
    note(connection, at, f"switch.{word}", migration, {"switch_id": plan.plan_id, **detail})


def moved(kind: StepKind, event: StepEvent, keys: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """Return the log's detail of steps that moved by one event.

    `keys` has code and message by SIM key.
    """
    lines = (f"{key} {code}" for key, (code, _) in keys.items())
    return {"kind": kind.value, "event": event.value, "sims": len(keys), "sha256": hash_of_lines(lines)}


def cutover_items_digest(connection: Connection, plan_no: int) -> str:
    """Return a SHA-256 over all that steers a cutover or rollback.

    Each SIM's place, action, wave and document steer it.
    """
    item, digest = changes.c, hashlib.sha256()
    steering = select(item.source_key, item.position, item.action, item.wave, item.document)
    for row in connection.execute(steering.where(item.plan_no == plan_no).order_by(item.position)):
        digest.update(cutover_item_line(row).encode())
    return digest.hexdigest()
