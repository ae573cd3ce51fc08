"""Forecast of the day on which the fleet is cut over. Pure.

The pace is that of the last days on which people work. A range stands beside it, by how much those days differ; where
too little is known, there is none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil, sqrt
from typing import Any

__all__ = ["Day", "Forecast", "forecast"]

LOOKED_AT = 14
"""Days that a forecast looks back, today left out."""
FEWEST_DAYS = 3
"""Days with work below which nothing is foretold."""
LONGEST_DAYS = 3650
"""Days ahead past which a forecast says nothing."""
TWO_SIGMA = 2.0


@dataclass(frozen=True, slots=True)
class Day:
    """Numbers of one day.

    `day` is as "2026-11-20"; `alive` counts first signs of life, `cut_over` old SIMs off, `taken_back` those on again.
    """

    day: str
    claimed: int = 0
    alive: int = 0
    cut_over: int = 0
    taken_back: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the day as JSON values."""
        return {
            "day": self.day,
            "claimed": self.claimed,
            "alive": self.alive,
            "cut_over": self.cut_over,
            "taken_back": self.taken_back,
        }


@dataclass(frozen=True, slots=True)
class Forecast:
    """Forecast of the end, with its range.

    Args:
        left: SIMs that are still to be cut over.
        per_day: SIMs a working day; None where too little is known.
        ends_on: the day of the last one; None where nobody can tell.
        earliest: the day if all goes at the faster pace.
        latest: the day at the slower pace; None where that pace has no end.
        worked_days: the days with work that this rests on.
        why_not: words where nothing is foretold.
    """

    left: int
    per_day: float | None = None
    ends_on: str | None = None
    earliest: str | None = None
    latest: str | None = None
    worked_days: int = 0
    why_not: str = ""

    @property
    def words(self) -> str:
        """Words for one line."""
        if self.why_not:
            return self.why_not
        latest = self.latest or "nobody can tell"
        return (
            f"done about {self.ends_on} (between {self.earliest} and {latest}), at {self.per_day:,.1f} units a working "
            "day"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the forecast as JSON values."""
        return {
            "left": self.left,
            "units_per_working_day": None if self.per_day is None else round(self.per_day, 1),
            "ends_on": self.ends_on,
            "earliest": self.earliest,
            "latest": self.latest,
            "worked_days": self.worked_days,
            "words": self.words,
        }


def forecast(days: Sequence[Day], left: int, today: date, *, looked_at: int = LOOKED_AT) -> Forecast:
    """Return the forecast for the SIMs that are left.

    Args:
        days: what happened on each day, oldest first; days without anything may be missing.
        left: SIMs that are still to be cut over.
        today: the day of the forecast; it is not over, and does not count.
        looked_at: days to look back.
    """
    if not left:
        return Forecast(0, why_not="nothing is left to cut over")
    moved = {date.fromisoformat(one.day): max(0, one.cut_over - one.taken_back) for one in days}
    first = max(today - timedelta(days=looked_at), min(moved, default=today))
    seen = [first + timedelta(days=ahead) for ahead in range((today - first).days)]
    worked = [moved.get(day, 0) for day in seen if day.weekday() in _workdays(moved)]
    with_work = sum(1 for units in worked if units)
    if with_work < FEWEST_DAYS:
        words = (
            f"no forecast yet: it needs {FEWEST_DAYS} days with cutovers of the last {looked_at}, and has {with_work}"
        )
        return Forecast(left, worked_days=with_work, why_not=words)
    mean = sum(worked) / len(worked)
    spread = sqrt(sum((units - mean) ** 2 for units in worked) / (len(worked) - 1))
    error = TWO_SIGMA * spread / sqrt(len(worked))
    ends, earliest, latest = (_end(left, pace, moved, today) for pace in (mean, mean + error, mean - error))
    if ends is None:
        return Forecast(left, mean, worked_days=with_work, why_not="no forecast: at this pace it takes over ten years")
    return Forecast(left, mean, ends, earliest, latest, with_work)


def _workdays(moved: Mapping[date, int]) -> frozenset[int]:
    """Return the days of the week on which something was ever moved."""
    return frozenset(day.weekday() for day, units in moved.items() if units)


def _end(left: int, pace: float, moved: Mapping[date, int], today: date) -> str | None:
    """Return the day of the last unit at a pace."""
    if pace <= 0.0:
        return None
    needed, workdays = ceil(left / pace), _workdays(moved)
    whole_weeks, rest = divmod(needed, len(workdays))
    if whole_weeks * 7 > LONGEST_DAYS:
        return None
    if not rest:
        whole_weeks, rest = whole_weeks - 1, len(workdays)
    day = today + timedelta(days=7 * whole_weeks - 1)
    while rest:
        day += timedelta(days=1)
        rest -= day.weekday() in workdays
    return day.isoformat()
