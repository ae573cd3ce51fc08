"""Checks of `verify` beyond the record of each SIM.

The checks are the source's list, devices that nobody planned, and proof of life.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from migrator.carriers.hologram.wire import recorded_traffic
from migrator.chunks import chunks
from migrator.core.cutover.life import (
    Life,
    Proof,
    SourceChange,
    Unexpected,
    UnexpectedReason,
    asked_days,
    life,
    old_side,
)
from migrator.core.cutover.rules import claimed_at_s
from migrator.core.cutover.silence import (
    Recorded,
    Sessions,
    UnitEvidence,
    sessions_told,
    silence_of,
    swap_day,
    was_idle_before,
    with_days_before,
)
from migrator.core.fleet.imei import is_imei, unit
from migrator.core.fleet.sims import LinkState, SourceStatus, TargetLink
from migrator.core.plan.plan import PlanHeader
from migrator.core.run.results import PullResult
from migrator.core.run.steps import Item
from migrator.engine.cutover.context import in_parallel
from migrator.engine.cutover.data_sessions import imei_in, sessions_since_claim
from migrator.engine.pull.pull import Pulling
from migrator.engine.run.context import Stopper
from migrator.ports import Clock, DataSession, DevicePage, Progress, SourcePlatform, SourceUsage, TargetPlatform
from migrator.workflows.notices.deliver import deliver_after_run
from migrator.workflows.notices.found import tell_drift
from migrator.workflows.plans.make import look
from migrator.workflows.site import Site
from migrator.workflows.watch import drift_of

if TYPE_CHECKING:
    from migrator.store import Store

__all__ = [
    "DeviceWatch",
    "SourceLook",
    "look_at_source",
    "prove_life",
    "verify",
]

CHUNK = 500
WORKERS = 8
MOST_PAGES = 100_000
NOT_BEGUN = "0"
"""Value that is no API version.

