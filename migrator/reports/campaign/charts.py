"""Geometry of the charts over all plans."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from migrator.core.campaign.forecast import Day, Forecast
from migrator.core.campaign.life import STAGE_WORDS, LifeCounts, LifeStage
from migrator.reports.formats.charts import LABEL, ROW, VALUE, WIDTH, Bar, BarChart, Part

__all__ = ["BurnDown", "burn_down", "funnel_chart", "idle_chart"]

LINE_WIDTH, LEFT, TOP, HEIGHT = 1160, 56, 20, 160
_KIND = {
    LifeStage.WAITING: "excluded",
    LifeStage.STAGED: "skipped",
    LifeStage.CLAIMED_SILENT: "mismatch",
    LifeStage.ALIVE: "pending",
    LifeStage.RESTING: "pending",
    LifeStage.CUT_OVER: "verified",
    LifeStage.LEFT_ALONE: "skipped",
    LifeStage.EXCEPTION: "failed",
}
"""Colours of the stages: those of the buckets of a plan's report."""


def funnel_chart(counts: LifeCounts) -> BarChart:
    """Build the chart of SIMs in each stage, also empty stages."""
    stages = [(stage, counts.of(stage)) for stage in LifeStage if stage is not LifeStage.IN_STOCK]
    bars = _bars([(stage.value.replace("_", " "), sims, _KIND[stage]) for stage, sims in stages], counts.total)
    about = f"{counts.total:,} SIMs by stage; every SIM has just one."
    cells = [(*bar.cells, STAGE_WORDS[stage]) for bar, (stage, _) in zip(bars, stages, strict=True)]
    told = [Bar(bar.label, bar.y, bar.parts, bar.value, cell) for bar, cell in zip(bars, cells, strict=True)]
    return BarChart("funnel", "Where the SIMs are", about, ("stage", "SIMs", "share", "meaning"), told)


def idle_chart(ages: Sequence[tuple[str, int, str, str]]) -> BarChart:
    """Build the chart of idle cards by age.

    Each age has days, cards, money so far, and money in a month.
    """
    total = sum(cards for _, cards, _, _ in ages)
    bars = _bars([(f"{days} days", cards, "mismatch") for days, cards, _, _ in ages], total)
    told = [
        Bar(bar.label, bar.y, bar.parts, f"{cards:,} · {so_far}", (bar.label, f"{cards:,}", so_far, month))
        for bar, (_, cards, so_far, month) in zip(bars, ages, strict=True)
    ]
    about = f"{total:,} cards that are claimed and were never seen, by days since the claim, with the money so far."
    return BarChart("idle", "Idle cards", about, ("age", "cards", "so far", "in 30 days"), told)


def _bars(rows: Sequence[tuple[str, int, str]], total: int) -> list[Bar]:
    most = max((sims for _, sims, _ in rows), default=0) or 1
    bars = []
    for place, (label, sims, kind) in enumerate(rows):
        length = max((WIDTH - LABEL - VALUE) * sims / most, 2.0) if sims else 0.0
        share = f"{100 * sims / total:.1f} %" if total else "-"
        part = Part(LABEL, length, kind, f"{label}: {sims:,}")
        bars.append(Bar(label, ROW * place, [part], f"{sims:,} · {share}", (label, f"{sims:,}", share)))
    return bars


@dataclass(frozen=True, slots=True)
class BurnDown:
    """Line of the units to be cut over, with its forecast.

    Each line is the points of an SVG polyline; empty where there is none. `band` is the range of the forecast.
    """

    about: str
    line: str
    ahead: str
    band: str
    most: int
    ticks: Sequence[tuple[float, str]]
    rows: Sequence[Sequence[str]]


def burn_down(days: Sequence[Day], total: int, forecast: Forecast, today: date) -> BurnDown | None:
    """Build the burn-down, or return None.

    None means that no old SIM went off yet.
    """
    if not any(day.cut_over for day in days):
        return None
    first = date.fromisoformat(days[0].day)
    ends = [date.fromisoformat(day) for day in (forecast.ends_on, forecast.latest, forecast.earliest) if day]
    last = max([*ends, today], default=today)
    span = max((last - first).days, 1)

    def point(day: date, left: float) -> str:
        x = LEFT + (LINE_WIDTH - 2 * LEFT) * min(max((day - first).days, 0) / span, 1.0)
        return f"{x:.1f},{TOP + HEIGHT * (1 - left / max(total, 1)):.1f}"

    left = forecast.left + sum(day.cut_over - day.taken_back for day in days)
    points, rows = [point(first, min(left, total))], []
    for day in days:
        left -= day.cut_over - day.taken_back
        points.append(point(date.fromisoformat(day.day), min(left, total)))
        rows.append((day.day, f"{day.claimed:,}", f"{day.alive:,}", f"{day.cut_over:,}", f"{left:,}"))
    now = point(today, min(forecast.left, total))
    points.append(now)
    ahead = f"{now} {point(date.fromisoformat(forecast.ends_on), 0)}" if forecast.ends_on else ""
    band = ""
    if forecast.earliest:
        latest = date.fromisoformat(forecast.latest) if forecast.latest else last + timedelta(days=span)
        band = f"{now} {point(date.fromisoformat(forecast.earliest), 0)} {point(latest, 0)}"
    ticks = [
        (LEFT + (LINE_WIDTH - 2 * LEFT) * number / 5, (first + timedelta(days=round(span * number / 5))).isoformat())
        for number in range(6)
    ]
    about = f"{forecast.left:,} of {total:,} units are still to be cut over; {forecast.words}."
    return BurnDown(about, " ".join(points), ahead, band, total, ticks, rows)
