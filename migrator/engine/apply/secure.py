"""Securing new SIMs: their limits, then their state.

A secured SIM cannot cost more than planned. Nothing else goes on before that.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from migrator.core.fleet.sims import LinkState, TargetLink
from migrator.core.plan.plan import Change, DesiredState
from migrator.core.policy.policy import LimitsTiming
from migrator.core.run.doubts import Doubt
from migrator.core.run.packing import allows_no_more, limit_groups, slices
from migrator.core.run.states import StepKind, StepState
from migrator.core.run.steps import Item, Step
from migrator.engine.apply.bulk import Orders, device_ids, is_ours
from migrator.engine.apply.settle import settle_settings, settles_at
from migrator.engine.run.context import Context
from migrator.engine.run.read_targets import Reader, items_now, targets_of
from migrator.ports import SetLimits, SetState

__all__ = ["Securer"]

FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 60.0
SLICE = 2500


@dataclass(slots=True)
class Securer:
    """Secure claimed SIMs, and stay with SIMs that may lack a limit.

    Where limits are part of the claim, no SIM is live without a limit. With `limits = "after_claim"` the limits follow
    the claim: the SIM is free to use what it likes until the order of its limits is through. An accepted order is
    trusted until the wave is verified, as securing should cost no more than one request for each batch. An order that
    was lost, or met a lock, is not trusted.
    """

    ctx: Context
    reader: Reader
    orders: Orders = field(init=False)
    _look_at: dict[str, float] = field(default_factory=dict, init=False)  # SIMs in doubt, and when they are due
    _lost: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self.orders = Orders(self.ctx)

    async def secure(self, items: Sequence[Item]) -> None:
        """Send the limits and states of SIMs that are ours.

        Raises: NotAuthorised, Transient and kin, with everything on disk.
        """
        await self._send_missing(items)
        await self.follow_up(items)

    async def follow_up(self, items: Sequence[Item] = ()) -> None:
        """Wait until the limits of these SIMs take effect.

        SIMs with limits whose outcome was unknown before are included. Stays while an order is lost. A locked SIM is
        read again with a later call, once that read is due: the rest of the plan goes on.

        Raises: as a read and an order do; what is unknown then stays so, on disk.
        """
        if self.ctx.policy.claim.limits is not LimitsTiming.AFTER_CLAIM:
            return
        self._note([item.key for item in items])
        pause_s = FIRST_PAUSE_S
        while True:
            now = self.ctx.now()
            for run in slices(sorted(key for key, at in self._look_at.items() if at <= now), SLICE):
                await self.ctx.stopper.give_way()
                await self._look_again(run)
            if not self._lost:
                return
            self.ctx.progress("securing", {"sims": len(self._lost)})
            await self.ctx.stopper.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _look_again(self, keys: Sequence[str]) -> None:
        await self.reader.read(targets_of(self._note(keys)), full=False)
        await self._send_missing(settle_settings(self.ctx, self._note(keys)))
        self._note(keys)

    async def _send_missing(self, items: Iterable[Item]) -> None:
        """Send what keeps a new SIM from costing more than planned.

        The limits go first, then the state.
        """
        ours = [item for item in items if is_ours(self.ctx, item)]
        await self._limits(ours)
        await self._states(ours)

    async def _limits(self, items: Sequence[Item]) -> None:
        ready = [item for item in items if self.orders.may_send(item, StepKind.LIMITS)]
        for group in limit_groups(ready, most=self.ctx.options.batch):
            order = SetLimits(device_ids(group.items), group.overage_limit_bytes, group.sms_limit)
            await self.orders.bulk(StepKind.LIMITS, group.items, order)

    async def _states(self, items: Sequence[Item]) -> None:
        for state in DesiredState:
            ready = [item for item in items if self.orders.may_send(item, StepKind.STATE) and _may_become(item, state)]
            for group in slices(ready, self.ctx.options.batch):
                await self.orders.bulk(StepKind.STATE, group, SetState(device_ids(group), state))

    def _note(self, keys: Sequence[str]) -> list[Item]:
        """Note the SIMs whose limits have an unknown outcome now.

        Returns: those SIMs.
        """
        self._lost.difference_update(keys)
        for key in keys:
            self._look_at.pop(key, None)
        items = items_now(self.ctx, keys)
        doubtful = [item for item in items if item.takes_orders and _is_open(item.steps.get(StepKind.LIMITS))]
        for item in doubtful:
            step = item.steps[StepKind.LIMITS]
            if not _is_lost(step):
                self._look_at[item.key] = self._due_at(step)
            elif item.target is not None and item.target.is_held_by(self.ctx.header.org_id):
                self._look_at[item.key] = 0.0
                self._lost.add(item.key)
            else:  # one read did not show it; nothing waits for what may be gone
                self._look_at[item.key] = settles_at(self.ctx, step)
        return doubtful

    def _due_at(self, step: Step) -> float:
        return step.not_before if step.state is StepState.PENDING else settles_at(self.ctx, step)


def _is_open(step: Step | None) -> bool:
    """True if an order of limits may still have to take effect.

    A refused order is left to the converger.
    """
    if step is None:
        return False
    was_left_alone = step.state is StepState.PENDING and step.doubt in {Doubt.LOCKED, Doubt.LEFT_ALONE}
    return was_left_alone or (step.state is StepState.UNCERTAIN and step.doubt is not Doubt.UNPROVEN)


def _is_lost(step: Step) -> bool:
    return step.state is StepState.UNCERTAIN and step.doubt not in {Doubt.UNPROVEN, Doubt.LOCKED}


def _may_become(item: Item, state: DesiredState) -> bool:
    """True if an order to `state` is due.

    The state is planned, the SIM is not in that state yet, and the link takes orders. A paused link is made live only
    once its record shows limits that allow no more than planned.
    """
    if item.change.state is not state or item.target is None:
        return False
    if state is DesiredState.PAUSE:
        return item.target.state is LinkState.LIVE
    return item.target.state is LinkState.PAUSED_USER and _is_limited(item.change, item.target)


def _is_limited(change: Change, target: TargetLink) -> bool:
    limits = ((change.overage_limit_bytes, target.overage_limit_bytes), (change.sms_limit, target.sms_limit))
    return all(allows_no_more(observed, planned) for planned, observed in limits)
