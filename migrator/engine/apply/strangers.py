"""SIMs that another copy of this store has claimed.

These SIMs are ours and carry our tag, but this store never sent anything for them. A store that was restored from an
older copy does not know what was done since. To bring such SIMs to what the plan says would undo that work: SIMs that a
later rollback paused would become live again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from migrator.core.run.packing import slices
from migrator.core.run.steps import Item
from migrator.engine.run.context import Context
from migrator.engine.run.read_targets import Reader, items_now, targets_of
from migrator.errors import StalePlan

__all__ = ["Strangers"]

SLICE = 2500
SHOWN = 3


@dataclass(slots=True)
class Strangers:
    """Refuse to change such SIMs, unless their number was confirmed."""

    ctx: Context
    reader: Reader
    _adopted: set[str] = field(default_factory=set, init=False)

    async def check_all(self) -> None:
        """Check the whole plan, as it was read just now.

        Raises: StalePlan, before anything is sent.
        """
        ctx, found, has_begun = self.ctx, list[Item](), False
        for run in slices(ctx.journal.items(ctx.plan_id), SLICE):
            await ctx.stopper.give_way()
            has_begun = has_begun or any(item.begun_at is not None for item in run)
            found += self._unknown(run)
        if not found:
            return
        wanted = ctx.options.adopt_tagged
        if wanted is None or wanted < len(found) or (wanted > len(found) and not has_begun):
            raise self._refusal(found, wanted)
        self._adopted.update(item.key for item in found)

    async def check(self, items: Iterable[Item]) -> None:
        """Check some SIMs before they are changed.

        Another run may have claimed them meanwhile.

        Raises: StalePlan.
        """
        untold = [item for item in items if self._is_unbegun(item) and item.key not in self._adopted]
        if not untold:
            return
        await self.reader.read(targets_of(untold), full=True)  # a look-up by ICCID names no tags
        found = self._unknown(items_now(self.ctx, [item.key for item in untold]))
        if found:
            raise self._refusal(found, None)

    def _unknown(self, items: Sequence[Item]) -> list[Item]:
        suspects = [item for item in items if self._is_unbegun(item) and _bears_our_tag(item)]
        if not suspects:
            return []
        known = self.ctx.journal.sent_before([item.key for item in suspects])
        return [item for item in suspects if item.key not in known]

    def _is_unbegun(self, item: Item) -> bool:
        """True if a SIM of ours takes orders but has none yet.

        Nothing was sent for the SIM under this plan.
        """
        target = item.target
        is_ours = target is not None and target.is_held_by(self.ctx.header.org_id)
        return is_ours and item.takes_orders and item.begun_at is None

    def _refusal(self, found: Sequence[Item], wanted: int | None) -> StalePlan:
        ctx, sims = self.ctx, len(found)
        named = ", ".join(iccid.digits for iccid in targets_of(found[:SHOWN]))
        more = ", ..." if sims > SHOWN else ""
        not_as_many = "" if wanted is None else f", not {wanted}"
        return StalePlan(
            f"SIMs of plan {ctx.plan_id} that are ours at Hologram already and carry its tag, while this store never "
            f"sent anything for them: {sims}{not_as_many} ({named}{more}); nothing was sent for them",
            code="done_by_another_copy",
            hint="another copy of this store did that, and this one may be older: use the newest. If this one is all "
            f"that is left, `migrator apply {ctx.plan_id} --adopt-tagged {sims}` takes them over: they become what the "
            "plan says, and those that somebody paused are switched on",
        )


def _bears_our_tag(item: Item) -> bool:
    tags = item.target.tags if item.target is not None else None
    return item.change.tag is not None and tags is not None and item.change.tag in tags
