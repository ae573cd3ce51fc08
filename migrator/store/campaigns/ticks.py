"""Ticks of campaigns: one row per `campaign run --once`."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from migrator.chunks import PAGE
from migrator.core.campaign.notices import Notice
from migrator.store.database.database import Database
from migrator.store.database.rows import AnyRow
from migrator.store.log import note
from migrator.store.notices import add_notices
from migrator.store.tables.campaigns import ticks

__all__ = ["HELD", "KeptTick", "Ticks", "without_end"]

HELD = "held"
"""Name of the holds, in what is told of a tick."""

_NEWEST = ticks.c.tick_no.desc()
_OF = (
    select(ticks)
    .where(ticks.c.campaign_no == bindparam("campaign_no"), ticks.c.tick_no > bindparam("after"))
    .order_by(ticks.c.tick_no)
    .limit(PAGE)
)
_NEWEST_OF = (
    select(ticks)
    .where(ticks.c.campaign_no == bindparam("campaign_no"), ticks.c.told.like(bindparam("part")))
    .order_by(_NEWEST)
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class KeptTick:
    """Row of one tick.

    Without an end, the tick was killed or is at work.
    """

    tick_no: int
    campaign_no: int
    began_s: float
    ended_s: float | None
    exit_code: int | None
    reason: str
    told: Mapping[str, Any]

    @property
    def held(self) -> Sequence[Mapping[str, Any]]:
        """Holds that last until the next tick.

        Each has `exit_code`, `words` and `hint`.
        """
        found: Sequence[Mapping[str, Any]] = self.told.get(HELD, [])
        return found


def without_end(newest_first: Iterable[KeptTick]) -> int:
    """Count the newest ticks that have no end, one after the other."""
    return sum(1 for _ in takewhile(lambda one: one.ended_s is None, newest_first))


class Ticks:
    """Ticks of every campaign."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def begin(self, campaign_no: int, now: float, *, ref: str = "") -> int:
        """Note that a tick begins, and return its number.

        A reference that was given for it stands in the log, also where nothing is due.
        """
        told = {"ref": ref} if ref else {}
        values = {"campaign_no": campaign_no, "began_at": now, "reason": "", "told": json.dumps(told)}
        with self._db.write() as connection:
            tick_no = int(connection.scalar(insert(ticks).values(values).returning(ticks.c.tick_no)) or 0)
            if ref:
                note(connection, now, "campaign.tick", None, {"tick": tick_no, **told})
            return tick_no

    def end(
        self,
        tick_no: int,
        *,
        exit_code: int,
        reason: str,
        told: Mapping[str, Any],
        now: float,
        notices: Iterable[Notice] = (),
    ) -> None:
        """Note how a tick ended, and its notices in the same transaction."""
        values = {"ended_at": now, "exit_code": exit_code, "reason": reason, "told": json.dumps(told, sort_keys=True)}
        with self._db.write() as connection:
            connection.execute(update(ticks).where(ticks.c.tick_no == tick_no).values(values))
            add_notices(connection, notices, now)

    def list(self, most: int = 100) -> list[KeptTick]:
        """Return the newest ticks, newest first."""
        rows = self._db.rows(select(ticks).order_by(_NEWEST).limit(most))
        return list(map(_kept, rows))

    def of(self, campaign_no: int) -> Iterator[KeptTick]:
        """Yield every tick of a campaign, oldest first."""
        after = 0
        while rows := self._db.rows(_OF, campaign_no=campaign_no, after=after):
            yield from map(_kept, rows)
            after = rows[-1].tick_no

    def last_ended(self) -> KeptTick | None:
        """Return the newest tick that ended, or None."""
        rows = self._db.rows(select(ticks).where(ticks.c.ended_at.is_not(None)).order_by(_NEWEST).limit(1))
        return _kept(rows[0]) if rows else None

    def last_told(self, campaign_no: int, name: str) -> Any:
        """Return what the newest tick that told something told.

        It is one of this campaign. A call that failed as a whole, or was killed, tells nothing of most things.

        Returns: None, where no tick told it.
        """
        rows = self._db.rows(_NEWEST_OF, campaign_no=campaign_no, part=f'%"{name}"%')
        return _kept(rows[0]).told.get(name) if rows else None

    def counts(self) -> dict[int | None, int]:
        """Count the ticks by exit code.

        None stands for those that were killed. The newest one without an end may be at work, and is left out.
        """
        newest = select(func.max(ticks.c.tick_no)).scalar_subquery()
        counted = select(ticks.c.exit_code, func.count().label("n")).group_by(ticks.c.exit_code)
        rows = self._db.rows(counted.where(ticks.c.ended_at.is_not(None) | (ticks.c.tick_no < newest)))
        return {row.exit_code: row.n for row in rows}


def _kept(row: AnyRow) -> KeptTick:
    return KeptTick(
        row.tick_no, row.campaign_no, row.began_at, row.ended_at, row.exit_code, row.reason, json.loads(row.told)
    )
