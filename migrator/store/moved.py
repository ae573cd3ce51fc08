"""Mark of a store that moved, or is about to.

Two living stores of one account would claim twice. So the old one is marked before there is a new one, and the new one
bears a mark until the old one says that it moved: at every moment at most one of the two can be worked with.
"""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum

from sqlalchemy import Connection, select

from migrator.errors import MigratorError, StoreBusy, StoreMoved
from migrator.store.tables.fleet import meta

__all__ = ["MARK", "MARK_NAME", "Mark", "MoveMark", "mark_in", "must_be_here", "refuse_marked"]

MARK_NAME = "move"
"""Name of the mark among the facts of a store."""

MARK = select(meta.c.value).where(meta.c.name == MARK_NAME)


class MoveMark(StrEnum):
    """Part of a store in a move."""

    MOVING = "moving"  # the old one, while it is copied
    MOVED = "moved"  # the old one, for good
    ARRIVED = "arrived"  # the new one, until the old one has moved


@dataclass(frozen=True, slots=True)
class Mark:
    """Mark of one store.

    Args:
        standing: the part of this store.
        token: the same in both stores of one move, and in no other.
        old: place of the old store, without any password.
        new: place of the new one.
    """

    standing: MoveMark
    token: str
    old: str
    new: str

    def text(self) -> str:
        """Return the mark as it is kept."""
        return json.dumps(asdict(self))


def mark_in(connection: Connection) -> Mark | None:
    """Return the mark of a store, or None."""
    return _mark(connection.scalar(MARK))


def must_be_here(connection: Connection) -> None:
    """Refuse a store that bears a mark.

    Raises: StoreMoved; StoreBusy, if a move is under way or was cut short.
    """
    refuse_marked(connection.scalar(MARK))


def refuse_marked(text: str | None) -> None:
    """Refuse a store whose mark was read already.

    Raises: as `must_be_here`.
    """
    mark = _mark(text)
    if mark is not None:
        raise _refusal(mark)


def _mark(text: str | None) -> Mark | None:
    if text is None:
        return None
    kept = json.loads(text)
    return Mark(MoveMark(kept["standing"]), kept["token"], kept["old"], kept["new"])


def _refusal(mark: Mark) -> MigratorError:
    if mark.standing is MoveMark.MOVED:
        return StoreMoved(
            f"the state store {mark.old} was moved to {mark.new}, and knows nothing of what was done since",
            hint="work with the new one: --state (MIGRATOR_STATE), in PostgreSQL with --account (MIGRATOR_ACCOUNT)",
        )
    is_old = mark.standing is MoveMark.MOVING
    return StoreBusy(
        f"the state store {mark.old} is on its way to {mark.new}"
        if is_old
        else f"the state store {mark.new} is a copy of {mark.old}, which is not marked as moved yet",
        code="moving",
        hint="wait for `migrator state copy`; if it was cut short, the same command again goes on from there",
    )
