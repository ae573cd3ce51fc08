"""What keeps a new SIM from costing more than planned: its limits, then its state, before anything else goes on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from migrator.core.journal import Item, Step
from migrator.core.policy import LimitsTiming
from migrator.core.states import StepKind, StepState
from migrator.executor.changing import LEFT_ALONE, LOCKED, UNPROVEN, Changer
from migrator.executor.context import Context
from migrator.executor.observing import Reader, targets_of
from migrator.executor.settling import settle_settings, settles_at

__all__ = ["Securer"]

FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 60.0


@dataclass(slots=True)
class Securer:
    """Secures claimed SIMs, and stays with those that may be live without a limit.

    Where limits ride on the claim there are none. Where they follow it (`limits = "after_claim"`), the claim left the
    SIM free to use what it likes until its order is through. An accepted one is trusted until the wave is verified, as
    it should cost no more than one request for each batch; one that was lost, or met a lock, is not.
    """

    ctx: Context
    reader: Reader
    changer: Changer
    _in_doubt: set[str] = field(default_factory=set, init=False)

    async def secure(self, items: Sequence[Item]) -> None:
        """Send the limits and states of SIMs that are ours. Raises: as `Changer.send_missing`."""
        await self.changer.secure(items)
        await self.follow_up([item.key for item in items])

    async def follow_up(self, keys: Iterable[str] = ()) -> None:
        """See to it that the limits of these SIMs, and of those that were in doubt before, come through.

        Stays while an order is lost. A locked SIM is looked at again with the next call: the rest of the plan goes on.

        Raises: as a read and an order do; what is in doubt stays so, on disk.
        """
        if self.ctx.policy.claim.limits is not LimitsTiming.AFTER_CLAIM:
            return
        self._in_doubt.update(keys)
        pause_s = FIRST_PAUSE_S
        while doubtful := self._doubtful():
            due = [item for item in doubtful if self._is_due(item.steps[StepKind.LIMITS])]
            if due:
                await self.reader.read(targets_of(due), full=False)
                await self.changer.secure(settle_settings(self.ctx, self._doubtful()))
            if not any(_is_lost(item.steps[StepKind.LIMITS]) for item in self._doubtful()):
                return
            await self.ctx.stopper.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def _doubtful(self) -> list[Item]:
        """Those in doubt, as they are now; the others are forgotten."""
        items = self.ctx.journal.items_by_key(self.ctx.plan_id, sorted(self._in_doubt)) if self._in_doubt else ()
        doubtful = [item for item in items if self._is_ours(item) and _is_open(item.steps.get(StepKind.LIMITS))]
        self._in_doubt = {item.key for item in doubtful}
        return doubtful

    def _is_ours(self, item: Item) -> bool:
        return item.target is not None and item.target.is_held_by(self.ctx.header.org_id) and item.takes_orders

    def _is_due(self, step: Step) -> bool:
        if step.state is StepState.PENDING:
            return step.not_before <= self.ctx.now()
        return _is_lost(step) or settles_at(self.ctx, step) <= self.ctx.now()


def _is_open(step: Step | None) -> bool:
    """Whether an order of limits may not have come through, and may yet. One that was refused is the converger's."""
    if step is None:
        return False
    was_left_alone = step.state is StepState.PENDING and step.code in {LOCKED, LEFT_ALONE}
    return was_left_alone or (step.state is StepState.UNCERTAIN and step.code != UNPROVEN)


def _is_lost(step: Step) -> bool:
    return step.state is StepState.UNCERTAIN and step.code not in {UNPROVEN, LOCKED}
