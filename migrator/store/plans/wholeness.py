"""Check of stored plans against what was made.

The check covers lines, header and policy, and what the log says of the plan.
"""

import hashlib
import json
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from migrator.chunks import PAGE, chunks
from migrator.core.audit.chain import AuditEvent, follows, hash_of_lines, plan_digest
from migrator.core.cutover.plan import header_from as cutover_header_from
from migrator.core.fleet.identifiers import Iccid
from migrator.core.plan.document import header_from
from migrator.store.database.database import Database
from migrator.store.database.rows import AnyRow, by_page, in_iccid_order, is_later
from migrator.store.database.sql import Query, json_at
from migrator.store.log import cutover_items_digest
from migrator.store.tables.plans import changes, events, plans

__all__ = ["edited_cutover", "edited_lines", "edited_plan"]

_LINES = Query(
    select(
        changes.c.source_key,
        changes.c.source_iccid,
        changes.c.target_key,
        changes.c.action,
        changes.c.reason,
        changes.c.wave,
        changes.c.document,
    )
    .where(changes.c.plan_no == bindparam("plan_no"), is_later(changes.c.source_key))
    .order_by(changes.c.source_key)
    .limit(PAGE)
)
_DOCUMENT = 6
_TARGET = ',"target_iccid":'
_PLAN = select(plans).where(plans.c.plan_id == bindparam("plan_id"))
_migration = plans.alias("migration")
_CUTOVER = (
    select(plans, _migration.c.plan_id.label("of_plan_id"))
    .outerjoin_from(plans, _migration, _migration.c.plan_no == plans.c.of_plan_no)
    .where(plans.c.plan_id == bindparam("cutover_id"))
)
UNKNOWN = "the log does not know that it was made"
LOG_CHANGED = "the log's word on it was changed, too"


def edited_plan(database: Database, plan_id: str) -> str | None:
    """Return what was changed in a plan's header or policy.

    The answer is in words; None if nothing was changed since the plan was made. Takes no time.

    A plan from before there was a log has only the fingerprint of its policy's values.
    """
    with database.read() as connection:
        row = connection.execute(_PLAN, {"plan_id": plan_id}).one()
        made = _made(connection, select(events).where(events.c.kind == "plan.made", events.c.plan_id == plan_id))
        if isinstance(made, str):
            return made
        if made is None and not _is_older(connection, row.created_at):
            return UNKNOWN
    if made is not None and (told := made.detail.get("plan_sha256")) is not None:
        is_same = told == plan_digest(row.header, row.policy_text, row.policy_json)
    else:
        values = json.dumps(json.loads(row.policy_json), sort_keys=True)
        is_same = hashlib.sha256(values.encode()).hexdigest() == header_from(json.loads(row.header)).fingerprints.policy
    return None if is_same else "its header or its policy is not what was made"


def edited_lines(database: Database, plan_id: str) -> str | None:
    """Return what was changed in a plan's lines.

    The answer is in words; None if nothing was changed. Every line is read: seconds for a million lines.

    The fingerprint in the header is over the documents. The values that steer a run also stand in columns beside the
    documents, so these columns are compared, too.
    """
    with database.read() as connection:
        row = connection.execute(_PLAN, {"plan_id": plan_id}).one()
    digest, lies = hashlib.sha256(), 0
    rows = by_page(lambda after: database.tuples(_LINES, plan_no=row.plan_no, after=after))
    for some in chunks(in_iccid_order(rows)):
        digest.update("\n".join([*(row[_DOCUMENT] for row in some), ""]).encode())
        for key, iccid, target_key, *named, document in some:
            action, reason, wave = _told(*named)
            _, _, target = document.partition(_TARGET)
            lies += not (
                document.startswith(action)
                and reason in document
                and wave in document
                and f',"source_iccid":"{iccid}",' in document
                and _is_key_of(key, iccid)
                and (
                    target.startswith("null,")
                    if target_key is None
                    else _is_key_of(target_key, target[1:].partition('"')[0])
                )
            )
    if digest.hexdigest() != header_from(json.loads(row.header)).fingerprints.changes:
        return "its lines do not match the fingerprint in its header"
    if lies:
        return f"{lies} of its SIMs have another action, wave or target than their lines"
    return None


def edited_cutover(database: Database, cutover_id: str) -> str | None:
    """Return what was changed in a cutover or rollback plan.

    The answer is in words; None if nothing was changed since the plan was made.
    """
    with database.read() as connection:
        row = connection.execute(_CUTOVER, {"cutover_id": cutover_id}).one()
        named = json_at(events.c.detail, "switch_id") == cutover_id
        made = _made(connection, select(events).where(events.c.kind == "switch.made", named))
        if isinstance(made, str):
            return made
        if made is None:
            return None if _is_older(connection, row.created_at) else UNKNOWN
        items = cutover_items_digest(connection, row.plan_no)
    if items != made.detail["items"]:
        return "its lines are not what was made"
    header = cutover_header_from(row.header)
    is_same = hash_of_lines([row.header]) == made.detail["header"]
    if not is_same or (header.plan_id, header.direction) != (row.of_plan_id, row.kind):
        return "its header is not what was made"
    return None


def _is_key_of(key: str, iccid: str) -> bool:
    """True if a SIM is known by this key.

    One check digit is passed over, because a million of them would have to be computed.
    """
    return iccid.startswith(key) and (len(iccid) - len(key) <= 1 or Iccid.parse(iccid).key == key)


@lru_cache(maxsize=4096)
def _told(action: str, reason: str, wave: str | None) -> tuple[str, str, str]:
    """Return action, reason and wave as a line spells them.

    No text in the line can hold this spelling, because quotes in a text have backslashes.
    """
    wave_said = json.dumps(wave, ensure_ascii=False, default=str)  # damage may have left bytes there
    return f'{{"action":"{action}",', f',"reason":"{reason}",', f',"wave":{wave_said},'


def _made(connection: Connection, wanted: Select[Any]) -> AuditEvent | str | None:
    """Return the log's event of the making, or what is wrong.

    Returns: words, if the log does not hold together around the event; None, if there is no such event.
    """
    found = connection.execute(wanted.order_by(events.c.seq.desc()).limit(1)).one_or_none()
    if found is None:
        return None
    around = list(_around(connection, found.seq))
    if not all(follows(before.digest, after) for before, after in pairwise(around)):
        return LOG_CHANGED
    return _event(found)


def _around(connection: Connection, seq: int) -> Iterator[AuditEvent]:
    near = select(events).where(events.c.seq.between(seq - 1, seq + 1)).order_by(events.c.seq)
    return map(_event, connection.execute(near).all())


def _event(row: AnyRow) -> AuditEvent:
    return AuditEvent(row.seq, row.at, row.kind, row.plan_id, json.loads(row.detail), row.digest)


def _is_older(connection: Connection, made_at: float) -> bool:
    """True if something was made before there was a log."""
    first = connection.scalar(select(func.min(events.c.seq)))
    first_at = connection.scalar(select(events.c.at).where(events.c.seq == first))
    return first_at is None or made_at < first_at
