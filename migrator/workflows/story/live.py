"""Both carriers asked now about one unit; nothing is written anywhere."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from migrator import wiring
from migrator.carriers.hologram.wire import recorded_traffic
from migrator.core.cutover.life import asked_days, old_side
from migrator.core.cutover.rules import Sighting, alive_at_s, claimed_at_s
from migrator.core.cutover.silence import (
    Silent,
    UnitEvidence,
    sessions_told,
    silence_of,
    swap_day,
    was_idle_before,
    with_days_before,
)
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import SourceSim, TargetLink
from migrator.engine.cutover.data_sessions import imei_in, sessions_since_claim
from migrator.engine.run.context import Stopper
from migrator.errors import PlatformError, Problem
from migrator.ports import DataSession, SourceSight, TargetPlatform
from migrator.reports.model import moment

if TYPE_CHECKING:
    from migrator.inputs.settings.settings import Settings
    from migrator.store import Store

__all__ = ["Asking", "Live", "ask_carriers"]

SOURCE, TARGET = "source", "target"
"""Sides that may have answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Unit to ask about.

    `claimed_s` is when the journal says that the new SIM was claimed, `scanned_s` when the swap was noted in the field
    (UTC seconds).
    """

    source: Iccid | None
    target: Iccid | None
    claimed_s: float | None
    scanned_s: float | None


@dataclass(slots=True)
class Live:
    """Answers of both carriers, and the trouble that there was.

    `exit_code` is that of the first trouble, 0 without any.
    """

    asked_s: float
    sim: SourceSim | None = None
    seen: str = ""
    session: str | None = None
    days: Mapping[date, bool] | None = None
    link: TargetLink | None = None
    sessions: tuple[DataSession, ...] | None = ()
    was_asked: bool = False
    silent: Silent | None = None
    trouble: list[Problem] = field(default_factory=list)
    exit_code: int = 0
    answered: set[str] = field(default_factory=set)

    def as_dict(self) -> dict[str, Any]:
        """Return the answers as JSON values."""
        used = sorted(day.isoformat() for day, was_used in (self.days or {}).items() if was_used)
        sim, link, sessions = self.sim, self.link, self.sessions
        old = {
            "seen": self.seen,
            "status": None if sim is None else sim.status.value,
            "session": self.session,
            "label": None if sim is None else sim.label,
            "imei": None if sim is None else sim.imei,
            "days_told": None if self.days is None else len(self.days),
            "used_on": used,
        }
        new = {
            "is_seen": link is not None,
            "state": None if link is None else link.state.value,
            "state_word": None if link is None else link.state_word,
            "name": None if link is None else link.name,
            "overage_limit_bytes": None if link is None else link.overage_limit_bytes,
            "sms_limit": None if link is None else link.sms_limit,
            "tags": None if link is None or link.tags is None else sorted(link.tags),
            "imei": imei_in(sessions) or (None if link is None else link.imei),
            "claimed_at": None if link is None else link.claimed_at,
            "last_connected_at": None if link is None else link.last_connected_at,
            "test_ends_at": None if link is None else link.test_ends_at,
            "sessions": None
            if sessions is None or not self.was_asked
            else [{"began_at": moment(one.at_s), "bytes": one.bytes_used, "imei": one.imei} for one in sessions],
        }
        return {
            "asked_at": moment(self.asked_s),
            "old_sim": old if SOURCE in self.answered else None,
            "new_sim": new if TARGET in self.answered else None,
            "trouble": [problem.message for problem in self.trouble],
            **({} if self.silent is None else self.silent.as_dict()),
        }


def ask_carriers(store: "Store", settings: "Settings", asking: Asking) -> Live:
    """Ask both carriers about one unit, one SIM each.

    A source without an API is not asked.

    Trouble with one carrier leaves the other's answer as it is.

    Raises: InputError, for settings that are missing.
    """
    asks_source = asking.source is not None and wiring.is_asked(settings, store)
    if asks_source:
        settings.source()
    settings.hologram()
    live = Live(wiring.SystemClock().now().timestamp())

    async def body(stopper: Stopper) -> None:
        if asking.target is not None:
            iccid = asking.target

            async def new() -> None:
                async with wiring.target(settings, store, stopper, read_only=True) as target:
                    await _ask_hologram(target, iccid, asking, live)

            await _troubled(TARGET, "Hologram", new, live)
        if asks_source and asking.source is not None:
            old_iccid = asking.source

            async def old() -> None:
                async with wiring.source_control(settings, store, stopper, read_only=True) as source:
                    await _ask_source(source, old_iccid, asking, live)

            await _troubled(SOURCE, settings.carrier.name, old, live)

    wiring.run_async(body)
    live.silent = _silence(asking, live)
    return live


async def _troubled(side: str, carrier: str, ask: Callable[[], Awaitable[None]], live: Live) -> None:
    try:
        await ask()
    except PlatformError as error:
        live.trouble.append(Problem("attention", f"{carrier} did not answer: {error.message}", error.hint))
        live.exit_code = live.exit_code or error.exit_code
    else:
        live.answered.add(side)


async def _ask_hologram(target: TargetPlatform, iccid: Iccid, asking: Asking, live: Live) -> None:
    links = await target.links_by_iccid([iccid])
    link = next((one for one in links if iccid in {one.iccid, *one.other_iccids}), None)
    if link is not None and link.device_id is not None:
        link = next(iter(await target.devices_by_id([link.device_id])), link)
    live.link = link
    sessions = await sessions_since_claim(target, link, asking.claimed_s)
    live.sessions = None if sessions is None else tuple(sessions)
    live.was_asked = link is not None and link.link_id is not None and _claimed_s(asking, live) is not None


async def _ask_source(source: SourceSight, iccid: Iccid, asking: Asking, live: Live) -> None:
    await source.open()
    sight = await source.look(iccid)
    live.sim, live.seen = sight.sim, sight.sighting.value
    if sight.sighting is Sighting.GONE:
        return
    live.session = await source.session(iccid)
    today = _day(live.asked_s)
    live.days = await source.used_days(iccid, *with_days_before(_days(asking, live), _swap(asking, live), today))


def _claimed_s(asking: Asking, live: Live) -> float | None:
    return asking.claimed_s if live.link is None else claimed_at_s(live.link, asking.claimed_s)


def _swap(asking: Asking, live: Live) -> date:
    claimed_s = _claimed_s(asking, live)
    return swap_day(claimed_s=live.asked_s if claimed_s is None else claimed_s, scanned_s=asking.scanned_s)


def _days(asking: Asking, live: Live) -> tuple[date, date] | None:
    claimed_s = _claimed_s(asking, live)
    return None if claimed_s is None else asked_days(_day(claimed_s), _day(live.asked_s))


def _silence(asking: Asking, live: Live) -> Silent | None:
    """Return why the new SIM is silent, or None.

    None where it was not seen.
    """
    link = live.link
    if link is None or not link.is_claimed:
        return None
    claimed_s = _claimed_s(asking, live)
    recorded = recorded_traffic(link.raw)
    sizes = None if live.sessions is None else [one.bytes_used for one in live.sessions]
    sessions = sessions_told(recorded, claimed_s, sizes, was_asked=live.was_asked)
    last_s = max((one.at_s for one in live.sessions or ()), default=None)
    was_told = SOURCE in live.answered and asking.source is not None
    old, used_on = old_side(live.days, _days(asking, live)) if was_told else (None, None)
    return silence_of(
        UnitEvidence(
            state=link.state,
            claimed_s=claimed_s,
            seen_s=None if claimed_s is None else alive_at_s(link, claimed_s, last_s),
            sessions=sessions,
            old=old,
            used_on=used_on,
            was_idle_before=was_idle_before(live.days, _swap(asking, live)) if was_told else None,
        )
    )


def _day(at_s: float) -> date:
    return datetime.fromtimestamp(at_s, UTC).date()
