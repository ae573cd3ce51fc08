"""Outbox, the writing end.

A notice goes into the same transaction as what it tells of, so that neither is there without the other.
"""

from collections.abc import Iterable

from sqlalchemy import Connection

from migrator.core.campaign.notices import DeliveryState, Notice
from migrator.core.policy.outside import receiver_values
from migrator.store.database.documents import document_text
from migrator.store.database.sql import changed_rows, insert, new_number
from migrator.store.log import note
from migrator.store.tables.outbox import deliveries, notices

__all__ = ["add_notices"]

_NEW = insert(notices).on_conflict_do_nothing()
_TO = insert(deliveries)


def add_notices(connection: Connection, told: Iterable[Notice], now: float) -> int:
    """Add notices within the caller's transaction.

    A key that is there already adds nothing, nor does a notice that no receiver asked for.

    Args:
        connection: holds the write lock.
        told: the notices.
        now: UTC seconds.

    Returns: the number of new notices.
    """
    added = 0
    for notice in told:
        if not notice.receivers:
            continue
        row = {"event": notice.event, "key": notice.key, "made_at": now, "plan_id": notice.plan_id}
        made = connection.execute(_NEW.values(row | {"told": document_text(notice.told)}))
        if not changed_rows(made):
            continue
        number = new_number(made)
        waiting = {"notice_no": number, "state": DeliveryState.WAITING, "tries": 0, "next_at": now, "last_error": ""}
        to = [
            waiting | {"receiver": name, "document": document_text(receiver_values(receiver))}
            for name, receiver in notice.receivers
        ]
        connection.execute(_TO, to)
        event = {"notice": number, "event": notice.event.value, "to": [name for name, _ in notice.receivers]}
        note(connection, now, "notice.made", notice.plan_id, event)
        added += 1
    return added
