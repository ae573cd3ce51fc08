"""Content of a report over all plans."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from migrator.core.campaign.baseline import Baseline
from migrator.core.campaign.budget import Bound, BoundUsed, Spent
from migrator.core.campaign.forecast import Day, Forecast
from migrator.core.campaign.idle import IdleMoney
from migrator.core.campaign.life import ExceptionCode, LifeCounts, LifeStage, SimLife
from migrator.core.fleet.units import counted, grouped, money
from migrator.core.run.results import ExitCode
from migrator.reports.advice import Headline
from migrator.reports.model import moment

__all__ = [
    "LIFE_COLUMNS",
    "MOST_DEATHS",
    "CampaignStanding",
    "FleetReport",
    "amount",
    "headline",
    "life_values_of",
    "money_words",
    "next_commands",
]

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


DAY_S = 86_400.0
UNCALLED_S = 2 * DAY_S
"""Seconds without a call after which something is wrong with what calls."""

MOST_DEATHS = 3
"""Calls in a row without an end, after which somebody must look."""

_NOT_GRAVE = frozenset({ExitCode.ATTENTION, ExitCode.RESUMABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignStanding:
    """Standing of the campaign that is open.

    Args:
        campaign_no: its number.
        name: for people.
        state: made, approved or paused.
        people: who approved its policy.
        required: how many people must.
        ref: the change or ticket of the newest approval; "" for none.
        until: its last day.
        is_over: whether that day is over.
        is_changed: whether the policy's file is another one than was approved, or cannot be used.
        trouble: words on a policy's file that cannot be used; "" for none.
        cutover: ask or auto.
        intake: the folder for lists of units.
        due: old SIMs with a pair that wait for their claim.
        bounds: the use of each bound.
        spent: what the bounds are counted from.
        calls: the last calls of `campaign run`, newest first, as JSON values; one without an end is at work, or died.
        held: what held the last call up, as JSON values with `exit_code`, `words` and `hint`; what the report sees by
            itself is left out.
        uncalled_s: seconds since the last call, or since the approval; 0.0 where nobody is to call.
        died: how many calls before the newest did not end, one after the other.
    """

    campaign_no: int
    name: str
    state: str
    people: Sequence[str]
    required: int
    ref: str
    until: date
    is_over: bool
    is_changed: bool
    trouble: str = ""
    cutover: str
    intake: str
    due: int
    bounds: Sequence[BoundUsed]
    spent: Spent
    calls: Sequence[Mapping[str, Any]] = ()
    held: Sequence[Mapping[str, Any]] = ()
    uncalled_s: float = 0.0
    died: int = 0

    @property
    def used_up(self) -> Bound | None:
        """Bound over the whole campaign that is used up, or None.

        Money that is left may still be too little for one card.
        """
        return next((one.bound for one in self.bounds if not one.bound.opens_by_itself and not one.left), None)


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
        campaign: the open campaign; None without one.
        by_hand: cutovers that are begun and whose old SIMs a person switches off, by their ids.
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
    campaign: CampaignStanding | None = None
    by_hand: frozenset[str] = frozenset()


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
    return next(_headlines(report))


def _headlines(report: FleetReport) -> Iterator[Headline]:
    """Yield what may be said first, the gravest first."""
    counts = report.counts
    off, total = counts.of(LifeStage.CUT_OVER), counts.total
    done = f"{off:,} of {total:,} units are cut over"
    if not total:
        yield Headline("open", "Nothing is known of the fleet yet", "The store holds no inventory.")
    is_done = off + counts.of(LifeStage.LEFT_ALONE) + counts.exceptions == total
    pressing = _pressing(counts)
    sims = "1 SIM needs a person" if pressing == 1 else f"{pressing:,} SIMs need a person"
    others = f"{done}. {sims}." if pressing else f"{done}."
    if (held := _held(report.campaign)) is not None:
        yield Headline("open" if held.is_ordered else "bad", held.words, others)
    if report.campaign is not None:
        yield from (Headline("bad", one.words, f"{one.detail}{others}") for one in _bad(report.campaign, is_done))
    if pressing:
        yield Headline("bad", sims, f"{done}; {report.forecast.words}.")
    if report.campaign is not None and report.campaign.held:
        first, *more = (one["words"] for one in report.campaign.held)
        also = f"{_sentence('; '.join(more))} " if more else ""
        yield Headline("open", _begun_large(first), f"{also}{done}.")
    if is_done:
        yield Headline("good", "All is done", f"{done}; the others were left behind on purpose.")
    if off or report.plans:
        words = report.forecast.words
        yield Headline("good", f"All is well: {done}", f"{words[:1].upper()}{words[1:]}.")
    yield Headline("open", "Nothing was planned yet", f"{total:,} SIMs wait.")


def next_commands(report: FleetReport) -> list[str]:
    """Return what to do, the most pressing first; never empty."""
    return list(_steps(report)) or ["Nothing: every SIM is where it shall be."]


@dataclass(frozen=True, slots=True)
class _Hold:
    """Reason for which a campaign sends nothing, and the way on."""

    words: str
    step: str
    is_ordered: bool = False


def _held(campaign: CampaignStanding | None) -> _Hold | None:
    """Return what keeps a campaign from sending anything; None for nothing."""
    return None if campaign is None else next((hold for is_so, hold in _holds(campaign) if is_so), None)


def _holds(campaign: CampaignStanding) -> Iterator[tuple[bool, _Hold]]:
    """Yield what may hold a campaign, each with whether it does."""
    step = "`migrator campaign resume --by NAME` lets it go on."
    yield campaign.state == "paused", _Hold("The campaign is paused", step, is_ordered=True)
    have = f"{len(campaign.people)} of {campaign.required}"
    step = f"`migrator campaign approve` approves its policy, as the file is now: {have} so far."
    yield campaign.state == "made", _Hold("The campaign is not approved yet", step, is_ordered=True)
    step = "`migrator campaign approve` approves the policy's file as it is now."
    cannot = f"Put the policy's file right: {campaign.trouble}. Other values need `migrator campaign approve`."
    yield bool(campaign.trouble), _Hold("The policy's file cannot be used", cannot)
    yield campaign.is_changed, _Hold("The policy's file was changed since it was approved", step)
    step = "To go on, set a later day in the policy, then `migrator campaign approve`."
    yield campaign.is_over, _Hold(f"The campaign's last day is over: {campaign.until}", step)
    bound, due = campaign.used_up, f"{counted(campaign.due, 'SIM')} {'waits' if campaign.due == 1 else 'wait'}"
    step = f"{due} for a claim: to go on, raise {bound} in the policy, then `migrator campaign approve`."
    yield bool(campaign.due) and bound is not None, _Hold(f"[campaign] {bound} is used up", step)


@dataclass(frozen=True, slots=True)
class _Bad:
    """Words on calls that do not go well, and a sentence more."""

    words: str
    detail: str = ""


def _bad(campaign: CampaignStanding, is_done: bool) -> Iterator[_Bad]:  # noqa: FBT001 - the one thing that it asks
    """Yield what is wrong with the calls of `campaign run`."""
    for one in campaign.held:
        if one["exit_code"] not in _NOT_GRAVE:
            yield _Bad("The last call was held up", f"{_sentence(one['words'])} ")
    if campaign.uncalled_s > UNCALLED_S and not is_done:
        yield _Bad(f"Nobody called `campaign run` for {counted(int(campaign.uncalled_s // DAY_S), 'day')}")
    if campaign.died >= MOST_DEATHS:
        yield _Bad(f"The last {campaign.died} calls of `campaign run` did not end")


def _sentence(words: str) -> str:
    return _begun_large(words).rstrip(".") + "."


def _begun_large(words: str) -> str:
    """Return words as a sentence begins.

    The name of a file stays as it is.
    """
    return words if "." in words.partition(" ")[0] else f"{words[:1].upper()}{words[1:]}"


def _steps(report: FleetReport) -> Iterator[str]:
    counts = report.counts
    if not counts.total:
        yield "`migrator inventory pull` reads the fleet."
        return
    if report.running is not None:
        yield f"{report.running} is at work now: look again when it has ended."
    if (held := _held(report.campaign)) is not None:
        yield held.step
    if report.campaign is not None and held is None:
        yield from _of_last_call(report.campaign, is_grave=True)
    if report.running is None:
        yield from _begun(report, is_held=held is not None)
    if _pressing(counts):
        yield "`migrator campaign exceptions` lists who needs a person, each with what to do."
    if report.campaign is not None:
        yield from _of_last_call(report.campaign, is_grave=False)
    yield from _of_stages(counts) if report.campaign is None else _of_campaign(report.campaign, counts)
    if report.idle.all.cards:
        yield f"{report.idle.words[:1].upper()}{report.idle.words[1:]}: put them into their units first."


def _of_last_call(campaign: CampaignStanding, *, is_grave: bool) -> Iterator[str]:
    """Yield the way on of what held the last call up.

    Why nothing is sent at all is said already, where that is known by now.
    """
    if is_grave and (campaign.uncalled_s > UNCALLED_S or campaign.died >= MOST_DEATHS):
        yield "Look at the scheduler: `migrator campaign run --once` is to be called once a day or oftener."
    for one in campaign.held:
        if is_grave is (one["exit_code"] not in _NOT_GRAVE):
            yield _sentence(f"{one['words']}: {one['hint']}" if one["hint"] else one["words"])


def _begun(report: FleetReport, *, is_held: bool) -> Iterator[str]:
    """Yield the commands that go on with begun plans.

    Those of the campaign are its own to go on with.
    """
    number = None if report.campaign is None else report.campaign.campaign_no
    own = {plan["plan_id"] for plan in report.plans if number is not None and plan["campaign_no"] == number}
    all_begun = [plan for plan in report.plans if plan["state"] == "started"]
    begun = [plan for plan in all_begun if plan["plan_id"] not in report.by_hand]
    of_campaign = [plan for plan in begun if own & {plan["plan_id"], plan["of_plan"]} and plan["kind"] != "rollback"]
    if of_campaign and not is_held:
        yield "`migrator campaign run --once` goes on with what was begun."
    for plan in begun:
        if plan not in of_campaign:
            command = {"cutover": "cutover apply", "rollback": "rollback apply"}.get(plan["kind"], "apply")
            yield f"`migrator {command} {plan['plan_id']}` goes on with what was begun."
    for plan_id in (plan["plan_id"] for plan in all_begun if plan["plan_id"] in report.by_hand):
        yield (
            f"`migrator cutover export {plan_id}` goes on with what was begun, once the portal's next file is in "
            "(`migrator inventory import`)."
        )


def _of_campaign(campaign: CampaignStanding, counts: LifeCounts) -> Iterator[str]:
    """Yield what people do for a campaign: all else it does itself."""
    if counts.of(LifeStage.RESTING) and campaign.cutover == "ask":
        sims = f"{counts.of(LifeStage.RESTING):,}"
        yield f"`migrator campaign run --once` says which of {sims} old SIMs may go off, and the command for it."
    unpaired = counts.of(LifeStage.WAITING) - campaign.due
    if unpaired > 0:
        waits = f"{counted(unpaired, 'SIM')} {'waits' if unpaired == 1 else 'wait'}"
        yield f"{waits} in no pair: lists of pairs go into `{campaign.intake}` (what the policy skips needs none)."


def amount(used: BoundUsed, value: Any) -> str:
    """Return a value of a bound, for people."""
    return grouped(money(value)) if used.is_money else f"{value:,}"


_MONEY_WORDS = {
    "sims_claimed": "cards claimed, over all plans",
    "charged_for_claims": "charged for them",
    "claims_without_price": "of them without a price",
    "cap_scope": "[caps] scope",
    "max_sims": "[caps] max_sims",
    "used_sims": "SIMs that count for it",
    "left_sims": "SIMs left",
    "max_spend_now": "[caps] max_spend_now",
    "used_spend": "money that counts for it",
    "left_spend": "money left",
    "unpriced_sims": "SIMs that count without a price",
}


def money_words(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the money of a report with names for people."""
    plain = {name: value for name, value in values.items() if not isinstance(value, dict | list)}
    return {_MONEY_WORDS.get(name, name.replace("_", " ")): value for name, value in plain.items()}


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
