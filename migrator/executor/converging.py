"""Read, settle what was in doubt, send what is missing, judge; again until nothing is left to wait for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from migrator.core.journal import Item, Step, Verdict, Verified
from migrator.core.reconcile import differences, shows, verify_item
from migrator.core.states import StepEvent, StepKind, StepState
from migrator.executor.changing import MOST_ATTEMPTS, Changer
from migrator.executor.context import Context
from migrator.executor.guards import check_failures
from migrator.executor.observing import Reader, targets_of

__all__ = ["Converger"]

FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 300.0
SLICE = 2500
SETTINGS = (StepKind.LIMITS, StepKind.STATE, StepKind.TAG, StepKind.NAME)


@dataclass(slots=True)
class Converger:
    """Brings the claimed SIMs of a wave in line with the plan, and says what it found.

    Args:
        changer: sends what is missing; None only looks (`verify`, a finished plan).
        is_finished: whether the plan was carried out before, so that every difference is drift.
    """

    ctx: Context
    reader: Reader
    changer: Changer | None
    is_finished: bool = False

    async def converge(self, wave: str | None, *, wait_s: float) -> None:
        """Go round until every SIM is verified or has a difference that waiting does not mend.

        Polls start at 2 s and grow to 5 min; after `wait_s` what is only pending is left pending.
        """
        deadline = self.ctx.now() + wait_s
        keys = [item.key for item in self.ctx.journal.items(self.ctx.plan_id, wave=wave) if self._is_of_interest(item)]
        pause_s = FIRST_PAUSE_S
        while keys:
            keys = await self._round(keys)
            left_s = deadline - self.ctx.now()
            if not keys or left_s <= 0:
                return
            self.ctx.progress("waiting", {"sims": len(keys), "wave": wave, "left_s": round(left_s)})
            await self.ctx.stopper.sleep(min(pause_s, left_s))
            pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)

    def _is_of_interest(self, item: Item) -> bool:
        """A run that changes things has nothing to do for SIMs that it has not claimed; a look is at all of them."""
        return self.changer is None or not item.awaits_claim

    async def _round(self, keys: Sequence[str]) -> list[str]:
        """Read and handle some SIMs once. Returns: those that are pending still."""
        await self._read(keys)
        pending: list[str] = []
        for start in range(0, len(keys), SLICE):
            run = keys[start : start + SLICE]
            if self.changer is not None:
                self._probe(self._items(run))
                await self.changer.send_missing(self._items(run))
                check_failures(self.ctx)
            pending += self._judge(self._items(run))
        return pending

    async def _read(self, keys: Sequence[str]) -> None:
        targets = [
            target
            for start in range(0, len(keys), SLICE)
            for target in targets_of(self._items(keys[start : start + SLICE]))
        ]
        await self.reader.read(targets, full=True)

    def _items(self, keys: Sequence[str]) -> Sequence[Item]:
        return self.ctx.journal.items_by_key(self.ctx.plan_id, keys)

    def _judge(self, items: Iterable[Item]) -> list[str]:
        org_id = self.ctx.header.org_id
        lag_s = None if self.is_finished else self.ctx.options.absent_after_s
        results = [verify_item(item, org_id, lag_s=lag_s) for item in items]
        self.ctx.journal.verified(self.ctx.plan_id, results, now=self.ctx.now())
        self._tell(results)
        return [result.key for result in results if result.verdict is Verdict.PENDING]

    def _tell(self, results: Sequence[Verified]) -> None:
        done = sum(result.verdict is not Verdict.PENDING for result in results)
        self.ctx.progress("verified", {"sims": done})

    def _probe(self, items: Iterable[Item]) -> None:
        """Settle settings that were in doubt by what the read shows."""
        for item in items:
            if item.target is None or not item.target.is_claimed:
                continue
            findings = differences(item.change, item.target, self.ctx.header.org_id)
            for kind in SETTINGS:
                step = item.steps.get(kind)
                if step is None or step.state is not StepState.UNCERTAIN:
                    continue
                if shows(kind, findings):
                    self._move(kind, StepEvent.PROBED_PRESENT, item)
                elif not self._may_still_come(item, step):
                    self._gone(kind, item, step)

    def _may_still_come(self, item: Item, step: Step) -> bool:
        """Whether the order may yet take effect: the carrier is still moving the SIM, or its lag has not passed.

        Each further order is given more time, so that a carrier slower than we thought is not ordered for ever.
        """
        is_moving = item.target is not None and item.target.state.is_pending and step.kind is StepKind.STATE
        read_at = item.read_at or 0.0
        return is_moving or read_at < step.since + self.ctx.options.absent_after_s * step.attempts

    def _gone(self, kind: StepKind, item: Item, step: Step) -> None:
        if step.attempts >= MOST_ATTEMPTS:
            words = f"ordered {step.attempts} times, and the record never showed it"
            self._move(kind, StepEvent.PROBED_CONFLICT, item, (f"{kind.value}_not_applied", words))
        else:
            self._move(kind, StepEvent.PROBED_ABSENT, item)

    def _move(self, kind: StepKind, event: StepEvent, item: Item, told: tuple[str, str] = ("", "")) -> None:
        self.ctx.journal.move(self.ctx.plan_id, kind, event, {item.key: told}, now=self.ctx.now())
