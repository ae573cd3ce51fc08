"""Metrics for Prometheus and its kin, in the text of OpenMetrics.

Few series, whatever the size of the fleet: no ICCID, no label, no plan stands in a metric.

Source: OpenMetrics 1.0, "Text Format": HELP and TYPE before the samples of a family, counters end in `_total`, the text
ends in `# EOF`. Read 2026-11-29.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from migrator.core.campaign.life import ExceptionCode, LifeStage
from migrator.core.campaign.notices import DeliveryState
from migrator.core.run.results import ExitCode
from migrator.core.run.states import RunState
from migrator.core.run.steps import RequestOutcome
from migrator.pages.operation import OperationNow
from migrator.pages.picture import Picture
from migrator.pages.runs import AtWork

__all__ = ["CONTENT_TYPE", "Family", "open_metrics"]

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
Labels = Mapping[str, str]
_WAITING = (DeliveryState.WAITING, DeliveryState.SENDING)


@dataclass(frozen=True, slots=True)
class Family:
    """Metric with its samples: labels and value of each."""

    name: str
    kind: str
    about: str
    samples: Iterable[tuple[Labels, float | Decimal]]
    unit: str = ""

    def lines(self) -> Iterator[str]:
        """Yield the lines of the family."""
        yield f"# TYPE {self.name} {self.kind}"
        if self.unit:
            yield f"# UNIT {self.name} {self.unit}"
        yield f"# HELP {self.name} {self.about}"
        ending = "_total" if self.kind == "counter" else ""
        for labels, value in self.samples:
            named = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
            yield f"{self.name}{ending}{{{named}}} {value}" if named else f"{self.name}{ending} {value}"


def open_metrics(picture: Picture, work: AtWork, ticking: OperationNow, now: float) -> str:
    """Return all metrics as text.

    `now` is in UTC seconds.
    """
    counted = [*_families(picture), *_of_campaign(picture)]
    families = [*counted, *_of_ticks(ticking, now), *_of_now(picture, work, now)]
    lines = [line for family in families for line in family.lines()]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _families(picture: Picture) -> Iterator[Family]:
    counts = picture.counts
    stages = [stage for stage in LifeStage if stage is not LifeStage.IN_STOCK]
    yield Family(
        "migrator_sims",
        "gauge",
        "Old SIMs by the stage of their life; they sum to the inventory.",
        [({"stage": stage.value}, counts.of(stage)) for stage in stages],
    )
    yield Family(
        "migrator_exceptions",
        "gauge",
        "Old SIMs that need a person, by code.",
        [({"code": code.value}, counts.codes.get(code, 0)) for code in ExceptionCode],
    )
    yield Family(
        "migrator_stock_cards",
        "gauge",
        "Claimed cards of the stock that have no unit.",
        [({}, counts.of(LifeStage.IN_STOCK))],
    )
    ages = [({"age_days": age.value}, bucket) for age, bucket in picture.idle.ages.items()]
    yield Family(
        "migrator_idle_cards",
        "gauge",
        "Cards that are claimed and were never seen, by the days since their claim.",
        [(labels, bucket.cards) for labels, bucket in ages],
    )
    yield Family(
        "migrator_idle_money",
        "gauge",
        "What idle cards of a known price cost so far, in the currency of the organization.",
        [(labels, bucket.so_far) for labels, bucket in ages],
    )
    yield Family(
        "migrator_idle_money_in_a_month",
        "gauge",
        "What they have cost 30 days from now, if nobody puts them into a unit.",
        [(labels, bucket.in_a_month) for labels, bucket in ages],
    )
    yield Family(
        "migrator_claims", "counter", "SIMs that were claimed, or may have been, by all plans.", [({}, picture.claims)]
    )
    if picture.caps:
        caps = picture.caps
        yield Family(
            "migrator_cap",
            "gauge",
            "Most SIMs, and most money at once, that the newest plan's policy allows.",
            [({"of": "sims"}, caps["max_sims"]), ({"of": "money"}, caps["max_spend_now"])],
        )
        yield Family(
            "migrator_cap_used",
            "gauge",
            "What is used up of the caps, by the journal.",
            [({"of": "sims"}, caps["used_sims"]), ({"of": "money"}, caps["used_spend"])],
        )
    yield Family(
        "migrator_runs",
        "gauge",
        "Runs by state; running is also a run that died and was not taken up again.",
        [({"state": state.value}, picture.run_states.get(state.value, 0)) for state in RunState],
    )
    yield Family(
        "migrator_requests",
        "counter",
        "Requests that meant to change something, by kind and outcome.",
        [
            ({"kind": kind, "outcome": outcome}, sent)
            for (kind, outcome), sent in sorted(_with_all_outcomes(picture.outcomes).items())
        ],
    )


def _of_campaign(picture: Picture) -> Iterator[Family]:
    campaign = picture.report.campaign
    if campaign is not None:
        yield Family(
            "migrator_campaign_bound",
            "gauge",
            "Bounds of the open campaign's standing approval, in SIMs and in money.",
            [({"of": one.bound.value}, one.at_most) for one in campaign.bounds],
        )
        yield Family(
            "migrator_campaign_used",
            "gauge",
            "What is used of each bound, today or in all, by the journal; claims in doubt count.",
            [({"of": one.bound.value}, one.used) for one in campaign.bounds],
        )


def _of_ticks(ticking: OperationNow, now: float) -> Iterator[Family]:
    ticks, last = ticking.ticks, ticking.last
    if ticks or last is not None:
        codes = [({"exit_code": str(code.value)}, ticks.get(code.value, 0)) for code in ExitCode]
        yield Family(
            "migrator_ticks",
            "counter",
            "Ticks of campaigns that ended, by exit code, and those that were killed.",
            [*codes, ({"exit_code": "killed"}, ticks.get(None, 0))],
        )
    if last is not None and last.ended_s is not None:
        yield Family(
            "migrator_tick_end_timestamp_seconds",
            "gauge",
            "When the last tick ended, in UTC seconds.",
            [({}, round(last.ended_s, 1))],
            unit="seconds",
        )
        yield Family(
            "migrator_tick_duration_seconds",
            "gauge",
            "How long the last tick took.",
            [({}, round(max(last.ended_s - last.began_s, 0.0), 1))],
            unit="seconds",
        )
        yield Family("migrator_tick_exit_code", "gauge", "Exit code of the last tick.", [({}, last.exit_code or 0)])
    yield from _of_notices(ticking, now)


def _of_notices(ticking: OperationNow, now: float) -> Iterator[Family]:
    found = ticking.notices
    receivers = sorted({name for name, _ in found})
    for name, kind, about, states in (
        ("waiting", "gauge", "Notices that wait for a receiver, or for its next try.", _WAITING),
        ("delivered", "counter", "Notices that a receiver took.", (DeliveryState.DELIVERED,)),
        ("failed", "counter", "Notices that were given up, after a week of tries.", (DeliveryState.GAVE_UP,)),
    ):
        counts = [({"receiver": one}, sum(found.get((one, state), 0) for state in states)) for one in receivers]
        yield Family(f"migrator_notices_{name}", kind, about, counts)
    yield Family(
        "migrator_notices_oldest_waiting_seconds",
        "gauge",
        "Age of the oldest notice that waits; 0 if none does.",
        [({}, 0.0 if ticking.waits_since is None else round(max(now - ticking.waits_since, 0.0), 1))],
        unit="seconds",
    )


def _of_now(picture: Picture, work: AtWork, now: float) -> Iterator[Family]:
    yield Family("migrator_at_work", "gauge", "1 while a run holds the store.", [({}, int(work.holder is not None))])
    yield Family("migrator_held_back", "gauge", "Plans that an operator holds back.", [({}, len(work.orders))])
    if work.last is not None:
        ended = None if work.holder is not None else work.last["ended_s"]
        age = 0.0 if work.holder is not None else now - (work.last["started_s"] if ended is None else ended)
        yield Family(
            "migrator_last_run_age_seconds",
            "gauge",
            "Seconds since the last run ended, 0 while one is at work.",
            [({}, round(max(age, 0.0), 1))],
            unit="seconds",
        )
        if work.last["exit_code"] is not None:
            yield Family(
                "migrator_last_run_exit_code", "gauge", "Exit code of the last run.", [({}, work.last["exit_code"])]
            )
    if picture.taken_at is not None:
        yield Family(
            "migrator_inventory_age_seconds",
            "gauge",
            "Seconds since the source's list was read.",
            [({}, round(max(now - picture.taken_at, 0.0), 1))],
            unit="seconds",
        )
    yield Family(
        "migrator_counts_age_seconds",
        "gauge",
        "Seconds since the counts above were made.",
        [({}, round(max(now - picture.made_at, 0.0), 1))],
        unit="seconds",
    )


def _with_all_outcomes(found: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """Return every outcome of each kind that was sent.

    So the first of an outcome is a step up from 0.
    """
    kinds = {kind for kind, _ in found}
    return {(kind, outcome.value): found.get((kind, outcome.value), 0) for kind in kinds for outcome in RequestOutcome}


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
