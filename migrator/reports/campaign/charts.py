"""Geometry of the charts over all plans."""

from collections.abc import Sequence
from decimal import Decimal

from migrator.core.campaign.budget import Bound, BoundUsed
from migrator.core.campaign.life import STAGE_WORDS, LifeCounts, LifeStage
from migrator.reports.campaign.model import amount
from migrator.reports.formats.charts import LABEL, ROW, VALUE, WIDTH, Bar, BarChart, Part

__all__ = ["bounds_chart", "funnel_chart", "idle_chart"]

NEARLY = Decimal("0.8")
"""Share of a bound from which on it is nearly used."""

_BOUNDS = {
    Bound.DAY: "claims today",
    Bound.SPEND_DAY: "money today",
    Bound.TOTAL: "claims in all",
    Bound.SPEND_TOTAL: "money in all",
}

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


def bounds_chart(bounds: Sequence[BoundUsed]) -> BarChart:
    """Build the chart of a campaign's bounds and their use."""
    bars, room = [], float(WIDTH - LABEL - VALUE)
    for place, one in enumerate(bounds):
        share = one.used / one.at_most if one.at_most else Decimal(0)
        used = room * float(min(share, Decimal(1)))
        label, kind = _BOUNDS[one.bound], "mismatch" if share >= NEARLY else "pending"
        value = f"{amount(one, one.used)} of {amount(one, one.at_most)}"
        parts = [Part(LABEL, used, kind, f"{label}: {value}"), Part(LABEL + used, room - used, "left", "left")]
        cells = (label, *(amount(one, told) for told in (one.used, one.at_most, one.left)), one.bound.value)
        bars.append(Bar(label, ROW * place, parts, value, cells))
    about = "What the standing approval allows, and what is used of it; a claim whose outcome is not known counts."
    head = ("", "used", "at most", "left", "key of [campaign]")
    return BarChart("bounds", "Bounds of the campaign", about, head, bars)


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
