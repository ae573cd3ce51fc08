"""Last shown plan of each operator, by the kind of plan.

A bare `apply` uses this plan.
"""

from dataclasses import dataclass

from sqlalchemy import bindparam, select

from migrator.store.database.database import Database
from migrator.store.database.sql import insert
from migrator.store.tables.plans import looks

__all__ = ["Looks", "ShownPlan"]

_LAST = select(looks.c.named, looks.c.seen_at).where(looks.c.who == bindparam("who"), looks.c.kind == bindparam("kind"))


@dataclass(frozen=True, slots=True)
class ShownPlan:
    """Plan that an operator was shown last, with the time (UTC seconds)."""

    named: str
    seen_at: float


class Looks:
    """Last shown plans of all operators.

    Operator names are taken as given: the record is a reminder, not a lock.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def note(self, who: str, kind: str, named: str, now: float) -> None:
        """Note that a plan was shown to an operator.

        Args:
            who: USER@HOST.
            kind: of plan: "plan", "cutover" or "rollback".
            named: the id of the plan.
            now: UTC seconds.
        """
        values = {"named": named, "seen_at": now}
        look = insert(looks).values(who=who, kind=kind, **values)
        with self._db.write(durable=False) as connection:
            connection.execute(look.on_conflict_do_update(index_elements=["who", "kind"], set_=values))

    def last(self, who: str, kind: str) -> ShownPlan | None:
        """Return the last plan of this kind that `who` was shown.

        None if there was no such plan.
        """
        with self._db.read() as connection:
            row = connection.execute(_LAST, {"who": who, "kind": kind}).one_or_none()
        return None if row is None else ShownPlan(row.named, row.seen_at)
