"""Limits, state, tag and name of SIMs that are ours.

Only what the record does not show yet is sent. `success: true` proves nothing for bulk changes, so their steps stay
UNCERTAIN until a later read shows the value. A SIM that the carrier has locked, or leaves alone, waits with growing
pauses.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import anyio

from migrator.core.fleet.sims import LinkState, TargetLink
from migrator.core.plan.compare import same_zone, stock_tag_left
from migrator.core.plan.plan import Change, DesiredState
from migrator.core.run.doubts import SETTLING, Doubt
from migrator.core.run.gates import failures_left
from migrator.core.run.packing import allows_no_more, limit_groups, name_groups, slices
from migrator.core.run.states import StepEvent, StepKind, StepState
from migrator.core.run.steps import Item, Step
from migrator.engine.apply.guards import check_failures, too_many_failures
from migrator.engine.run.context import Context
from migrator.engine.run.send import keys_of, send
from migrator.errors import (
    InsufficientBalance,
    Interrupted,
    MigratorError,
    NotAuthorised,
    OutcomeUnknown,
    Permanent,
    Transient,
    Unforeseen,
)
from migrator.ports import AddTag, Answer, RemoveTag, SetLimits, SetName, SetNames, SetState

__all__ = ["Changer"]

MOST_LOST = 20
"""Most orders in a row without an answer.

