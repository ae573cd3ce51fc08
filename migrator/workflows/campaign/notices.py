"""Results of a tick for others: exceptions, report, changed units, notices."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from migrator.core.campaign.budget import bounds_used
from migrator.core.campaign.life import ExceptionCode, LifeStage
from migrator.core.campaign.notices import (
    Notice,
    bounds_notices,
    daily_notice,
    end_notices,
    sims_notice,
)
from migrator.core.campaign.state import Campaign
from migrator.core.fleet.units import money, n_sims
from migrator.core.policy.outside import NoticeEvent, Receiver
from migrator.core.run.results import ExitCode
from migrator.files import placed_text
from migrator.reports.campaign.documents import exception_lines
from migrator.store.campaigns.ticks import HELD
from migrator.workflows.campaign.make import bounds_of, receivers_of
from migrator.workflows.campaign.report import campaign_report
from migrator.workflows.campaign.tick import GRAVITY, Held, Tick
from migrator.workflows.handover.export import handover
from migrator.workflows.notices.done import DONE, done_notices
from migrator.workflows.notices.stopped import Standstill, told_of_turn, without_secrets
from migrator.workflows.site import Site, holding

__all__ = [
    "HANDOVER",
    "campaign_stopped",
    "count_exceptions",
    "end_failed",
    "end_interrupted",
    "note_failed_call",
    "notices_of",
    "write_deltas",
    "write_report",
]

RAISE = "to go past it, raise it in the policy, then `migrator campaign approve`"
HANDOVER = "handover"
"""Name of the stage, and of its file in what is told."""

_EVENTS = {
    ExceptionCode.SILENT: (NoticeEvent.SILENT, "without a sign of life since the claim"),
    ExceptionCode.MISMATCH: (NoticeEvent.DRIFT, "not as planned at Hologram"),
}
"""Exceptions that are events of their own."""

CURSOR, WAITS = "handover.cursor", "handover_waits"
OF_FILES = {"intake", "intake again", "discovery", "exceptions", "report", HANDOVER}
"""Stages whose trouble stops no claim and no cutover."""

CHANGES = {"claimed", "writes", "switched_off", "pairs_added", "pairs_replaced", "pairs_discovered", "newly_alive"}


def count_exceptions(tick: Tick) -> None:
    """Count where the SIMs are, and those that need a person.

    Who was taken back by a rollback needs nobody: a person chose that.
    """
    tick.counts = counts = tick.site.store.lives.counts(tick.site.now())
    found = {code.value: sims for code, sims in counts.codes.items() if sims}
    tick.told["stages"] = {stage.value: counts.of(stage) for stage in LifeStage if counts.of(stage)}
    tick.told["exceptions"] = found
    if found.keys() - {ExceptionCode.ROLLED_BACK.value}:
        words = ", ".join(f"{code}: {sims}" for code, sims in found.items())
        tick.hold(ExitCode.ATTENTION, f"exceptions: {words}", "`migrator campaign exceptions` lists them", lasts=False)


def write_report(tick: Tick) -> None:
    """Write report and exceptions, where something changed, or once a day."""
    if not tick.has_folder():
        return
    tick.told[HELD] = held = tick.lasting()
    began_s, now = tick.day_began_s(), tick.site.now()
    is_told = any("report" in one.told and began_s <= one.began_s <= now for one in tick.earlier())
    is_held_otherwise = any(one.held != held for one in tick.earlier()[:1])
    if is_told and not is_held_otherwise and not _has_changed(tick):
        return
    folder = Path(tick.campaign.folder) / "report"
    written = campaign_report(tick.site, None, folder, now=now, counts=tick.counts, held=held)
    with placed_text(folder / "exceptions.csv") as out:
        for line in exception_lines(written.exceptions(), "csv"):
            out(line)
    tick.told["report"] = str(folder)


def write_deltas(tick: Tick) -> None:
    """Write the rows of units that changed, if any did.

    What the tick before could not write is written, too.
    """
    could_not = any(
        last.told.get(WAITS) or any(_stage(one["words"]) == HANDOVER for one in last.held)
        for last in tick.earlier()[:1]
    )
    if not could_not and not _has_changed(tick):
        return
    if not tick.has_folder():
        tick.told[WAITS] = True
        return
    folder = Path(tick.campaign.folder) / "handover"
    folder.mkdir(parents=True, exist_ok=True)
    cursor = folder / CURSOR
    stamp = tick.now().strftime("%Y%m%d-%H%M%S")
    fresh = folder / f"{CURSOR}.new"  # in place of the former one once the rows are written: none is ever left out
    done = handover(tick.site, folder / f"{stamp}.csv", since=cursor if cursor.exists() else None, cursor=fresh)
    fresh.replace(cursor)
    tick.told[HANDOVER] = str(done.cursor.parent / f"{stamp}.csv") if done.cursor else ""


def notices_of(tick: Tick, ended: ExitCode) -> list[Notice]:
    """Return what the receivers of the kept policy are told.

    The day in numbers is told by its first tick. A tick that merely waits, as for the end of quiet hours, is not told.
    """
    to, name, day = receivers_of(tick.campaign), tick.campaign.name, tick.now().astimezone(tick.zone).date()
    # also where nobody is told: a new receiver hears what is done from then on
    done, tick.told[DONE] = done_notices(tick.site, tick.campaign, str(day), to, ref=tick.ref())
    if not to:
        return []
    store, ref, number = tick.site.store, tick.ref(), tick.campaign.campaign_no
    told = {"campaign": name, "reason": tick.reason(), "next": tick.hint(), "ref": ref}
    told |= told_of_turn(tick.site, ended, tick.site.now())  # a campaign's next call has a time
    ends = [
        notice
        for event, held in _by_event(tick).items()
        for notice in end_notices(
            f"campaign {number}",  # another one may have the same name
            event,
            {**told, **_of_held(held), "exit_code": int(ended)},
            cause="\n".join(sorted(one.cause or one.words for one in held)),
            day=day,
            to=to,
            plan_id=f"campaign {name}",
            standstill=tick.site.standstill,
        )
    ]
    spent = store.due.spent(tick.campaign, tick.day_began_s())
    numbers = {
        "stages": tick.told.get("stages", {}),
        "exceptions": tick.told.get("exceptions", {}),
        "claimed": spent.sims,
        "charged_for_claims": money(spent.money),
        "idle": store.idle(tick.site.now()).words,
    }
    used = bounds_notices(bounds_used(tick.bounds, spent), number, {**told, "next": RAISE}, to=to)
    return [*ends, *_of_sims(tick, told, to), *done, *used, daily_notice(number, day, told | numbers, to)]


def _of_sims(tick: Tick, told: Mapping[str, Any], to: tuple[Receiver, ...]) -> list[Notice]:
    """Return the notices about some SIMs, each once for these very SIMs."""
    found = list[Notice]()
    exceptions: Mapping[str, int] = tick.told.get("exceptions", {})
    before: Mapping[str, int] = next((one.told.get("exceptions", {}) for one in tick.earlier()[:1]), {})
    for code, (event, words) in _EVENTS.items():
        sims = exceptions.get(code, 0)
        is_asked = any(event in one.on for one in to)
        if not sims or not is_asked or (sims == before.get(code) and not _has_changed(tick)):
            continue
        lives = tick.site.store.lives.walk(tick.site.now(), code=code)
        named = [f"{life.source_iccid or life.target_iccid} {code}" for life in lives]
        way_on = f"`migrator campaign exceptions --code {code}` lists them"
        about = {"reason": f"{n_sims(sims)} {words}", "counts": {code.value: sims}, "next": way_on}
        found += sims_notice(event, f"campaign {tick.campaign.campaign_no}", named, {**told, **about}, to)
    return found


def _by_event(tick: Tick) -> dict[ExitCode, list[Held]]:
    """Return the holds that have to be told, by event.

    The exit code names the event. What stops the campaign, and who needs a person, are two events: neither hides the
    other. A file that cannot be written needs a person, and a policy or a key that cannot be used stops all. A carrier
    that cannot be read is told once two calls in a row came to it: most are back by the next one.
    """
    found: dict[ExitCode, list[Held]] = {}
    last = [one for before in tick.earlier()[:1] for one in before.held]
    stages = {_stage(one["words"]) for one in last if one["exit_code"] == ExitCode.RESUMABLE}
    for one in tick.held:
        if one.exit_code is ExitCode.RESUMABLE:
            if one.lasts and _stage(one.words) in stages:
                found.setdefault(ExitCode.HALTED, []).append(one)
        elif one.exit_code is ExitCode.INPUT and _stage(one.words) in OF_FILES:
            found.setdefault(ExitCode.ATTENTION, []).append(one)
        else:
            event = ExitCode.ATTENTION if one.exit_code is ExitCode.ATTENTION else ExitCode.HALTED
            found.setdefault(event, []).append(one)
    return found


def _stage(words: str) -> str:
    """Return the stage that trouble is told of."""
    return words.partition(":")[0]


def _of_held(held: Sequence[Held]) -> dict[str, Any]:
    """Return some holds in words, the gravest first."""
    first, *others = sorted(held, key=lambda one: GRAVITY.index(one.exit_code))
    told: dict[str, Any] = {"reason": first.words, "next": first.hint}
    also = [f"{one.words} ({one.hint})" if one.hint else one.words for one in others]
    return {**told, "also": also} if also else told


def _has_changed(tick: Tick) -> bool:
    """True if this tick changed something, or the one before was killed.

    People change something, too: then SIMs are in other stages than the tick before counted.
    """
    if CHANGES & tick.told.keys():
        return True
    return any(one.ended_s is None or one.told.get("stages") != tick.told.get("stages") for one in tick.earlier()[:1])


# --- calls that fail as a whole ---------------------------------------------------------------------------------------


def campaign_stopped(site: Site, campaign: Campaign, stop: Standstill, ref: str = "") -> list[Notice]:
    """Return the notice for the kept receivers that a campaign stands still.

    For the same cause it is told once a day, and anew once the account stood and a person let it go.
    """
    return end_notices(
        f"campaign {campaign.campaign_no}",
        ExitCode.HALTED,
        {"campaign": campaign.name, **stop.told, **told_of_turn(site, stop.exit_code), "ref": ref},
        cause=stop.cause or stop.words,
        day=site.clock.now().astimezone(ZoneInfo(bounds_of(campaign).time_zone)).date(),
        to=receivers_of(campaign),
        plan_id=f"campaign {campaign.name}",
        standstill=site.standstill,
    )


def end_failed(site: Site, campaign: Campaign, tick_no: int, stop: Standstill, ref: str = "") -> None:
    """Note that a tick failed as a whole, and tell of it."""
    stop = without_secrets(site, stop)
    held = {"exit_code": int(stop.exit_code), "words": stop.words, "hint": stop.hint}
    site.store.ticks.end(
        tick_no,
        exit_code=stop.exit_code,
        reason=stop.words,
        told={HELD: [held], **({"ref": ref} if ref else {})},
        now=site.now(),
        notices=campaign_stopped(site, campaign, stop, ref),
    )


def end_interrupted(site: Site, tick_no: int) -> None:
    """Note that somebody stopped a tick."""
    site.store.ticks.end(tick_no, exit_code=ExitCode.INTERRUPTED, reason="interrupted", told={}, now=site.now())


def note_failed_call(site: Site, stop: Standstill) -> bool:
    """Note, and tell of, a campaign's call that could not begin.

    It is noted under the lease: a call at work takes the newest tick for its own.

    Returns: False without an open campaign.

    Raises: StoreBusy, while another call is at work.
    """
    campaign = site.store.campaigns.open()
    if campaign is None:
        return False
    with holding(site):
        tick_no = site.store.ticks.begin(campaign.campaign_no, site.now())
        end_failed(site, campaign, tick_no, stop)
    return True
