"""Rounds of reading, settling, sending and judging.

Each round reads the SIMs, settles steps whose outcome was unknown, sends what is missing, and judges the SIMs. The
rounds end when there is nothing left to wait for.
"""

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from migrator.core.plan.plan import Action
from migrator.core.run.packing import slices
from migrator.core.run.steps import Item, Verdict, Verified
from migrator.core.run.verify import verify_item
from migrator.engine.apply.change import Changer
from migrator.engine.apply.guards import check_failures
from migrator.engine.apply.settle import settle_settings
from migrator.engine.run.context import Context
from migrator.engine.run.read_targets import Reader, by_our_clock, items_now, targets_of

__all__ = ["Converger"]

FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 300.0
SLICE = 2500
STUCK_AFTER_S = (1800.0, 86400.0)
"""Seconds of pending after which SIMs are reported as stuck.

The operator gets one report for each of the two times.
"""


@dataclass(slots=True)
class Converger:
    """Bring the claimed SIMs of a wave in line with the plan.

    Records and reports the verdicts.

    Args:
        changer: sends what is missing; None only reads (`verify`, a finished plan).
        is_finished: whether the plan was carried out before, so that every difference is drift.
        read_since: UTC seconds; a SIM that shows as planned in a read asked for since then is not read again.
        only: keys of the SIMs that are meant; None for all.
    """

    ctx: Context
    reader: Reader
    changer: Changer | None
    is_finished: bool = False
    read_since: float = math.inf
    only: Collection[str] | None = None
    _told_stuck: dict[float, int] = field(default_factory=dict, init=False)
    _waiting_since: dict[str, float] = field(default_factory=dict, init=False)

    async def converge(self, wave: str | None, *, wait_s: float, until: Callable[[], bool] = lambda: False) -> float:
        """Repeat rounds until waiting helps no SIM any more.

        Every SIM is then verified or has a difference that waiting does not mend. Polls start at 2 s and grow to 5 min;
        after `wait_s` the SIMs that are only pending are left pending.

        Args:
            wave: whose SIMs; None for all.
            wait_s: how long to stay for SIMs that are only pending.
            until: asked after each round whether the rest may be left for later.

        Returns: the seconds spent waiting.
        """
        waited_s = 0.0
        keys = await self._to_be_read(wave)
        pause_s = FIRST_PAUSE_S
        while keys:
            keys = await self._round(keys)
            left_s = wait_s - waited_s
            await self._tell_stuck(keys)
            if not keys or left_s <= 0 or until():
                break
            self.ctx.progress("waiting", {"sims": len(keys), "wave": wave, "left_s": round(left_s)})
            await self.ctx.stopper.sleep(min(pause_s, left_s))
            waited_s += min(pause_s, left_s)
            pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)
        return waited_s

    async def _to_be_read(self, wave: str | None) -> list[str]:
        """Return the keys of the SIMs that need a read.

        SIMs that this run has read and found as planned are judged by that read, and are left out.
        """
        keys: list[str] = []
        for run in slices(self.ctx.journal.items(self.ctx.plan_id, wave=wave), SLICE):
            await self.ctx.stopper.give_way()
            mine = [item for item in by_our_clock(run, self.ctx.now()) if self._is_of_interest(item)]
            read = [item for item in mine if (item.read_at or 0.0) >= self.read_since and not _hides_tags(item)]
            read = list(settle_settings(self.ctx, read))
            results = [self._verified(item) for item in read]
            seen = {result.key: result for result in results if result.verdict is Verdict.OK}
            self.ctx.journal.verified(self.ctx.plan_id, seen.values(), now=self.ctx.now())
            keys += [item.key for item in mine if item.key not in seen]
        return keys

    def _is_of_interest(self, item: Item) -> bool:
        """True if a round should handle the SIM.

        A run has nothing to do for SIMs that it has not claimed. A run that only reads handles these too. No run
        handles skipped SIMs.
        """
        if self.only is not None and item.key not in self.only:
            return False
        return not item.is_set_aside and (self.changer is None or not item.awaits_claim)

    async def _round(self, keys: Sequence[str]) -> list[str]:
        """Read and handle some SIMs once.

        Returns: the keys of the SIMs that are still pending.
        """
        await self._read(keys)
        pending: list[str] = []
        for start in range(0, len(keys), SLICE):
            await self.ctx.stopper.give_way()
            run = keys[start : start + SLICE]
            if self.changer is not None:
                await self.changer.send_missing(settle_settings(self.ctx, self._items(run)))
                check_failures(self.ctx)
            pending += self._judge(self._items(run))
        return pending

    async def _read(self, keys: Sequence[str]) -> None:
        runs = (self._items(keys[start : start + SLICE]) for start in range(0, len(keys), SLICE))
        await self.reader.read((target for run in runs for target in targets_of(run)), full=True)

    def _items(self, keys: Sequence[str]) -> Sequence[Item]:
        return items_now(self.ctx, keys)

    def _judge(self, items: Iterable[Item]) -> list[str]:
        results = [self._verified(item) for item in items]
        self.ctx.journal.verified(self.ctx.plan_id, results, now=self.ctx.now())
        self._tell(results)
        return [result.key for result in results if result.verdict is Verdict.PENDING]

    def _verified(self, item: Item) -> Verified:
        lag_s = None if self.is_finished else self.ctx.options.absent_after_s
        return verify_item(item, self.ctx.header.org_id, lag_s=lag_s)

    async def _tell_stuck(self, keys: Sequence[str]) -> None:
        """Report SIMs that are pending for half an hour or a day.

        Such SIMs may be stuck for good.
        """
        now = self.ctx.now()
        waiting: dict[str, float] = {}
        for start in range(0, len(keys), SLICE):
            await self.ctx.stopper.give_way()
            for item in self._items(keys[start : start + SLICE]):
                begun_at = now if item.begun_at is None else item.begun_at
                waiting[item.key] = min(self._waiting_since.get(item.key, now), begun_at)
        self._waiting_since = waiting
        for after_s in STUCK_AFTER_S:
            stuck = sum(since <= now - after_s for since in self._waiting_since.values())
            if stuck > self._told_stuck.get(after_s, 0):
                self._told_stuck[after_s] = stuck
                self.ctx.progress("stuck", {"sims": stuck, "minutes": round(after_s / 60)})

    def _tell(self, results: Sequence[Verified]) -> None:
        done = sum(result.verdict is not Verdict.PENDING for result in results)
        self.ctx.progress("verified", {"sims": done})


def _hides_tags(item: Item) -> bool:
    """True if the last read names no tags that matter.

    A look-up by ICCID names none: it shows no tag as missing. Tags that came along with the claim do not matter here.
    """
    brought = item.change.action is Action.CLAIM and not item.change.tags
    return item.target is not None and item.target.tags is None and not brought
