"""Bulk changes of SIMs that are ours.

Only what the record does not show yet is sent. `success: true` proves nothing for bulk changes, so their steps stay
UNCERTAIN until a later read shows the value. A SIM that the carrier has locked, or leaves alone, waits with growing
pauses.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from migrator.core.fleet.sims import LinkState
from migrator.core.plan.compare import same_zone
from migrator.core.run.doubts import SETTLING, Doubt
from migrator.core.run.states import StepEvent, StepKind, StepState
from migrator.core.run.steps import Item, Step
from migrator.engine.apply.guards import check_failures, too_many_failures
from migrator.engine.run.context import Context
from migrator.engine.run.send import keys_of, send
from migrator.errors import (
    InsufficientBalance,
    NotAuthorised,
    OutcomeUnknown,
    Permanent,
    Transient,
)
from migrator.ports import AddTag, Answer, RemoveTag, SetLimits, SetState

__all__ = ["Orders", "device_ids", "is_ours", "unproven"]

MOST_LOST = 20
"""Most orders in a row without an answer.

Then the run stops and can be resumed.
"""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 15.0, 300.0

BulkOrder = SetLimits | SetState | AddTag | RemoveTag
"""Bulk change that is halved when it is refused."""


@dataclass(slots=True)
class Orders:
    """Send bulk changes, and note what came of each SIM."""

    ctx: Context
    _lost_in_a_row: int = field(default=0, init=False)

    def may_send(self, item: Item, kind: StepKind) -> bool:
        """True if an order is due.

        A pause that would end later than any pause can was noted before the clock was set back, and does not count.
        """
        step, now = item.steps.get(kind), self.ctx.now()
        if step is None:
            return True
        rests = now < step.not_before <= now + LONGEST_PAUSE_S
        return step.state is StepState.PENDING and not rests

    async def bulk(
        self, kind: StepKind, items: Sequence[Item], order: BulkOrder, more: Collection[str] = ()
    ) -> frozenset[str]:
        """Send one bulk change.

        Afterwards each of its SIMs is unproven, to be tried again later, or refused for good; or, with its key in
        `more`, ready for the further orders of its step.

        Returns: the keys of the SIMs that the carrier says it changed.
        """
        try:
            answer = await send(self.ctx, kind, items, order, said=partial(unproven, items, more))
        except OutcomeUnknown as error:
            self.lost(error)
            return frozenset()  # the steps are UNCERTAIN already; the next read tells
        except (NotAuthorised, InsufficientBalance, Transient) as error:  # no word on these SIMs
            self.move(kind, StepEvent.REFUSED_FOR_NOW, keys_of(items, error.code, error.message))
            raise
        except Permanent as error:
            return await self._refused(kind, items, order, error.carrier_words or error.message, more)
        untouched = _untouched(items, answer)
        for item in items:
            if item.key in untouched:
                self._later(kind, item, untouched[item.key])
        taken = [item for item in items if item.key not in untouched]
        self.move(kind, StepEvent.MORE, keys_of([item for item in taken if item.key in more]))
        self.accepted(kind, [item for item in taken if item.key not in more])
        return frozenset(item.key for item in taken)

    def lost(self, error: OutcomeUnknown) -> None:
        """Count a lost answer, and stop after `MOST_LOST` in a row.

        Otherwise a gateway that never answers would be sent orders for a whole fleet.

        Raises: the error, after so many in a row.
        """
        self._lost_in_a_row += 1
        if self._lost_in_a_row >= MOST_LOST:
            raise error

    def accepted(self, kind: StepKind, items: Sequence[Item]) -> None:
        """Report an accepted order, which ends a row of lost answers."""
        self._lost_in_a_row = 0
        self.ctx.progress(kind.value, {"sims": len(items)})

    async def _refused(
        self, kind: StepKind, items: Sequence[Item], order: BulkOrder, words: str, more: Collection[str]
    ) -> frozenset[str]:
        """Halve a bulk change that was refused as a whole.

        The refused change did nothing. The halving goes down to the single SIMs that caused the refusal.

        Limits and state secure SIMs that are billed already. So once too many SIMs have failed, each batch still gets
        its one order, but no batch is halved any more; the run halts after that.
        """
        if len(items) == 1:
            self.move(kind, StepEvent.REFUSED_FOR_GOOD, keys_of(items, f"{kind.value}_refused", words))
            if kind in {StepKind.TAG, StepKind.UNTAG}:
                check_failures(self.ctx)
            return frozenset()
        self.move(kind, StepEvent.REFUSED_FOR_NOW, keys_of(items, f"{kind.value}_refused", words))
        if too_many_failures(self.ctx) is not None:
            return frozenset()
        half, taken = len(items) // 2, frozenset[str]()
        for part in (items[:half], items[half:]):
            taken |= await self.bulk(kind, part, replace(order, device_ids=device_ids(part)), more)
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
            self.move(kind, StepEvent.REFUSED_FOR_GOOD, {item.key: told})
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

    def move(self, kind: StepKind, event: StepEvent, keys: Mapping[str, tuple[str, str]]) -> None:
        """Move steps by one event, if there are any."""
        if keys:
            self.ctx.journal.move(self.ctx.plan_id, kind, event, keys, now=self.ctx.now())


def is_ours(ctx: Context, item: Item) -> bool:
    """True if an order may go to this SIM.

    The SIM must be on our organization, on the planned tariff, and still open.
    """
    target, change = item.target, item.change
    return (
        target is not None
        and target.is_held_by(ctx.header.org_id)
        and item.takes_orders
        and target.data_plan_id in {None, change.data_plan_id}
        and same_zone(target.zone, change.zone)
        and target.state not in {LinkState.RETIRED, LinkState.TEST, LinkState.UNKNOWN}
    )


def unproven(items: Sequence[Item], more: Collection[str], answer: Answer | Permanent) -> Mapping[str, tuple[str, str]]:
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


def device_ids(items: Sequence[Item]) -> list[int]:
    """Return the device ids of SIMs that have a device."""
    return [item.target.device_id for item in items if item.target is not None and item.target.device_id is not None]


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
