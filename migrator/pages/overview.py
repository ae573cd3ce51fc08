"""Overview: is all well, and what is to do next."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from migrator.core.campaign.life import MEANINGS, REMEDIES, STAGE_WORDS, ExceptionCode, LifeCounts, LifeStage
from migrator.core.fleet.units import money
from migrator.pages.picture import Picture, left_of
from migrator.pages.runs import AtWork, clock
from migrator.reports.advice import Headline
from migrator.reports.formats.burn_down import burn_down
from migrator.reports.formats.charts import BarChart, amounts_chart

__all__ = ["Step", "overview"]

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


@dataclass(frozen=True, slots=True)
class Step:
    """Step that a person takes next.

    Code words stand in backticks. `link` is the page that tells more.
    """

    words: str
    link: str = ""


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
    """Return whether all is well: the first that fits."""
    counts = picture.counts
    done = _done(counts)
    if not counts.total:
        return Headline("open", "Nothing is here yet", "The store holds no inventory.")
    if work.orders:
        held = ", ".join(order["plan_id"] for order in work.orders)
        return Headline("open", f"Held back: {held}", f"An operator holds it back. {done}")
    if work.holder is None and work.last is not None and _has_failed(work):
        return Headline("bad", "The last run did not end well", f"{work.last['state'].capitalize()}. {done}")
    if counts.exceptions:
        words = "1 SIM needs a person" if counts.exceptions == 1 else f"{counts.exceptions:,} SIMs need a person"
        return Headline("bad", words, f"{done} {_pace(picture)} {_work_words(work)}")
    if not left_of(counts):
        return Headline("good", "All SIMs are where they should be", done)
    return Headline("good", "All is well", f"{done} {_pace(picture)} Nothing needs a person. {_work_words(work)}")


def _pace(picture: Picture) -> str:
    words = picture.forecast.words
    return f"{words[:1].upper()}{words[1:]}."


def _has_failed(work: AtWork) -> bool:
    """True if the last run ended so that somebody must look.

    A run that waits, or that its operator ended, is not meant.
    """
    return work.last is not None and work.last["exit_code"] not in {0, 3, 7, 130}


def _work_words(work: AtWork) -> str:
    return "Nobody is at work." if work.holder is None else "A run is at work."


def _done(counts: LifeCounts) -> str:
    return f"{counts.of(LifeStage.CUT_OVER):,} of {counts.total:,} old SIMs are off."


def next_steps(picture: Picture, work: AtWork) -> list[Step]:
    """Return what to do, the most pressing first; never empty."""
    return list(_steps(picture, work)) or [Step("Nothing: the units are swapped in the field.")]


def _steps(picture: Picture, work: AtWork) -> Iterator[Step]:
    counts = picture.counts
    if not counts.total:
        yield Step("Read the fleet: `migrator inventory pull`.")
        return
    for order in work.orders:
        yield Step(f"{order['plan_id']} is {order['words']}: `{order['command']}` lets it go on.", "/runs")
    if work.holder is None and work.last is not None and _has_failed(work):
        why = f" ({work.last['reason']})" if work.last["reason"] else ""
        yield Step(f"Go on once the cause is gone{why}: `{work.last['command']}`.", f"/runs/{work.last['plan_id']}")
    code = ExceptionCode.IN_DOUBT
    doubts = counts.codes.get(code, 0)
    if doubts:
        yield Step(f"Settle {doubts:,} SIMs without an answer: {REMEDIES[code]}", f"/sims?stage=exception&code={code}")
    others = counts.exceptions - doubts
    if others:
        yield Step(f"Go through the exceptions ({others:,} SIMs), each code with its remedy.", "/sims?stage=exception")
    if counts.of(LifeStage.RESTING):
        resting = f"{counts.of(LifeStage.RESTING):,} SIMs"
        yield Step(
            f"Switch off old SIMs whose new one lives ({resting}): `migrator cutover plan`.", "/sims?stage=resting"
        )
    if counts.of(LifeStage.WAITING) and work.holder is None and not picture.newest_plan:
        yield Step("Make a plan: `migrator pair import`, then `migrator plan create`.", "/sims?stage=waiting")


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
