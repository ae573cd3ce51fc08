"""Geometry of a burn-down: SIMs left by day, and the forecast.

The template draws it. The numbers end at those of now: earlier days are counted back from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from migrator.core.campaign.forecast import Day, Forecast
from migrator.reports.formats.charts import AxisMark

__all__ = ["BurnDown", "burn_down"]

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 560.0, 52.0, 20.0, 14.0, 170.0
MOST_AHEAD = 3
"""Most of the future on the drawing, in times of the past."""


@dataclass(frozen=True, slots=True)
class BurnDown:
    """Lines over time.

    Args:
        about: the drawing in words.
        left: points of the SIMs that are left to cut over.
        silent: points of the SIMs whose new SIM was not seen alive yet.
        ahead: points of the forecast; empty without one.
        range: corners of its range; empty without one.
        ticks: days below the axis.
        today: where today is.
        most: the number at the top.
        rows: rows of the drawing's table, the newest first.
    """

    about: str
    left: str
    silent: str
    ahead: str
    range: str
    ticks: Sequence[AxisMark]
    today: float
    most: int
    rows: Sequence[Sequence[str]]


def burn_down(days: Sequence[Day], told: Forecast, total: int, today: date) -> BurnDown | None:
    """Return the burn-down of a fleet, or None before anything happened.

    Args:
        days: what happened on each day, oldest first.
        told: the forecast, with the SIMs that are left now.
        total: SIMs that are to be moved in all.
        today: the day of now.
    """
    if not days or not total:
        return None
    first = date.fromisoformat(days[0].day)
    end = _end(told, first, today)
    scale = _DayScale(first, end, total)
    left, silent = told.left, max(total - sum(one.alive for one in days), 0)
    lefts, silents, rows = [], [], []
    for one in reversed(days):
        after = date.fromisoformat(one.day) + timedelta(days=1)
        lefts.append(scale.point(after, left))
        silents.append(scale.point(after, silent))
        rows.append(
            (one.day, *(f"{count:,}" for count in (one.claimed, one.alive, one.cut_over, one.taken_back, left)))
        )
        left += one.cut_over - one.taken_back
        silent += one.alive
    lefts.append(scale.point(first, left))
    silents.append(scale.point(first, silent))
    now = today + timedelta(days=1)
    return BurnDown(
        about=f"{told.left:,} of {total:,} SIMs are left to cut over; {told.words}.",
        left=" ".join([*reversed(lefts), scale.point(now, told.left)]),
        silent=" ".join([*reversed(silents), scale.point(now, max(total - sum(one.alive for one in days), 0))]),
        ahead=""
        if told.ends_on is None
        else f"{scale.point(now, told.left)} {_towards(told.ends_on, told, scale, now)}",
        range=_range(told, scale, now),
        ticks=_ticks(scale, first, today, end),
        today=scale.x(now),
        most=total,
        rows=rows,
    )


@dataclass(frozen=True, slots=True)
class _DayScale:
    """Scale from days and SIMs to the drawing."""

    first: date
    end: date
    most: int

    def x(self, day: date) -> float:
        share = (min(day, self.end) - self.first).days / max((self.end - self.first).days, 1)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def point(self, day: date, sims: int) -> str:
        y = BOTTOM - (BOTTOM - TOP) * min(max(sims, 0), self.most) / self.most
        return f"{self.x(day)},{round(y, 1)}"


def _day(text: str) -> date:
    return date.fromisoformat(text) + timedelta(days=1)


def _end(told: Forecast, first: date, today: date) -> date:
    """Return the last day of the drawing.

    That is the end of the forecast's range, unless it is too far away.
    """
    now = today + timedelta(days=1)
    farthest = now + MOST_AHEAD * (now - first)
    ends = [_day(text) for text in (told.ends_on, told.latest) if text is not None]
    return min(max([now, *ends]), farthest)


def _towards(ends_on: str, told: Forecast, scale: _DayScale, now: date) -> str:
    """Return where the line from now to an end leaves the drawing."""
    day = _day(ends_on)
    if day <= scale.end or day <= now:
        return scale.point(day, 0)
    return scale.point(scale.end, round(told.left * (day - scale.end).days / (day - now).days))


def _range(told: Forecast, scale: _DayScale, now: date) -> str:
    if told.ends_on is None or told.earliest is None:
        return ""
    early = _towards(told.earliest, told, scale, now)
    late = scale.point(scale.end, told.left) if told.latest is None else _towards(told.latest, told, scale, now)
    return f"{scale.point(now, told.left)} {early} {late}"


def _ticks(scale: _DayScale, first: date, today: date, end: date) -> list[AxisMark]:
    shown = [AxisMark(scale.x(first), first.isoformat())]
    if scale.x(today + timedelta(days=1)) - LEFT > (WIDTH - LEFT - RIGHT) / 3:
        shown.append(AxisMark(scale.x(today + timedelta(days=1)), "today"))
    if (end - today).days > 1 and scale.x(end) - shown[-1].x > (WIDTH - LEFT - RIGHT) / 6:
        shown.append(AxisMark(scale.x(end), (end - timedelta(days=1)).isoformat()))
    return shown
