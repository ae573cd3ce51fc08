"""Outbox: notices that wait for their receivers, and what became of them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, select, update

from migrator.core.campaign.notices import Delivery, DeliveryState, Notice
from migrator.core.policy.outside import SECRET_FIELDS, NoticeEvent, Receiver, receiver_from
from migrator.store.database.database import Database, storable
from migrator.store.database.sql import changed_rows, json_at
from migrator.store.log import note
from migrator.store.notices import add_notices
from migrator.store.tables.campaigns import campaigns
from migrator.store.tables.outbox import deliveries, notices
from migrator.store.tables.plans import plans

__all__ = ["SENDING_S", "Outbox", "is_due", "is_open"]

SENDING_S = 600.0
"""Seconds after which a delivery on its way is taken up again.

A try takes at most ten seconds: who took it up is dead, or stood still. The database's clock tells them, as the clocks
of two machines differ: one of them would take up again what is on its way from the other.
"""

is_open = deliveries.c.state.in_((DeliveryState.WAITING, DeliveryState.SENDING))
_ALL = (
    select(notices, *(column for column in deliveries.c if column.name != "notice_no"))
    .join_from(deliveries, notices)
    .order_by(notices.c.notice_no, deliveries.c.receiver)
)


class Outbox:
    """Notices of the store, with their deliveries.

    A delivery is noted as SENDING before it is sent, and as DELIVERED after. A crash between the two leaves it to the
    next try, with the same number: a receiver may get a notice twice, and can tell by the number.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    @property
    def store_name(self) -> str:
        """Name by which people know the store."""
        return self._db.name

    def add(
        self,
        event: NoticeEvent,
        key: str,
        told: Mapping[str, Any],
        now: float,
        to: Sequence[Receiver],
        *,
        plan_id: str | None = None,
    ) -> bool:
        """Add a notice in a transaction of its own.

        For what becomes true in a transaction, `store.notices.add_notices` goes into that one.

        Args:
            event: what happened.
            key: names the happening; told again under the same key, it is no new notice.
            told: JSON values; SIMs are named under `sims` alone.
            now: UTC seconds.
            to: the receivers of the policy, whatever they asked for.
            plan_id: the plan that it is about; None for none.

        Returns: True if it is new and somebody asked for it.
        """
        return self.tell([Notice(event, key, told, tuple(to), plan_id)], now) > 0

    def tell(self, told: Sequence[Notice], now: float) -> int:
        """Add notices in a transaction of their own.

        Returns: the number of new notices.
        """
        if not any(notice.receivers for notice in told):
            return 0
        with self._db.write() as connection:
            return add_notices(connection, told, now)

    def due(self, now: float) -> list[Delivery]:
        """Return the deliveries that may be tried now, oldest notice first."""
        with self._db.read() as connection:
            judged = self._db.time(connection, now)
        return self._read(is_due(now, judged))

    def open(self) -> list[Delivery]:
        """Return the deliveries that are neither made nor given up."""
        return self._read(is_open)

    def newest(self, most: int) -> list[Delivery]:
        """Return the deliveries of the newest notices, oldest first."""
        newest = select(notices.c.notice_no).order_by(notices.c.notice_no.desc()).limit(most)
        return self._read(notices.c.notice_no.in_(newest))

    def counts(self) -> dict[DeliveryState, int]:
        """Count the deliveries by state."""
        rows = self._db.rows(select(deliveries.c.state, func.count().label("n")).group_by(deliveries.c.state))
        return {DeliveryState(row.state): row.n for row in rows}

    def counts_by_receiver(self) -> dict[tuple[str, DeliveryState], int]:
        """Count the deliveries by receiver, as its policy numbers it, and state."""
        by = (deliveries.c.receiver, deliveries.c.state)
        rows = self._db.rows(select(*by, func.count().label("n")).group_by(*by))
        return {(row.receiver, DeliveryState(row.state)): row.n for row in rows}

    def waits_since(self) -> float | None:
        """Return when the oldest waiting notice was made (UTC seconds), or None."""
        oldest = select(func.min(notices.c.made_at)).join_from(notices, deliveries)
        since_s: float | None = self._db.rows(oldest.where(is_open))[0][0]
        return since_s

    def secret_names(self) -> set[str]:
        """Return the names of the secrets of every known receiver.

        Those are the receivers of all policies, and those of all notices that were made.
        """
        documents = [row.document for row in self._db.rows(select(deliveries.c.document).distinct())]
        receivers = [json.loads(document) for document in documents]
        for table in (plans, campaigns):
            listed = json_at(table.c.policy_json, "notify").label("listed")
            for row in self._db.rows(select(listed).where(listed.is_not(None)).distinct()):
                receivers += json.loads(row.listed)
        return {one[key] for one in receivers for key in SECRET_FIELDS if one.get(key)}

    def take_up(self, delivery: Delivery, now: float) -> bool:
        """Note that a delivery is about to be sent.

        Returns: False if another process took it up meanwhile; then it must not be sent.
        """
        mine = _this(delivery) & (deliveries.c.state == delivery.state) & (deliveries.c.tries == delivery.tries)
        taken = {"state": DeliveryState.SENDING, "tries": delivery.tries + 1}
        with self._db.write() as connection:
            taken["next_at"] = self._db.time(connection, now) + SENDING_S
            return changed_rows(connection.execute(update(deliveries).where(mine).values(taken))) == 1

    def delivered(self, delivery: Delivery, now: float) -> None:
        """Note that a receiver took a notice."""
        values = {"state": DeliveryState.DELIVERED, "delivered_at": now, "last_error": ""}
        with self._db.write() as connection:
            if _moved(connection, delivery, values):
                told = {"notice": delivery.number, "receiver": delivery.name}
                note(connection, now, "notice.delivered", delivery.plan_id, told)

    def failed(self, delivery: Delivery, now: float, words: str, next_at: float | None) -> None:
        """Note that a try failed.

        Args:
            delivery: as it was taken up.
            now: UTC seconds.
            words: why, without any secret.
            next_at: when to try again; None: never.
        """
        state = DeliveryState.GAVE_UP if next_at is None else DeliveryState.WAITING
        values = {"state": state, "next_at": now if next_at is None else next_at, "last_error": storable(words)}
        with self._db.write() as connection:
            if _moved(connection, delivery, values) and next_at is None:
                told = {"notice": delivery.number, "receiver": delivery.name, "tries": delivery.tries + 1}
                note(connection, now, "notice.gave_up", delivery.plan_id, told)

    def _read(self, *which: Any) -> list[Delivery]:
        return [
            Delivery(
                number=row.notice_no,
                event=NoticeEvent(row.event),
                made_at=row.made_at,
                plan_id=row.plan_id,
                told=json.loads(row.told),
                name=row.receiver,
                receiver=receiver_from(json.loads(row.document)),
                state=DeliveryState(row.state),
                tries=row.tries,
                next_at=row.next_at,
                delivered_at=row.delivered_at,
                last_error=row.last_error,
            )
            for row in self._db.rows(_ALL.where(*which))
        ]


def is_due(now: float, judged: float) -> ColumnElement[bool]:
    """Select deliveries that may be tried.

    Args:
        now: UTC seconds, by the clock of the machine that would deliver.
        judged: UTC seconds by the database's clock, for those that are on their way.
    """
    is_on_its_way = deliveries.c.state == DeliveryState.SENDING
    return and_(is_open, deliveries.c.next_at <= case((is_on_its_way, judged), else_=now))


def _this(delivery: Delivery) -> Any:
    return (deliveries.c.notice_no == delivery.number) & (deliveries.c.receiver == delivery.name)


def _moved(connection: Connection, delivery: Delivery, values: Mapping[str, Any]) -> bool:
    """Note the end of a try, unless a later try was begun."""
    mine = (deliveries.c.state == DeliveryState.SENDING) & (deliveries.c.tries == delivery.tries + 1)
    return changed_rows(connection.execute(update(deliveries).where(_this(delivery) & mine).values(values))) == 1
