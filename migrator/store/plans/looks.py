"""Which plan each operator was shown last, by the kind of plan: what a bare `apply` goes by."""

from dataclasses import dataclass

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.sqlite import insert

from migrator.store.database.database import Database
from migrator.store.tables.plans import looks

__all__ = ["Look", "Looks"]

_LAST = select(looks.c.named, looks.c.seen_at).where(looks.c.who == bindparam("who"), looks.c.kind == bindparam("kind"))


@dataclass(frozen=True, slots=True)
class Look:
    """The plan that somebody was shown last, and when (UTC seconds)."""

    named: str
    seen_at: float


class Looks:
    """The last look of each operator. Names are taken as given: a reminder, not a lock."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def note(self, who: str, kind: str, named: str, now: float) -> None:
        """Keep that a plan was shown to somebody.

        Args:
            who: USER@HOST.
            kind: of plan: "plan", "cutover" or "rollback".
            named: its id.
            now: UTC seconds.
        """
        values = {"named": named, "seen_at": now}
        look = insert(looks).values(who=who, kind=kind, **values)
        with self._db.write(durable=False) as connection:
            connection.execute(look.on_conflict_do_update(index_elements=["who", "kind"], set_=values))

    def last(self, who: str, kind: str) -> Look | None:
        """The plan of this kind that somebody was shown last; None if there was none."""
        with self._db.read() as connection:
            row = connection.execute(_LAST, {"who": who, "kind": kind}).one_or_none()
        return None if row is None else Look(row.named, row.seen_at)
