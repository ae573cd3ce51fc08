"""Content of a report over all plans."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from migrator.core.campaign.baseline import Baseline
from migrator.core.campaign.forecast import Day, Forecast
from migrator.core.campaign.idle import IdleMoney
from migrator.core.campaign.life import ExceptionCode, LifeCounts, LifeStage, SimLife
from migrator.reports.advice import Headline
from migrator.reports.model import moment

__all__ = ["LIFE_COLUMNS", "FleetReport", "headline", "life_values_of", "next_commands"]

LIFE_COLUMNS = (
    "source_iccid",
    "target_iccid",
    "stage",
    "code",
    "since",
    "unit",
    "site",
    "ticket",
    "label",
    "status",
    "imei",
    "first_status",
    "first_label",
    "first_imei",
    "differs",
    "claimed_at",
    "alive_at",
    "plan_id",
    "advice",
)
"""Columns of a life in every format.

`differs` names what is not as it was first seen.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetReport:
    """Report over all plans of one store.

    Args:
        generated_at: now, in UTC seconds.
        tool: name and version of this program.
        store: the lineage of the store.
        counts: SIMs by stage and exceptions by code.
        idle: money of cards that were never seen.
        idle_cards: the oldest of these, as JSON values.
        days: what happened on each day.
        forecast: when the fleet is cut over.
        exceptions: every exception, sorted by key.
        lives: every SIM, sorted by key.
        plans: plans of all kinds, newest first, as JSON values.
        runs: the last runs, newest first, as JSON values.
        money: what claims cost, beside the caps, as JSON values.
        running: who works on the store now, in words; None if nobody does.
    """

    generated_at: float
    tool: str
    store: str
    counts: LifeCounts
    idle: IdleMoney
    idle_cards: Sequence[Mapping[str, Any]] = ()
    days: Sequence[Day] = ()
    forecast: Forecast
    exceptions: Callable[[], Iterator[SimLife]]
    lives: Callable[[], Iterator[SimLife]]
    plans: Sequence[Mapping[str, Any]] = ()
    runs: Sequence[Mapping[str, Any]] = ()
    money: Mapping[str, Any] = field(default_factory=dict)
    running: str | None = None


def life_values_of(life: SimLife) -> dict[str, Any]:
    """Return a life as JSON values, by column."""
    differs: tuple[str, ...] = ()
    if life.baseline_status is not None:
        first = Baseline(life.baseline_status, life.baseline_label, life.baseline_imei, 0.0)
        differs = first.differences(status=life.status, label=life.label, imei=life.imei)
    return {
        "source_iccid": life.source_iccid,
        "target_iccid": life.target_iccid,
        "stage": life.stage.value,
        "code": None if life.code is None else life.code.value,
        "since": moment(life.since_s),
        "unit": life.unit,
        "site": life.site,
        "ticket": life.ticket,
        "label": life.label,
        "status": life.status,
        "imei": life.imei,
        "first_status": life.baseline_status,
        "first_label": life.baseline_label,
        "first_imei": life.baseline_imei,
        "differs": " ".join(differs),
        "claimed_at": moment(life.claimed_s),
        "alive_at": moment(life.alive_s),
        "plan_id": life.plan_id,
        "advice": life.advice,
    }


def headline(report: FleetReport) -> Headline:
    """Return whether all is well: the first that fits."""
    counts = report.counts
    off, total = counts.of(LifeStage.CUT_OVER), counts.total
    done = f"{off:,} of {total:,} units are cut over"
    if not total:
        return Headline("open", "Nothing is known of the fleet yet", "The store holds no inventory.")
    pressing = _pressing(counts)
    if pressing:
        sims = "1 SIM needs a person" if pressing == 1 else f"{pressing:,} SIMs need a person"
        return Headline("bad", sims, f"{done}; {report.forecast.words}.")
    if off + counts.of(LifeStage.LEFT_ALONE) + counts.exceptions == total:
        return Headline("good", "All is done", f"{done}; the others were left behind on purpose.")
    if off or report.plans:
        words = report.forecast.words
        return Headline("good", f"All is well: {done}", f"{words[:1].upper()}{words[1:]}.")
    return Headline("open", "Nothing was planned yet", f"{total:,} SIMs wait.")


def next_commands(report: FleetReport) -> list[str]:
    """Return what to do, the most pressing first; never empty."""
    return list(_steps(report)) or ["Nothing: every SIM is where it shall be."]


def _steps(report: FleetReport) -> Iterator[str]:
    counts = report.counts
    if not counts.total:
        yield "`migrator inventory pull` reads the fleet."
        return
    if report.running is not None:
        yield f"{report.running} is at work now: look again when it has ended."
    for plan in report.plans:
        if plan["state"] == "started" and report.running is None:
            command = {"cutover": "cutover apply", "rollback": "rollback apply"}.get(plan["kind"], "apply")
            yield f"`migrator {command} {plan['plan_id']}` goes on with what was begun."
    if _pressing(counts):
        yield "`migrator campaign exceptions` lists who needs a person, each with what to do."
    yield from _of_stages(counts)
    if report.idle.all.cards:
        yield f"{report.idle.words[:1].upper()}{report.idle.words[1:]}: put them into their units first."


def _of_stages(counts: LifeCounts) -> Iterator[str]:
    words = (
        (LifeStage.RESTING, "`migrator cutover plan` says which of {} old SIMs may go off."),
        (LifeStage.ALIVE, "`migrator verify --traffic --old-silent` asks what {} living new SIMs still have to prove."),
        (LifeStage.CLAIMED_SILENT, "`migrator verify --traffic` looks for life on {} cards that nobody has seen yet."),
        (LifeStage.WAITING, "`migrator plan create` plans for the {} SIMs that wait, once they are paired."),
    )
    yield from (told.format(f"{counts.of(stage):,}") for stage, told in words if counts.of(stage))


def _pressing(counts: LifeCounts) -> int:
    """Return the exceptions that nobody chose: a person asked for a rollback."""
    return counts.exceptions - counts.codes.get(ExceptionCode.ROLLED_BACK, 0)
