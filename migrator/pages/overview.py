"""Overview: is all well, and what is to do next."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from migrator.core.campaign.life import MEANINGS, REMEDIES, STAGE_WORDS, LifeCounts, LifeStage
from migrator.core.fleet.units import money
from migrator.pages.picture import Picture
from migrator.pages.runs import AtWork, clock
from migrator.reports.advice import Headline
from migrator.reports.campaign.model import headline as fleet_headline
from migrator.reports.campaign.model import next_commands
from migrator.reports.formats.burn_down import burn_down
from migrator.reports.formats.charts import BarChart, amounts_chart

__all__ = ["overview"]

WAY = (
    LifeStage.WAITING,
    LifeStage.STAGED,
    LifeStage.CLAIMED_SILENT,
    LifeStage.ALIVE,
    LifeStage.RESTING,
    LifeStage.CUT_OVER,
    LifeStage.LEFT_ALONE,
    LifeStage.EXCEPTION,
)
"""Stages of an old SIM, in the order of its way."""
SHOWN = (
    LifeStage.CUT_OVER,
    LifeStage.RESTING,
    LifeStage.ALIVE,
    LifeStage.CLAIMED_SILENT,
    LifeStage.WAITING,
    LifeStage.EXCEPTION,
    LifeStage.IN_STOCK,
)
"""Stages whose numbers stand at the top."""


def overview(picture: Picture, work: AtWork) -> dict[str, Any]:
    """Return what the overview shows of the fleet."""
    counts = picture.counts
    return {
        "verdict": headline(picture, work),
        "steps": next_steps(picture, work),
        "total": counts.total,
        "numbers": [(stage.value, _named(stage), counts.of(stage), STAGE_WORDS[stage]) for stage in SHOWN],
        "funnel": funnel(counts),
        "burn_down": burn_down(
            picture.days,
            picture.forecast,
            counts.total - counts.of(LifeStage.LEFT_ALONE),
            datetime.fromtimestamp(picture.made_at, UTC).date(),
        ),
        "idle": picture.idle,
        "money": money,
        "codes": exceptions_by_code(counts),
        "claims": picture.claims,
        "caps": picture.caps,
        "taken_at": clock(picture.taken_at),
        "counted_at": clock(picture.made_at),
    }


def headline(picture: Picture, work: AtWork) -> Headline:
    """Return whether all is well, as the report says.

    A page also sees orders in force, and how the last run ended.
    """
    told = fleet_headline(picture.report)
    if work.orders:
        held = ", ".join(order["plan_id"] for order in work.orders)
        return Headline("open", f"Held back by an operator: {held}", told.detail)
    if _has_failed(work):
        return Headline("bad", "The last run did not end well", told.detail)
    is_at_work = "Nobody is at work." if work.holder is None else "A run is at work."
    return Headline(told.tone, told.words, f"{told.detail} {is_at_work}")


def _has_failed(work: AtWork) -> bool:
    """True if the last run ended so that somebody must look.

    A run that waits, or that its operator ended, is not meant.
    """
    return work.holder is None and work.last is not None and work.last["exit_code"] not in {0, 3, 7, 130}


def next_steps(picture: Picture, work: AtWork) -> list[str]:
    """Return what to do, the most pressing first; never empty.

    Code words stand in backticks.
    """
    report = replace(picture.report, running=work.holder)
    return [*_of_now(work), *next_commands(report)]


def _of_now(work: AtWork) -> Iterator[str]:
    for order in work.orders:
        yield f"{order['plan_id']} is {order['words']}: `{order['command']}` lets it go on."
    if _has_failed(work) and work.last is not None:
        why = f" ({work.last['reason']})" if work.last["reason"] else ""
        yield f"Look at run {work.last['run_id']}{why}; once its cause is gone: `{work.last['command']}`."


def _named(stage: LifeStage) -> str:
    return stage.value.replace("_", " ")


def funnel(counts: LifeCounts) -> BarChart:
    """Build the chart of the stages; the stages sum to the inventory."""
    rows = [(_named(stage), counts.of(stage), stage.value) for stage in WAY]
    about = f"{counts.total:,} old SIMs, each in exactly one stage."
    return amounts_chart("stages", "Where the SIMs are", about, ("stage", "SIMs", "share"), rows)


def exceptions_by_code(counts: LifeCounts) -> Sequence[tuple[str, int, str, str]]:
    """Return code, SIMs, meaning and remedy of each kind of exception.

    The kind with the most SIMs comes first.
    """
    found = [(code.value, sims, MEANINGS[code], REMEDIES[code]) for code, sims in counts.codes.items() if sims]
    return sorted(found, key=lambda one: (-one[1], one[0]))
