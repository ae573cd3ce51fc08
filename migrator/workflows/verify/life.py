"""Proof of life of new SIMs, and their units."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from migrator.carriers.hologram.wire import recorded_traffic
from migrator.chunks import chunks
from migrator.core.cutover.life import Life, Proof, asked_days, life, old_side
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
from migrator.core.fleet.sims import TargetLink
from migrator.core.plan.plan import PlanHeader
from migrator.core.run.steps import Item
from migrator.engine.cutover.context import in_parallel
from migrator.engine.cutover.data_sessions import imei_in, sessions_since_claim
from migrator.engine.run.context import Stopper
from migrator.ports import Clock, DataSession, Progress, SourceUsage, TargetPlatform

if TYPE_CHECKING:
    from migrator.store import Store

__all__ = ["prove_life"]

CHUNK = 500
WORKERS = 8


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
