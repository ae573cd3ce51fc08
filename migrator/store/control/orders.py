"""Orders and rates of runs, which do not need the lease.

Orders are what other terminals want of a run. Rates are what the pacers of a run learned.
"""

import json
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select

from migrator.core.run.control import Ceiling, Learned, Order, OrderKind
from migrator.store.database.database import Database, storable
from migrator.store.database.documents import document_text
from migrator.store.database.rows import AnyRow
from migrator.store.database.sql import insert
from migrator.store.log import note
from migrator.store.plans.lookup import plan_row
from migrator.store.tables.plans import orders, plans, rates

__all__ = ["Steering"]

_ORDER = select(orders).join_from(orders, plans).where(plans.c.plan_id == bindparam("plan_id"))
_RATE = select(rates).where(rates.c.carrier == bindparam("carrier"))


class Steering:
    """Orders and rates, to be given and shown.

    A run reads them before each request: `store.control.signs`.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    # --- orders ---------------------------------------------------------------------------------------------------

    def order(self, plan_id: str) -> Order | None:
        """Return the order in force for a plan.

        None means that the plan goes on.
        """
        rows = self._db.rows(_ORDER, plan_id=plan_id)
        return _order(rows[0]) if rows else None

    def give(self, plan_id: str, order: Order) -> None:
        """Put an order into force in place of any other order.

        Raises: InputError, if there is no such plan.
        """
        values = {"kind": order.kind, "given_by": storable(order.given_by), "given_at": order.given_at}
        statement = insert(orders).values(plan_no=plan_row(self._db, plan_id).plan_no, **values)
        with self._db.write() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["plan_no"], set_=values))
            given = {"order": order.kind.value, "by": storable(order.given_by)}
            note(connection, order.given_at, "order.given", plan_id, given)
        self._db.into_main_file()  # the order holds for who carries that file on alone, too; if a reader lets us

    def withdraw(self, plan_id: str, *, by: str, now: float) -> Order | None:
        """Let a plan go on (`now` in UTC seconds).

        Returns: the order that was in force; None, and nothing is noted, if there was none.
        Raises: InputError, if there is no such plan.
        """
        this = orders.c.plan_no == plan_row(self._db, plan_id).plan_no
        with self._db.write() as connection:
            row = connection.execute(select(orders).where(this)).one_or_none()
            if row is None:
                return None
            connection.execute(delete(orders).where(this))
            note(connection, now, "order.withdrawn", plan_id, {"order": row.kind, "by": storable(by)})
        return _order(row)

    def ordered_plans(self) -> list[str]:
        """Return the plans with an order in force, latest order first."""
        held = select(plans.c.plan_id).join_from(orders, plans).order_by(orders.c.given_at.desc())
        return [str(row.plan_id) for row in self._db.rows(held)]

    # --- rates ----------------------------------------------------------------------------------------------------

    def ceiling(self, carrier: str) -> Ceiling | None:
        """Return the most requests per second that an operator allows.

        None means that only the setting counts.
        """
        rows = self._db.rows(_RATE, carrier=carrier)
        if not rows or rows[0].ceiling is None:
            return None
        return Ceiling(rows[0].ceiling, rows[0].ceiling_by, rows[0].ceiling_at)

    def set_ceiling(self, carrier: str, per_second: float | None, *, by: str, now: float) -> None:
        """Set the ceiling of a carrier, or remove the ceiling with None.

        `now` is UTC seconds.
        """
        values: dict[str, Any] = {"ceiling": None, "ceiling_by": "", "ceiling_at": None}
        if per_second is not None:
            values = {"ceiling": per_second, "ceiling_by": storable(by), "ceiling_at": now}
        with self._db.write() as connection:
            _save_rate(connection, carrier, values)
            told = {"carrier": carrier, "per_second": per_second, "by": storable(by)}
            note(connection, now, "rate.set", None, told)

    def learned(self, carrier: str) -> Learned | None:
        """Return what a pacer learned last, or None."""
        rows = self._db.rows(_RATE, carrier=carrier)
        if not rows or rows[0].learned is None:
            return None
        return Learned(json.loads(rows[0].learned), rows[0].learned_at)

    def save_learned(self, carrier: str, learned: Learned) -> None:
        """Keep what a pacer learned for the next process."""
        values = {"learned": document_text(dict(learned.values)), "learned_at": learned.at}
        with self._db.write() as connection:
            _save_rate(connection, carrier, values)


def _save_rate(connection: Connection, carrier: str, values: dict[str, Any]) -> None:
    statement = insert(rates).values({"carrier": carrier, "ceiling_by": "", **values})
    connection.execute(statement.on_conflict_do_update(index_elements=["carrier"], set_=values))


def _order(row: AnyRow) -> Order:
    return Order(OrderKind(row.kind), row.given_by, row.given_at)
