"""Life of every SIM, over all plans of the store."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Any

from migrator.chunks import PAGE, chunks
from migrator.core.campaign.life import (
    SILENT_AFTER_S,
    ExceptionCode,
    LifeCounts,
    LifeFacts,
    LifeStage,
    SimLife,
    life_of_facts,
)
from migrator.core.cutover.life import Life
from migrator.core.cutover.rules import moment_s
from migrator.core.cutover.silence import OldSide
from migrator.core.fleet.imei import Unit
from migrator.core.fleet.sims import LinkState, SourceStatus
from migrator.core.plan.plan import Action, Reason
from migrator.store.campaigns.campaigns import open_bounds
from migrator.store.campaigns.life_details import Details, Times, details
from migrator.store.campaigns.life_rows import LifeRow, Sides, keys_after, named, rows_of_all, rows_of_some, sides
from migrator.store.campaigns.stock_lives import stock_counts, stock_keys, stock_lives
from migrator.store.database.database import Database

__all__ = ["Lives", "Standing"]

_OFF = frozenset({SourceStatus.DISABLED.value, SourceStatus.EXPIRED.value})
_STATES = {state.value: state for state in LinkState}
_UNITS = {unit.value: unit for unit in Unit}
_LEFT = {(action.value, reason.value): (action, reason) for action in (Action.SKIP, Action.BLOCK) for reason in Reason}
_IS_CLAIMED = [one.name for one in fields(LifeFacts)].index("is_claimed")
_MORE = ":"

Standing = tuple[LifeStage, ExceptionCode | None]
Facts = tuple[Any, ...]
_moment_s = lru_cache(maxsize=65_536)(moment_s)


class Lives:
    """Reader of lives: derived at each call, never stored.

    Args:
        database: the open store.
        silent_after_s: how long after its claim a card may stay unseen; None for what the open campaign says.
    """

    def __init__(self, database: Database, silent_after_s: float | None = None) -> None:
        self._db = database
        self._silent_after_s = silent_after_s
        self._kept: tuple[float, list[tuple[str, Standing]]] | None = None

    @property
    def silent_after_s(self) -> float:
        """Seconds after its claim in which a card may stay unseen."""
        if self._silent_after_s is not None:
            return self._silent_after_s
        return float(open_bounds(self._db).get("silent_after_s", SILENT_AFTER_S))

    def counts(self, now: float) -> LifeCounts:
        """Count the SIMs in each stage.

        The stages of old SIMs sum to the inventory. `now` is in UTC seconds.
        """
        return self.counted(Counter(standing for _, standing in self._all(now)))

    def counted(self, found: Mapping[Standing, int]) -> LifeCounts:
        """Return the counts of given standings, with the stock's."""
        stages: Counter[LifeStage] = Counter()
        codes: Counter[ExceptionCode] = Counter()
        for (stage, code), sims in found.items():
            stages[stage] += sims
            if code is not None:
                codes[code] += sims
        return LifeCounts(sum(found.values()), stages, codes, stock_counts(self._db))

    def of(self, keys: Iterable[str], now: float) -> dict[str, SimLife]:
        """Return the lives of some old SIMs, by key.

        SIMs that the inventory does not hold are left out.
        """
        return {key: life for chunk in chunks(keys) for key, life in self._some(chunk, now)}

    def page(
        self,
        now: float,
        *,
        stage: LifeStage | None = None,
        code: ExceptionCode | None = None,
        after: str | None = None,
        limit: int = 100,
        max_age_s: float = 0.0,
    ) -> list[tuple[str, SimLife]]:
        """Return the next lives by key, each with its key.

        Args:
            now: UTC seconds.
            stage: only this stage; None for all. Cards of the stock are a stage of their own.
            code: only exceptions with this code.
            after: the key of the last life of the page before; None to begin.
            limit: most lives of the page.
            max_age_s: how old the choice of a stage or code may be; the lives themselves are always read anew.
        """
        if stage is LifeStage.IN_STOCK:
            return stock_lives(self._db, after or "", limit)
        if stage is None and code is None:
            return list(self.of(keys_after(self._db, after or "", limit), now).items())
        if self._kept is None or not 0.0 <= now - self._kept[0] <= max_age_s:
            self._kept = (now, list(self._all(now)))
        chosen = (key for key, standing in self._kept[1] if key > (after or "") and _fits(standing, stage, code))
        return list(self.of(islice(chosen, limit), now).items())

    def walk(
        self, now: float, *, stage: LifeStage | None = None, code: ExceptionCode | None = None
    ) -> Iterator[SimLife]:
        """Yield every life of a stage or code, sorted by key.

        The choice is that of one moment; the lives are read as they are when their turn comes. Of all SIMs, what few of
        them have (doubts, refusals, differences) is read once, as the walk begins.
        """
        if stage is None and code is None:
            yield from self._walk_all(now)
        else:
            yield from self.those(self.keys(now, stage=stage, code=code), now)

    def those(self, keys: Iterable[str], now: float) -> Iterator[SimLife]:
        """Yield the lives of some old SIMs, a thousand at a time.

        SIMs that the inventory does not hold are left out.
        """
        for chunk in chunks(keys):
            yield from (life for _, life in self._some(chunk, now))

    def _walk_all(self, now: float) -> Iterator[SimLife]:
        after, few = "", sides(self._db)
        while keys := keys_after(self._db, after, PAGE):
            yield from (life for _, life in self._some(keys, now, few))
            after = keys[-1]

    def standings(self, now: float) -> Iterator[tuple[str, Standing]]:
        """Yield key, stage and code of every old SIM, sorted by key.

        They are to be taken all at once: the read is open until then. `now` is in UTC seconds.
        """
        return self._all(now)

    def keys(self, now: float, *, stage: LifeStage | None = None, code: ExceptionCode | None = None) -> list[str]:
        """Return the keys of a stage or code, sorted."""
        return [key for key, standing in self._all(now) if _fits(standing, stage, code)]

    def stock(self) -> list[str]:
        """Return the keys of claimed cards without a unit, sorted."""
        return stock_keys(self._db)

    def set_aside(self) -> list[str]:
        """Return the keys of SIMs that an operator set aside."""
        return sorted(sides(self._db).aside)

    def _all(self, now: float) -> Iterator[tuple[str, Standing]]:
        """Yield key and standing of every old SIM, sorted by key.

        The caller takes them all at once: see `Database.each`.
        """
        few = sides(self._db)
        silent_s = now - self.silent_after_s
        for row in rows_of_all(self._db):
            yield row[0], _standing(_facts(row, few, silent_s))

    def _some(self, keys: Sequence[str], now: float, few: Sides | None = None) -> list[tuple[str, SimLife]]:
        few, more = sides(self._db, keys) if few is None else few, details(self._db, keys)
        silent_s = now - self.silent_after_s
        return [(row[0], _life(row, few, more, silent_s)) for row in rows_of_some(self._db, keys)]