Then the run stops and can be resumed.
"""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 15.0, 300.0


async def _trusting(_items: Sequence[Item]) -> None:
    """Do nothing: a later read checks what was sent."""


_BulkOrder = SetLimits | SetState | AddTag | RemoveTag
"""Bulk change that is halved when it is refused."""


@dataclass(slots=True)
class Changer:
    """Send the changes that are missing.

    Args:
        tag_id: the plan's tag; None for none.
        bulk_names: whether equal names may go out in one call; set to False when the carrier refuses such a call.
        stock_tag_id: the tag that cards of the stock lose once they have a unit; None for none.
        copied_tags: the ids of the old SIMs' tags that go along, by name.
        follow_up: awaited after limits and states were sent, before anything else is sent; waits until they take
            effect.
    """

    ctx: Context
    tag_id: int | None
    bulk_names: bool
    stock_tag_id: int | None = None
    copied_tags: Mapping[str, int] = field(default_factory=dict)
    follow_up: Callable[[Sequence[Item]], Awaitable[None]] = _trusting
    _trouble: MigratorError | Interrupted | None = field(default=None, init=False)
    _lost_in_a_row: int = field(default=0, init=False)

    async def send_missing(self, items: Iterable[Item]) -> None:
        """Send what differs from the record and may be sent now.

        The order is limits, state, tags, name.

        Raises: NotAuthorised, Transient and kin, with everything on disk.
        """
        ours = [item for item in items if self._is_ours(item)]
        await self.secure(ours)
        await self.follow_up(ours)
        check_failures(self.ctx)
        await self._tags(ours)
        await self._untag([item for item in ours if _bears_stock_tag(item)])
        await self._names(ours)

    def _is_ours(self, item: Item) -> bool:
        """True if an order may go to this SIM.

        The SIM must be on our organization, on the planned tariff, and still open.
        """
        target, change = item.target, item.change
        return (
            target is not None
            and target.is_held_by(self.ctx.header.org_id)
            and item.takes_orders
            and target.data_plan_id in {None, change.data_plan_id}
            and same_zone(target.zone, change.zone)
            and target.state not in {LinkState.RETIRED, LinkState.TEST, LinkState.UNKNOWN}
        )

    async def secure(self, items: Iterable[Item]) -> None:
        """Send what keeps a new SIM from costing more than planned.

        The limits go first, then the state.
        """
        ours = [item for item in items if self._is_ours(item)]
        await self._limits(ours)
        await self._states(ours)

    def _may_send(self, item: Item, kind: StepKind) -> bool:
        """True if an order is due.

        A pause that would end later than any pause can was noted before the clock was set back, and does not count.
        """
        step, now = item.steps.get(kind), self.ctx.now()
        if step is None:
            return True
        rests = now < step.not_before <= now + LONGEST_PAUSE_S
        return step.state is StepState.PENDING and not rests

    async def _limits(self, items: Sequence[Item]) -> None:
        ready = [item for item in items if self._may_send(item, StepKind.LIMITS)]
        for group in limit_groups(ready, most=self.ctx.options.batch):
            order = SetLimits(_device_ids(group.items), group.overage_limit_bytes, group.sms_limit)
            await self._bulk(StepKind.LIMITS, group.items, order)

    async def _states(self, items: Sequence[Item]) -> None:
        for state in DesiredState:
            ready = [item for item in items if self._may_send(item, StepKind.STATE) and _may_become(item, state)]
            for group in slices(ready, self.ctx.options.batch):
                await self._bulk(StepKind.STATE, group, SetState(_device_ids(group), state))

    async def _tags(self, items: Sequence[Item]) -> None:
        """Put the tags on SIMs that their records lack.

        A SIM that lacks several gets one after the other, and its step ends with the last: adding a tag once more
        does no harm. One whose order went wrong gets no further tag before a read.
        """
        own = self.ctx.policy.claim.tag
        ids = dict(self.copied_tags) | ({} if own is None or self.tag_id is None else {own: self.tag_id})
        lacking = {
            item.key: tags for item in items if self._may_send(item, StepKind.TAG) and (tags := _lacking(item, ids))
        }
        for tag, tag_id in ids.items():
            bearers = [item for item in items if tag in lacking.get(item.key, ())]
            for group in slices(bearers, self.ctx.options.batch):
                more = {item.key for item in group if lacking[item.key][-1] != tag}
                taken = await self._bulk(StepKind.TAG, group, AddTag(tag_id, _device_ids(group)), more)
                for item in group:
                    if item.key not in taken:
                        del lacking[item.key]

    async def _untag(self, items: Sequence[Item]) -> None:
        if self.stock_tag_id is None:
            return
        ready = [item for item in items if self._may_send(item, StepKind.UNTAG)]
        for group in slices(ready, self.ctx.options.batch):
            await self._bulk(StepKind.UNTAG, group, RemoveTag(self.stock_tag_id, _device_ids(group)))

    async def _names(self, items: Sequence[Item]) -> None:
        ready = [item for item in items if self._may_send(item, StepKind.NAME)]
        single: list[tuple[str, Item]] = []
        for name, group in name_groups(ready, most=self.ctx.options.batch):
            if len(group) > 1 and self.bulk_names and await self._shared_name(name, group):
                continue
            single += [(name, item) for item in group]
        await self._one_by_one(single)

    async def _shared_name(self, name: str, group: Sequence[Item]) -> bool:
        """Give several SIMs the same name in one call.

        Returns: False where the organization lacks the feature.
        """
        try:
            order = SetNames(_device_ids(group), name)
            await send(self.ctx, StepKind.NAME, group, order, said=partial(_unproven, group, ()))
        except OutcomeUnknown as error:
            self._lost(error)
            return True
        except (InsufficientBalance, Transient) as error:
            self._move(StepKind.NAME, StepEvent.REFUSED_FOR_NOW, keys_of(group, error.code, error.message))
            raise
        except Permanent as error:  # what an organization without the feature answers is unknown (reference, 5.4)
            self._move(StepKind.NAME, StepEvent.REFUSED_FOR_NOW, keys_of(group, error.code, error.message))
            self.bulk_names = False
            return False
        self._accepted(StepKind.NAME, group)
        return True

    async def _bulk(
        self, kind: StepKind, items: Sequence[Item], order: _BulkOrder, more: Collection[str] = ()
    ) -> frozenset[str]:
        """Send one bulk change.

        Afterwards each of its SIMs is unproven, to be tried again later, or refused for good; or, with its key in
        `more`, ready for the further orders of its step.

        Returns: the keys of the SIMs that the carrier says it changed.
        """
        try:
            answer = await send(self.ctx, kind, items, order, said=partial(_unproven, items, more))
        except OutcomeUnknown as error:
            self._lost(error)
            return frozenset()  # the steps are UNCERTAIN already; the next read tells
        except (NotAuthorised, InsufficientBalance, Transient) as error:  # no word on these SIMs
            self._move(kind, StepEvent.REFUSED_FOR_NOW, keys_of(items, error.code, error.message))
            raise
        except Permanent as error:
            return await self._refused(kind, items, order, error.carrier_words or error.message, more)
        untouched = _untouched(items, answer)
        for item in items:
            if item.key in untouched:
                self._later(kind, item, untouched[item.key])
        taken = [item for item in items if item.key not in untouched]
        self._move(kind, StepEvent.MORE, keys_of([item for item in taken if item.key in more]))
        self._accepted(kind, [item for item in taken if item.key not in more])
        return frozenset(item.key for item in taken)

    def _lost(self, error: OutcomeUnknown) -> None:
        """Count a lost answer, and stop after `MOST_LOST` in a row.

        Otherwise a gateway that never answers would be sent orders for a whole fleet.

        Raises: the error, after so many in a row.
        """
        self._lost_in_a_row += 1
        if self._lost_in_a_row >= MOST_LOST:
            raise error

    def _accepted(self, kind: StepKind, items: Sequence[Item]) -> None:
        self._lost_in_a_row = 0
        self.ctx.progress(kind.value, {"sims": len(items)})

    async def _refused(
        self, kind: StepKind, items: Sequence[Item], order: _BulkOrder, words: str, more: Collection[str]
    ) -> frozenset[str]:
        """Halve a bulk change that was refused as a whole.

        The refused change did nothing. The halving goes down to the single SIMs that caused the refusal.

        Limits and state secure SIMs that are billed already. So once too many SIMs have failed, each batch still gets
        its one order, but no batch is halved any more; the run halts after that.
        """
        if len(items) == 1:
            self._move(kind, StepEvent.REFUSED_FOR_GOOD, keys_of(items, f"{kind.value}_refused", words))
            if kind in {StepKind.TAG, StepKind.UNTAG}:
                check_failures(self.ctx)
            return frozenset()
        self._move(kind, StepEvent.REFUSED_FOR_NOW, keys_of(items, f"{kind.value}_refused", words))
        if too_many_failures(self.ctx) is not None:
            return frozenset()
        half, taken = len(items) // 2, frozenset[str]()
        for part in (items[:half], items[half:]):
            taken |= await self._bulk(kind, part, replace(order, device_ids=_device_ids(part)), more)
        return taken

    def _later(self, kind: StepKind, item: Item, words: str) -> None:
        """Try a SIM again later that the reply left alone.

        The pause before the next try grows. In the end the step fails, unless the carrier's lock is the reason.
        """
        step, now = item.steps.get(kind, Step(kind, StepState.PENDING)), self.ctx.now()
        attempts = step.attempts + 1
        settling, says_something = SETTLING[Doubt.LEFT_ALONE], step.doubt is not Doubt.LOCKED and not item.is_locked
        if says_something and settling.is_over(kind, attempts):
            told = settling.ending(kind, attempts, Doubt.LEFT_ALONE, words)
            self._move(kind, StepEvent.REFUSED_FOR_GOOD, {item.key: told})
            return
        pause_s = min(FIRST_PAUSE_S * 2 ** (attempts - 1), LONGEST_PAUSE_S)
        self.ctx.journal.move(
            self.ctx.plan_id,
            kind,
            StepEvent.REFUSED_FOR_NOW,
            {item.key: (Doubt.LOCKED if item.is_locked else Doubt.LEFT_ALONE, words)},
            now=now,
            not_before=now + pause_s,
        )

    async def _one_by_one(self, named: Sequence[tuple[str, Item]]) -> None:
        """PUT names, several in flight.

        Trouble that concerns all SIMs stops each worker after its own request. The number in flight is at most the
        number of failures that are still allowed, plus one: when a bound is passed, no request is left in flight.
        """
        self._trouble = None
        todo = iter(named)
        in_flight = anyio.CapacityLimiter(self._most_in_flight())

        async def worker() -> None:
            for name, item in todo:
                async with in_flight:
                    if self._trouble is not None or self.ctx.stopper.is_stopping:
                        return
                    try:
                        if not await self._name_one(name, item):
                            in_flight.total_tokens = self._most_in_flight()
                    except (MigratorError, Interrupted) as error:  # the others in flight come home before it is told
                        self._trouble = error

        async with anyio.create_task_group() as tasks:
            for _ in range(min(self.ctx.options.workers, len(named))):
                tasks.start_soon(worker)
        if self._trouble is not None:
            raise self._trouble
        self.ctx.stopper.check()

    def _most_in_flight(self) -> int:
        left = failures_left(self.ctx.journal.failures(self.ctx.plan_id), self.ctx.policy.gates)
        return min(self.ctx.options.workers, left + 1)

    async def _name_one(self, name: str, item: Item) -> bool:
        """Name one SIM.

        Returns: False, if the name was refused for good.
        """
        order = SetName(_device_ids([item])[0], name)
        try:
            await send(self.ctx, StepKind.NAME, [item], order, proves=True)
        except Unforeseen:
            return True  # says nothing of the gateway, and is bounded SIM by SIM
        except OutcomeUnknown as error:
            self._lost(error)
            return True
        except (NotAuthorised, InsufficientBalance, Transient) as error:
            self._move(StepKind.NAME, StepEvent.REFUSED_FOR_NOW, keys_of([item], error.code, error.message))
            raise
        except Permanent as error:
            words = error.carrier_words or error.message
            self._move(StepKind.NAME, StepEvent.REFUSED_FOR_GOOD, keys_of([item], "name_refused", words))
            check_failures(self.ctx)
            return False
        self._lost_in_a_row = 0
        self.ctx.progress("name", {"sims": 1})
        return True

    def _move(self, kind: StepKind, event: StepEvent, keys: Mapping[str, tuple[str, str]]) -> None:
        if keys:
            self.ctx.journal.move(self.ctx.plan_id, kind, event, keys, now=self.ctx.now())


def _unproven(
    items: Sequence[Item], more: Collection[str], answer: Answer | Permanent
) -> Mapping[str, tuple[str, str]]:
    """Return code and words of SIMs that an answer calls changed.

    Args:
        items: the SIMs of the order.
        more: keys of SIMs whose step has further orders.
        answer: what came back; a refusal says nothing of any SIM.
    """
    if isinstance(answer, Permanent):
        return {}
    left = {*more, *_untouched(items, answer)}
    return {
        item.key: (Doubt.LOCKED, "accepted while the carrier had the SIM locked")
        if item.is_locked
        else (Doubt.UNPROVEN, "accepted; the record has yet to show it")
        for item in items
        if item.key not in left
    }


def _device_ids(items: Sequence[Item]) -> list[int]:
    return [item.target.device_id for item in items if item.target is not None and item.target.device_id is not None]


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


def _lacking(item: Item, ids: Mapping[str, int]) -> list[str]:
    """Return the planned tags that a record lacks."""
    tags = item.target.tags if item.target is not None else None
    return [] if tags is None else [tag for tag in ids if tag in item.change.all_tags and tag not in tags]


def _bears_stock_tag(item: Item) -> bool:
    return item.target is not None and stock_tag_left(item.change, item.target) is not None


def _untouched(items: Sequence[Item], answer: Answer) -> dict[str, str]:
    """Return SIMs that the answer says it left alone, with its words.

    Empty where the answer names no single devices.
    """
    if answer.modified is None:
        return {}
    left_alone = {}
    for item in items:
        device_id = item.target.device_id if item.target is not None else None
        if device_id is not None and device_id not in answer.modified:
            left_alone[item.key] = answer.warnings.get(device_id, "the reply does not list it as modified")
    return left_alone