A pull that was left half-way under another version is not continued.
"""


# --- the source side ----------------------------------------------------------------------------------------------


def verify(site: Site, plan_id: str) -> Mapping[str, int]:
    """Read every SIM of a plan again and compare; send no write.

    Returns: the number of SIMs by verdict: `ok`, `pending`, `mismatch`, `missing`, `staged`, `unread`.
    Raises: InputError, if there is no such plan; PlatformError.
    """
    store, settings = site.store, site.settings
    header = store.plans.header(plan_id)

    async def body(stopper: Stopper) -> None:
        async with site.outside.target(settings, store, stopper, read_only=True) as target:
            await look(
                store,
                target,
                header,
                absent_after_s=settings.absent_after_s,
                clock=site.clock,
                stopper=stopper,
                progress=site.progress,
            )

    began_s = site.now()
    site.outside.run_async(body)
    tell_drift(store, header, drift_of(store, plan_id, began_s))
    deliver_after_run(site)
    return {verdict: sims for verdict, sims in store.journal.verdicts(plan_id).items() if sims}


@dataclass(slots=True)
class SourceLook:
    """Comparison of the source's present list with a plan.

    Args:
        pulled: how the list was read.
        counts: SIMs by what changed; one may count under several.
        sims: SIMs that changed.
        changes: the first of them, as many as were asked for.
        ours_off: SIMs that are disabled and that a cutover of ours switched off: they count as no change.
    """

    pulled: PullResult
    counts: Counter[str] = field(default_factory=Counter)
    sims: int = 0
    changes: list[SourceChange] = field(default_factory=list)
    ours_off: int = 0


async def look_at_source(
    store: "Store",
    source: SourcePlatform,
    header: PlanHeader,
    *,
    most: int | None,
    clock: Clock,
    stopper: Stopper,
    progress: Progress,
) -> SourceLook:
    """Read the source's list afresh, and compare it with a plan.

    The list is read into a copy of the store that is thrown away: the inventory in force, and a pull that was left
    half-way, stay as they are, and a fleet of any size takes no memory.

    Args:
        store: where the plan is.
        source: the carrier of the old SIMs.
        header: the plan's.
        most: how many changes to keep one by one; None for all.
        clock: the time.
        stopper: checked between requests.
        progress: called with each event.
    """
    switched_off = store.cutovers.switched_off()
    with store.scratch_copy() as scratch:
        scratch.inventory.open_snapshot(NOT_BEGUN, clock.now().timestamp(), fresh=True)
        found = SourceLook(await Pulling(source, scratch.inventory, clock, stopper, progress).run())
        if found.pulled.settled:
            listed = scratch.inventory.sims(switched_off)
            found.ours_off = sum(sim.status is SourceStatus.DISABLED for sim in listed)
            for change in scratch.plans.source_changes(header.plan_id):
                found.sims += 1
                found.counts.update(code.value for code in change.codes)
                if most is None or len(found.changes) < most:
                    found.changes.append(change)
    return found


# --- devices that nobody planned ----------------------------------------------------------------------------------


@dataclass(slots=True)
class DeviceWatch:
    """Find devices on our list that a plan did not put there.

    Reads pages of our device list. Close the watch at the end.

    Args:
        store: where the plan is.
        header: the plan's.
        most: how many of them to keep one by one; None for all.

    Attributes:
        devices: how many devices were read.
        is_complete: whether that was the whole list.
        counts: how many were found, by reason.
        found: the first of them.
    """

    store: "Store"
    header: PlanHeader
    most: int | None = None
    devices: int = field(default=0, init=False)
    is_complete: bool = field(default=False, init=False)
    counts: Counter[str] = field(default_factory=Counter, init=False)
    found: list[Unexpected] = field(default_factory=list, init=False)
    _closing: ExitStack = field(default_factory=ExitStack, init=False)
    _searches: tuple[Any, Any] | None = field(default=None, init=False)
    _tags: frozenset[str] = field(default=frozenset(), init=False)

    def see(self, page: DevicePage) -> None:
        """Check one page of the list.

        Pages must come in their order, from the first.
        """
        expected, held = self._known()
        keys = [iccid.key for link in page.links for iccid in (link.iccid, *link.other_iccids)]
        ours, left_alone = set(expected.among(keys)), set(held.among(keys))
        for link in page.links:
            mine = {iccid.key for iccid in (link.iccid, *link.other_iccids)}
            is_ours = link.is_held_by(self.header.org_id) and link.state is not LinkState.RETIRED
            if is_ours and not mine & ours:
                self._judge(link, is_left_alone=bool(mine & left_alone))
        self.devices += len(page.links)
        self.is_complete = page.cursor is None

    async def read_all(self, target: TargetPlatform, stopper: Stopper) -> None:
        """Read the whole list, unless that was done already."""
        if self.is_complete:
            return
        self.devices, self.counts, self.found = 0, Counter(), []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            await stopper.checkpoint()
            page = await target.devices(cursor)
            self.see(page)
            cursor = page.cursor
            if cursor is None:
                return

    def close(self) -> None:
        """Forget the SIMs of the plan; the findings are kept."""
        self._closing.close()

    def _known(self) -> tuple[Any, Any]:
        """Return the expected SIMs, and the SIMs that were left alone.

        Both are read once there is something to judge.
        """
        if self._searches is None:
            journal, expected = self.store.journal, self.store.expectations
            plan_id = self.header.plan_id
            searches = (
                self._closing.enter_context(closing(journal.search(expected.put_there(plan_id)))),
                self._closing.enter_context(closing(journal.search(expected.left_alone(plan_id)))),
            )
            self._searches, self._tags = searches, expected.tags(plan_id)
        return self._searches

    def _judge(self, link: TargetLink, *, is_left_alone: bool) -> None:
        if is_left_alone:
            reason = UnexpectedReason.NOT_TO_BE_CLAIMED
        elif link.tags is not None and link.tags & self._tags:
            reason = UnexpectedReason.TAGGED
        else:
            return
        self.counts[reason.value] += 1
        if self.most is None or len(self.found) < self.most:
            self.found.append(Unexpected(link.iccid.digits, link.device_id, link.name or "", reason))


# --- proof of life ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asked:
    """SIM with the usage that was read for it.

    `sessions` is None where usage is not ours to read, and was not asked for where `was_asked` is not set.
    `source_imei` is the hardware that the old SIM was seen in. `scanned_s` is when the swap was noted in the field.
    `swapped_s` is when the card came into its unit, by that or by its pair. `recorded` is the traffic that the new
    SIM's record tells.
    """

    item: Item
    link: TargetLink
    claimed_s: float | None
    source_imei: str | None = None
    sessions: Sequence[DataSession] | None = ()
    scanned_s: float | None = None
    swapped_s: float | None = None
    recorded: Recorded = field(default_factory=Recorded)
    was_asked: bool = False

    @property
    def life(self) -> tuple[Life, float | None]:
        """Life of the new SIM: see `core.cutover.life.life`."""
        return life(
            self.item.change,
            self.link,
            claimed_s=self.claimed_s,
            session_s=max((session.at_s for session in self.sessions or ()), default=None),
            may_read_usage=self.sessions is not None,
            swapped_s=self.swapped_s,
            seen_in=unit(self.source_imei, self._last_imei),
        )

    @property
    def target_imei(self) -> str | None:
        """IMEI that the new SIM was seen in since its claim.

        An IMEI from before the claim says nothing of the unit.
        """
        return self._last_imei if self.life[0] is Life.ALIVE else None

    @property
    def _last_imei(self) -> str | None:
        return imei_in(self.sessions) or self.link.imei

    @property
    def sessions_told(self) -> Sessions:
        """Sessions of the new SIM since its claim, by record and usage."""
        sizes = None if self.sessions is None else [one.bytes_used for one in self.sessions]
        return sessions_told(self.recorded, self.claimed_s, sizes, was_asked=self.was_asked)

    @property
    def swapped_on(self) -> date | None:
        """Day of the swap; None without the time of the claim."""
        return None if self.claimed_s is None else swap_day(claimed_s=self.claimed_s, scanned_s=self.scanned_s)

    @property
    def is_open(self) -> bool:
        """True if usage may say more than the record.

        Usage may show a sign of life, the hardware to compare, or whether any data came through.
        """
        is_alive = self.life[0] is Life.ALIVE
        lacks_unit = is_alive and is_imei(self.source_imei) and not is_imei(self.link.imei)
        is_mute = is_alive and self.sessions_told is not Sessions.DATA
        return lacks_unit or is_mute or self.life[0] is Life.SILENT


async def prove_life(
    store: "Store",
    target: TargetPlatform,
    header: PlanHeader,
    keep: Callable[[Proof], None],
    *,
    source: SourceUsage | None,
    clock: Clock,
    stopper: Stopper,
    progress: Progress,
) -> None:
    """Prove the life of the plan's new SIMs, and their units.

    Only SIMs on our organization are proved. The device record comes first, as it is read already. Usage is asked only
    where the record shows no connection since the claim, or no hardware: a request per SIM, several in flight. Sends no
    write; the store keeps what was found.

    Args:
        store: where the plan is; its SIMs were just read afresh.
        target: the carrier of the new SIMs.
        header: the plan's.
        keep: given each SIM's proof, sorted by source ICCID.
        source: answers what old SIMs used since; None not to ask, which spares a request per SIM.
        clock: the time.
        stopper: checked between requests.
        progress: called with each event.
    """
    today = clock.now().date()
    for chunk in chunks(_held(store, header), CHUNK):
        known = _known(store, chunk)
        asked = await _asked(target, known, stopper)
        days = {} if source is None else await _old_days(source, asked, today, stopper)
        found = [_proof(one, days.get(one.item.key)) for one in asked]
        store.proofs.keep(header.plan_id, found, clock.now().timestamp())
        for proof in found:
            keep(proof)
        progress("lives", {"sims": len(asked)})


def _held(store: "Store", header: PlanHeader) -> Iterator[_Asked]:
    """Yield the SIMs of the plan that our organization has claimed."""
    for item, _, _, claimed_s, _ in store.journal.report_rows(header.plan_id):
        link = item.target
        is_ours = link is not None and link.is_held_by(header.org_id)
        if link is not None and is_ours and item.change.action.acts and not item.corrected:
            yield _Asked(item, link, claimed_at_s(link, claimed_s))


def _known(store: "Store", chunk: Sequence[_Asked]) -> list[_Asked]:
    """Return the same SIMs, with what the store knows of both sides."""
    keys = [one.item.key for one in chunk]
    imeis = {sim.iccid.key: sim.imei for sim in store.inventory.sims(keys)}
    facts, records = (
        store.unit_facts.by_source_keys(keys),
        store.target_records.among(one.link.iccid.key for one in chunk),
    )
    swaps = store.pairs.swapped(keys)
    return [
        replace(
            one,
            source_imei=imeis.get(one.item.key),
            scanned_s=facts[one.item.key].scanned_at if one.item.key in facts else None,
            swapped_s=swaps.get(one.item.key),
            recorded=recorded_traffic(records.get(one.link.iccid.key, {})),
        )
        for one in chunk
    ]


async def _asked(target: TargetPlatform, chunk: Sequence[_Asked], stopper: Stopper) -> list[_Asked]:
    """Return the same SIMs, with usage where usage may help.

    The record alone does not say enough there.
    """
    found = list(chunk)
    open_ = [number for number, one in enumerate(found) if one.is_open]

    async def ask(number: int) -> None:
        one = found[number]
        sessions = await sessions_since_claim(target, one.link, one.claimed_s)
        found[number] = replace(one, sessions=sessions, was_asked=one.link.link_id is not None)

    await in_parallel(open_, ask, workers=WORKERS, stopper=stopper)
    return found


_Days = tuple[Mapping[date, bool] | None, tuple[date, date] | None]


async def _old_days(source: SourceUsage, asked: Sequence[_Asked], today: date, stopper: Stopper) -> dict[str, _Days]:
    """Return the days on which old SIMs were used, by key.

    Each entry has the answer, and the days since the claim that were asked for. The days before the swap are asked for
    in the same request.
    """
    found: dict[str, _Days] = {}

    async def ask(one: _Asked) -> None:
        days = None if one.claimed_s is None else asked_days(datetime.fromtimestamp(one.claimed_s, UTC).date(), today)
        all_days = None if one.swapped_on is None else with_days_before(days, one.swapped_on, today)
        used = None if all_days is None else await source.used_days(one.item.change.source_iccid, *all_days)
        found[one.item.key] = (used, days)

    await in_parallel(asked, ask, workers=WORKERS, stopper=stopper)
    return found


def _proof(one: _Asked, days: _Days | None) -> Proof:
    """Return what was found.

    `days` is None where the old SIM was not asked about.
    """
    verdict, since_s = one.life
    old, used_on = (None, None) if days is None else old_side(*days)
    was_idle = None if days is None or one.swapped_on is None else was_idle_before(days[0], one.swapped_on)
    silent = silence_of(
        UnitEvidence(
            state=one.link.state,
            claimed_s=one.claimed_s,
            seen_s=since_s,
            sessions=one.sessions_told,
            old=old,
            used_on=used_on,
            was_idle_before=was_idle,
        )
    )
    return Proof(
        source_iccid=one.item.change.source_iccid.digits,
        target_iccid=one.link.iccid.digits,
        life=verdict,
        unit=unit(one.source_imei, one.target_imei),
        since_s=since_s,
        source_imei=one.source_imei,
        target_imei=one.target_imei,
        old=old,
        old_used_on=used_on,
        sessions=one.sessions_told,
        was_idle_before=was_idle,
        silent=silent,
    )