def _fits(standing: Standing, stage: LifeStage | None, code: ExceptionCode | None) -> bool:
    return stage in {None, standing[0]} and code in {None, standing[1]}


def _facts(row: LifeRow, few: Sides, silent_s: float) -> Facts:
    """Return the facts of one SIM as plain values.

    They are in the order of `LifeFacts`. A fleet has few different ones: what they mean is looked up once.
    """
    key, status, target, present, org_id, device_id, state, claimed_at, connected_at, plan, stock_plan, noted, *more = (
        row
    )
    life, alive_s, _first, unit, old, old_used_on, off_at, back_at, overtaken, scanned_at = more
    is_ours = bool(present) and device_id is not None and (org_id is None or few.org_id in {None, org_id})
    is_claimed = target is not None and (is_ours or plan is not None or stock_plan is not None)
    claimed_s = _claimed_s(claimed_at, noted) if is_claimed else None
    seen_s = _seen_s(claimed_s, connected_at, alive_s)
    old_word, _, before = old.partition(_MORE) if old else ("", "", "")
    return (
        off_at is not None and (back_at is None or off_at > back_at),
        status in _OFF,
        back_at is not None and (off_at is None or back_at >= off_at) and not overtaken,
        _is_in_doubt(key, few, off_at, back_at, is_ours=is_ours),
        is_claimed,
        is_ours,
        key in few.refused,
        key in few.aside,
        state if present else None,
        seen_s is not None,
        unit,
        old_word == OldSide.SILENT._value_,
        old_word == OldSide.TALKS._value_ and _is_later(old_used_on, seen_s, scanned_at),
        before == "idle" and old_used_on is None and (life or "").partition(_MORE)[0] == Life.SILENT._value_,
        key in few.differing,
        claimed_s is not None and claimed_s <= silent_s,
        few.left.get(key),
    )


