"""Results of a tick for others: exceptions, report, changed units, notices."""

from pathlib import Path

from migrator.core.campaign.life import ExceptionCode, LifeStage
from migrator.core.campaign.notices import Notice, daily_notice, end_notices
from migrator.core.fleet.units import money
from migrator.core.run.results import ExitCode
from migrator.files import placed_text
from migrator.store.campaigns.ticks import HELD
from migrator.workflows.campaign.report import campaign_exceptions, campaign_report
from migrator.workflows.campaign.tick import Tick
from migrator.workflows.handover.export import handover

__all__ = ["count_exceptions", "notices_of", "write_deltas", "write_report"]

CURSOR = "handover.cursor"
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
    tick.told[HELD] = held = tick.lasting()
    is_told = any("report" in one.told and one.began_s >= tick.day_began_s() for one in tick.earlier())
    is_held_otherwise = any(one.held != held for one in tick.earlier()[:1])
    if is_told and not is_held_otherwise and not _has_changed(tick):
        return
    now, folder = tick.site.now(), Path(tick.campaign.folder) / "report"
    campaign_report(tick.site, None, folder, now=now, counts=tick.counts, held=held)
    with placed_text(folder / "exceptions.csv") as out:
        for line in campaign_exceptions(tick.site, now=now):
            out(line)
    tick.told["report"] = str(folder)


def write_deltas(tick: Tick) -> None:
    """Write the rows of units that changed, if any did."""
    if not _has_changed(tick):
        return
    folder = Path(tick.campaign.folder) / "handover"
    folder.mkdir(parents=True, exist_ok=True)
    cursor = folder / CURSOR
    stamp = tick.now().strftime("%Y%m%d-%H%M%S")
    fresh = folder / f"{CURSOR}.new"  # in place of the former one once the rows are written: none is ever left out
    done = handover(tick.site, folder / f"{stamp}.csv", since=cursor if cursor.exists() else None, cursor=fresh)
    fresh.replace(cursor)
    tick.told["handover"] = str(done.cursor.parent / f"{stamp}.csv") if done.cursor else ""


def notices_of(tick: Tick, ended: ExitCode) -> list[Notice]:
    """Return what the receivers of the policy are told.

    The day in numbers is told by its first tick. A tick that merely waits, as for the end of quiet hours, is not told.
    """
    to, name, day = tick.loaded.policy.notify, tick.campaign.name, tick.now().astimezone(tick.zone).date()
    if not to:
        return []
    store, ref = tick.site.store, tick.ref()
    told = {"campaign": name, "reason": tick.reason(), "next": tick.hint(), "ref": ref}
    event = ended
    if ended is ExitCode.INPUT:
        event = ExitCode.ATTENTION if tick.trouble is None else ExitCode.HALTED
    at_end, cause = told | {"exit_code": int(ended)}, tick.cause()
    ends = (
        []
        if ended is ExitCode.RESUMABLE
        else end_notices(f"campaign {name}", event, at_end, cause=cause, day=day, to=to)
    )
    spent = store.due.spent(tick.campaign, tick.day_began_s())
    numbers = {
        "stages": tick.told.get("stages", {}),
        "exceptions": tick.told.get("exceptions", {}),
        "claimed": spent.sims,
        "charged_for_claims": money(spent.money),
        "idle": store.idle(tick.site.now()).words,
    }
    return [*ends, daily_notice(name, day, told | numbers, to)]


def _has_changed(tick: Tick) -> bool:
    """True if this tick changed something, or the one before was killed.

    People change something, too: then SIMs are in other stages than the tick before counted.
    """
    if CHANGES & tick.told.keys():
        return True
    return any(one.ended_s is None or one.told.get("stages") != tick.told.get("stages") for one in tick.earlier()[:1])
