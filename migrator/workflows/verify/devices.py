"""Devices that nobody planned."""

from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from migrator.core.cutover.life import Unexpected, UnexpectedReason
from migrator.core.fleet.sims import LinkState, TargetLink
from migrator.core.plan.plan import PlanHeader
from migrator.engine.run.context import Stopper
from migrator.ports import DevicePage, TargetPlatform

if TYPE_CHECKING:
    from migrator.store import Store

__all__ = ["DeviceWatch"]

MOST_PAGES = 100_000


@dataclass(slots=True)
class DeviceWatch:
    """Find devices on our list that a plan did not put there.

    Reads pages of our device list. Close the watch at the end.

    Args:
        store: where the plan is.
        header: the plan's.
        most: how many of them to keep one by one; None for all.

    Attributes:
        devices: how many devices were read.
        is_complete: whether that was the whole list.
        counts: how many were found, by reason.
        found: the first of them.
    """

    store: "Store"
    header: PlanHeader
    most: int | None = None
    devices: int = field(default=0, init=False)
    is_complete: bool = field(default=False, init=False)
    counts: Counter[str] = field(default_factory=Counter, init=False)
    found: list[Unexpected] = field(default_factory=list, init=False)
    _closing: ExitStack = field(default_factory=ExitStack, init=False)
    _searches: tuple[Any, Any] | None = field(default=None, init=False)
    _tags: frozenset[str] = field(default=frozenset(), init=False)

    def see(self, page: DevicePage) -> None:
        """Check one page of the list.

        Pages must come in their order, from the first.
        """
        expected, held = self._known()
        keys = [iccid.key for link in page.links for iccid in (link.iccid, *link.other_iccids)]
        ours, left_alone = set(expected.among(keys)), set(held.among(keys))
        for link in page.links:
            mine = {iccid.key for iccid in (link.iccid, *link.other_iccids)}
            is_ours = link.is_held_by(self.header.org_id) and link.state is not LinkState.RETIRED
            if is_ours and not mine & ours:
                self._judge(link, is_left_alone=bool(mine & left_alone))
        self.devices += len(page.links)
        self.is_complete = page.cursor is None

    async def read_all(self, target: TargetPlatform, stopper: Stopper) -> None:
        """Read the whole list, unless that was done already."""
        if self.is_complete:
            return
        self.devices, self.counts, self.found = 0, Counter(), []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            await stopper.checkpoint()
            page = await target.devices(cursor)
            self.see(page)
            cursor = page.cursor
            if cursor is None:
                return

    def close(self) -> None:
        """Forget the SIMs of the plan; the findings are kept."""
        self._closing.close()

    def _known(self) -> tuple[Any, Any]:
        """Return the expected SIMs, and the SIMs that were left alone.

        Both are read once there is something to judge.
        """
        if self._searches is None:
            journal, expected = self.store.journal, self.store.expectations
            plan_id = self.header.plan_id
            searches = (
                self._closing.enter_context(closing(journal.search(expected.put_there(plan_id)))),
                self._closing.enter_context(closing(journal.search(expected.left_alone(plan_id)))),
            )
            self._searches, self._tags = searches, expected.tags(plan_id)
        return self._searches

    def _judge(self, link: TargetLink, *, is_left_alone: bool) -> None:
        if is_left_alone:
            reason = UnexpectedReason.NOT_TO_BE_CLAIMED
        elif link.tags is not None and link.tags & self._tags:
            reason = UnexpectedReason.TAGGED
        else:
            return
        self.counts[reason.value] += 1
        if self.most is None or len(self.found) < self.most:
            self.found.append(Unexpected(link.iccid.digits, link.device_id, link.name or "", reason))