@lru_cache(maxsize=4096)
def _standing(facts: Facts) -> Standing:
    """Return what facts mean: see `life_of_facts`."""
    *told, state, is_alive, unit, old_is_silent, old_is_back, was_dead, differs, waits_long, left = facts
    action, reason = (None, None) if left is None else _LEFT[left]
    values = (
        *told,
        None if state is None else _STATES[state],
        is_alive,
        _UNITS.get(unit, Unit.NEVER_SEEN),
        old_is_silent,
        old_is_back,
        was_dead,
        differs,
        waits_long,
        action,
        reason,
    )
    return life_of_facts(LifeFacts(*values))


def _claimed_s(claimed_at: str | None, noted_s: float | None) -> float | None:
    """Return when a card was claimed.

    Its own record counts first, else our journal.
    """
    recorded_s = _moment_s(claimed_at) if claimed_at else None
    return noted_s if recorded_s is None else recorded_s


def _seen_s(claimed_s: float | None, connected_at: str | None, alive_s: float | None) -> float | None:
    """Return the last sign of life since the claim, as `core.cutover.rules.alive_at_s` does."""
    connected_s = _moment_s(connected_at) if connected_at and claimed_s is not None else None
    if connected_s is None or (claimed_s is not None and connected_s < claimed_s):
        return alive_s
    return connected_s if alive_s is None or connected_s > alive_s else alive_s


def _is_later(used_on: str | None, seen_s: float | None, scanned_s: float | None) -> bool:
    """True if the old SIM was used after the new one.

    That is on a day after the new SIM's last sign of life, or after the swap where it showed none.
    """
    since_s = scanned_s if seen_s is None else seen_s
    return used_on is not None and since_s is not None and used_on > _day(since_s)


def _is_in_doubt(key: str, few: Sides, off_at: float | None, back_at: float | None, *, is_ours: bool) -> bool:
    if key in few.claim_doubts and not is_ours:
        return True
    doubt_at = few.cutover_doubts.get(key)
    return doubt_at is not None and doubt_at >= max(off_at or 0.0, back_at or 0.0)


@lru_cache(maxsize=4096)
def _day(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).date().isoformat()


def _life(row: LifeRow, few: Sides, more: Details, silent_s: float) -> SimLife:
    """Return the life of one SIM, with its names and times."""
    facts = _facts(row, few, silent_s)
    stage, code = _standing(facts)
    known = named(row)
    key = known["key"]
    paired_s, source_iccid, target_iccid, *names = more.about[key]
    is_claimed = facts[_IS_CLAIMED]
    claimed_s = _claimed_s(known["claimed_at"], known["claim_noted_s"]) if is_claimed else None
    connected_s = _seen_s(claimed_s, known["connected_at"], None)
    first = [at_s for at_s in (known["first_alive_s"], known["proof_alive_s"], connected_s) if at_s is not None]
    alive_s = min(first, default=None) if is_claimed else None
    plan_no = known["claim_plan"] or known["stock_plan"] or more.newest_plan.get(key)
    times = more.times.get(key, Times())
    since_s = _since_s((stage, code), times, paired_s, claimed_s=claimed_s, alive_s=alive_s)
    plan_id = more.plan_ids.get(plan_no)
    values: Facts = (source_iccid, target_iccid, stage, code, since_s, *names, plan_id, claimed_s, alive_s)
    return SimLife(*values)


def _since_s(
    standing: Standing, times: Times, paired_s: float | None, *, claimed_s: float | None, alive_s: float | None
) -> float | None:
    """Return since when a SIM stands there, if known."""
    stage, code = standing
    if code is not None:
        switched_s = times.claimed_s if times.switched_s is None else times.switched_s
        by_code = {
            ExceptionCode.REFUSED: times.claimed_s,
            ExceptionCode.MISMATCH: times.judged_s,
            ExceptionCode.BLOCKED: times.planned_s,
            ExceptionCode.SILENT: claimed_s,
        }
        return by_code.get(code, switched_s if code in _BY_CUTOVER else times.proved_s)
    by_stage = {
        LifeStage.WAITING: paired_s,
        LifeStage.LEFT_ALONE: times.planned_s,
        LifeStage.CUT_OVER: alive_s if times.switched_s is None else times.switched_s,
        LifeStage.ALIVE: alive_s,
        LifeStage.RESTING: alive_s,
    }
    return by_stage.get(stage, claimed_s)


_BY_CUTOVER = frozenset({ExceptionCode.IN_DOUBT, ExceptionCode.ROLLED_BACK})
