"""Tags and names of SIMs that are ours.

They come after limits and state. A tag is reused by its exact name, else made, once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import anyio

from migrator.core.plan.compare import stock_tag_left
from migrator.core.plan.plan import Action
from migrator.core.run.gates import failures_left
from migrator.core.run.packing import name_groups, slices
from migrator.core.run.states import StepEvent, StepKind
from migrator.core.run.steps import Item
from migrator.engine.apply.bulk import Orders, device_ids, is_ours, unproven
from migrator.engine.apply.guards import check_failures
from migrator.engine.apply.secure import Securer
from migrator.engine.run.context import Context
from migrator.engine.run.send import keys_of, send
from migrator.errors import (
    Halted,
    InsufficientBalance,
    Interrupted,
    MigratorError,
    NotAuthorised,
    OutcomeUnknown,
    Permanent,
    Transient,
    Unforeseen,
)
from migrator.ports import AddTag, MakeTag, RemoveTag, SetName, SetNames

__all__ = ["Changer", "copied_tag_ids_of", "stock_tag_id_of", "tag_id_of"]

ACTIONS = (Action.CLAIM, Action.ADOPT, Action.UPDATE)


@dataclass(slots=True)
class Changer:
    """Send the changes that are missing.

    Args:
        securer: sends limits and state, before anything else is sent, and sees limits through.
        tag_id: the plan's tag; None for none.
        bulk_names: whether equal names may go out in one call; set to False when the carrier refuses such a call.
        stock_tag_id: the tag that cards of the stock lose once they have a unit; None for none.
        copied_tags: the ids of the old SIMs' tags that go along, by name.
    """

    ctx: Context
    securer: Securer
    tag_id: int | None
    bulk_names: bool
    stock_tag_id: int | None = None
    copied_tags: Mapping[str, int] = field(default_factory=dict)
    _trouble: MigratorError | Interrupted | None = field(default=None, init=False)

    @property
    def _orders(self) -> Orders:
        return self.securer.orders

    async def send_missing(self, items: Iterable[Item]) -> None:
        """Send what differs from the record and may be sent now.

        The order is limits, state, tags, name.

        Raises: NotAuthorised, Transient and kin, with everything on disk.
        """
        ours = [item for item in items if is_ours(self.ctx, item)]
        await self.securer.secure(ours)
        check_failures(self.ctx)
        await self._tags(ours)
        await self._untag([item for item in ours if _bears_stock_tag(item)])
        await self._names(ours)

    async def _tags(self, items: Sequence[Item]) -> None:
        """Put the tags on SIMs that their records lack.

        A SIM that lacks several gets one after the other, and its step ends with the last: adding a tag once more
        does no harm. One whose order went wrong gets no further tag before a read.
        """
        own = self.ctx.policy.claim.tag
        ids = dict(self.copied_tags) | ({} if own is None or self.tag_id is None else {own: self.tag_id})
        lacking = {
            item.key: tags
            for item in items
            if self._orders.may_send(item, StepKind.TAG) and (tags := _lacking(item, ids))
        }
        for tag, tag_id in ids.items():
            bearers = [item for item in items if tag in lacking.get(item.key, ())]
            for group in slices(bearers, self.ctx.options.batch):
                more = {item.key for item in group if lacking[item.key][-1] != tag}
                taken = await self._orders.bulk(StepKind.TAG, group, AddTag(tag_id, device_ids(group)), more)
                for item in group:
                    if item.key not in taken:
                        del lacking[item.key]

    async def _untag(self, items: Sequence[Item]) -> None:
        if self.stock_tag_id is None:
            return
        ready = [item for item in items if self._orders.may_send(item, StepKind.UNTAG)]
        for group in slices(ready, self.ctx.options.batch):
            await self._orders.bulk(StepKind.UNTAG, group, RemoveTag(self.stock_tag_id, device_ids(group)))

    async def _names(self, items: Sequence[Item]) -> None:
        ready = [item for item in items if self._orders.may_send(item, StepKind.NAME)]
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
            order = SetNames(device_ids(group), name)
            await send(self.ctx, StepKind.NAME, group, order, said=partial(unproven, group, ()))
        except OutcomeUnknown as error:
            self._orders.lost(error)
            return True
        except (InsufficientBalance, Transient) as error:
            self._orders.move(StepKind.NAME, StepEvent.REFUSED_FOR_NOW, keys_of(group, error.code, error.message))
            raise
        except Permanent as error:  # what an organization without the feature answers is unknown (reference, 5.4)
            self._orders.move(StepKind.NAME, StepEvent.REFUSED_FOR_NOW, keys_of(group, error.code, error.message))
            self.bulk_names = False
            return False
        self._orders.accepted(StepKind.NAME, group)
        return True

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
        order = SetName(device_ids([item])[0], name)
        try:
            await send(self.ctx, StepKind.NAME, [item], order, proves=True)
        except Unforeseen:
            return True  # says nothing of the gateway, and is bounded SIM by SIM
        except OutcomeUnknown as error:
            self._orders.lost(error)
            return True
        except (NotAuthorised, InsufficientBalance, Transient) as error:
            self._orders.move(StepKind.NAME, StepEvent.REFUSED_FOR_NOW, keys_of([item], error.code, error.message))
            raise
        except Permanent as error:
            words = error.carrier_words or error.message
            self._orders.move(StepKind.NAME, StepEvent.REFUSED_FOR_GOOD, keys_of([item], "name_refused", words))
            check_failures(self.ctx)
            return False
        self._orders.accepted(StepKind.NAME, [item])
        return True


def _lacking(item: Item, ids: Mapping[str, int]) -> list[str]:
    """Return the planned tags that a record lacks."""
    tags = item.target.tags if item.target is not None else None
    return [] if tags is None else [tag for tag in ids if tag in item.change.all_tags and tag not in tags]


def _bears_stock_tag(item: Item) -> bool:
    return item.target is not None and stock_tag_left(item.change, item.target) is not None


# --- ids of tags --------------------------------------------------------------------------------------------------


async def tag_id_of(ctx: Context) -> int | None:
    """Return the id of the plan's tag, or None.

    None where the plan has no tag, or nothing to put the tag on.

    Raises: Halted, if Hologram will not make the tag; OutcomeUnknown, if nobody knows whether Hologram made the tag.
    """
    name = ctx.policy.claim.tag
    if name is None or not any(ctx.header.counts.get(action, 0) for action in ACTIONS):
        return None
    known = await _known(ctx, name)
    return known if known is not None else await _made(ctx, name)


async def copied_tag_ids_of(ctx: Context) -> Mapping[str, int]:
    """Return the ids of the old SIMs' tags, by name.

    Empty where the plan copies none. The plan bounds their number.

    Raises: as `tag_id_of`.
    """
    names: list[str] = ctx.header.summary.get("copied_tags", [])
    if not names:
        return {}
    known = {tag.name: tag.tag_id for tag in await ctx.target.tags()}
    return {name: known[name] if name in known else await _made(ctx, name) for name in names}


async def stock_tag_id_of(ctx: Context) -> int | None:
    """Return the id of the stock's tag, or None.

    None where no SIM of the plan was claimed before, or Hologram has no such tag.
    """
    name = ctx.policy.stock.tag
    if name is None or not ctx.header.counts.get(Action.UPDATE, 0):
        return None
    return await _known(ctx, name)


async def _known(ctx: Context, name: str) -> int | None:
    return next((tag.tag_id for tag in await ctx.target.tags() if tag.name == name), None)


async def _made(ctx: Context, name: str) -> int:
    try:
        answer = await send(ctx, StepKind.TAG, (), MakeTag(name))
    except OutcomeUnknown:
        known = await _known(ctx, name)
        if known is None:
            raise  # a resume looks again, and makes it only if it is not there then
        return known
    except NotAuthorised:
        raise
    except Permanent as error:
        raise Halted(
            f"Hologram will not make the tag {name!r}: {error.carrier_words or error.message}; nothing was claimed",
            code="tag_refused",
            hint="make the tag in Hologram's dashboard and run the same command again, or set [claim] tag to another "
            'name ("" is no tag), or tags = "leave", and make a new plan',
        ) from error
    assert answer.tag is not None  # noqa: S101 - MakeTag is answered with its tag
    return answer.tag.tag_id
