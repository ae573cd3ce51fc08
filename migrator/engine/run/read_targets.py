"""Reads of the target side, by the cheapest way there is."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import TargetLink
from migrator.core.run.steps import Item
from migrator.engine.run.context import Context, Stopper
from migrator.engine.run.parallel import several
from migrator.errors import PlatformError, WireMismatch
from migrator.ports import Clock, DevicePage, MigrationJournal, Search, TargetPlatform

__all__ = ["Reader", "by_our_clock", "items_now", "targets_of"]

MOST_PAGES = 100_000
SLICE = 2500


@dataclass(slots=True)
class Reader:
    """Read target SIMs, and keep the reads in the journal.

    The reader chooses between the device list and look-ups. The list costs a request per page of devices and can stop
    early, as the newest devices come first; a look-up costs a request per hundred ICCIDs, and one more per hundred
    devices found where tags are needed. A single SIM is always looked up: perhaps its caller asks for it alone because
    the record of another SIM in the list could not be read.

    Args:
        workers: look-ups in flight.
        listed: gets every page of the list that is read; no page is read only for this.
    """

    target: TargetPlatform
    journal: MigrationJournal
    clock: Clock
    stopper: Stopper
    workers: int
    listed: Callable[[DevicePage], None] = lambda _page: None
    _devices: int | None = field(default=None, init=False)
    _counted: bool = field(default=False, init=False)

    async def read(
        self, iccids: Iterable[Iccid] | None, *, full: bool, newest: bool = False, thorough: bool = False
    ) -> None:
        """Read some SIMs and keep what was seen, answer by answer.

        SIMs that were not seen are kept as absent at the end.

        Args:
            iccids: the SIMs; may be longer than memory. None: the SIMs paired with the inventory in force.
            full: whether every value matters, tags among them.
            newest: whether they were just claimed, so that they head the list.
            thorough: whether to look up, too, what our own list does not show: it may be somebody else's.
        """
        asked_at = self._now()
        with closing(self.journal.search(None if iccids is None else ())) as search:
            for some in _lists(iccids or (), SLICE):  # whoever lists a whole plan reads it from the store meanwhile
                search.add(some)
                await self.stopper.give_way()
            search.forget_later_looks(asked_at)
            if newest and len(search) > self.target.max_lookup:
                await self._from_list(search, most_pages=math.ceil(len(search) / self.target.page_size) + 1)
                await self._from_lookups(search, search.missing(), full=full)
            elif await self._list_is_cheaper(len(search), full=full):
                await self._from_list(search, most_pages=MOST_PAGES)
                # what was somebody's is not free because our own list does not show it: it may be another's
                await self._from_lookups(search, search.missing() if thorough else search.missing_devices(), full=full)
            else:
                await self._from_lookups(search, search.missing(), full=full)
            search.note_absent(now=asked_at)

    def claimed(self, devices: int) -> None:
        """Update the count of devices after a claim."""
        if self._devices is not None:
            self._devices += devices

    async def _list_is_cheaper(self, wanted: int, *, full: bool) -> bool:
        lookups = math.ceil(wanted / self.target.max_lookup) * (2 if full else 1)
        if lookups <= 1 or wanted <= 1:
            return False
        if not self._counted:
            self._devices = await self._count()
            self._counted = True
        return self._devices is not None and math.ceil(self._devices / self.target.page_size) <= lookups

    async def _count(self) -> int | None:
        """Return the number of devices, or None.

        Without a number, SIMs are looked up.
        """
        try:
            return await self.target.device_count()
        except PlatformError:
            return None

    async def _from_list(self, search: Search, *, most_pages: int) -> None:
        """Read pages until everything wanted was seen or the list ends.

        The pages have no numbers: each page names the next.

        Raises: WireMismatch, if the list goes in a circle: what it did not show would be taken for absent.
        """
        cursor: str | None = None
        seen: set[str] = set()
        for _ in range(most_pages):
            await self.stopper.checkpoint()
            asked_at = self._now()
            page = await self.target.devices(cursor)
            self.listed(page)
            wanted = search.among([iccid.key for link in page.links for iccid in (link.iccid, *link.other_iccids)])
            self._keep(_matches(page.links, wanted), search, asked_at)
            cursor = page.cursor
            if cursor is None or not len(search):
                break
            if cursor in seen:
                raise WireMismatch(f"the device list goes in a circle: {cursor} was read before")
            seen.add(cursor)

    async def _from_lookups(self, search: Search, missing: Iterator[Iccid], *, full: bool) -> None:
        """Look missing ICCIDs up, a hundred in a request, several at once."""

        async def look_up(iccids: Sequence[Iccid]) -> None:
            await self.stopper.checkpoint()
            asked_at = self._now()
            wanted = {iccid.key: iccid for iccid in iccids}
            found = _matches(await self.target.links_by_iccid(iccids), wanted)
            device_ids = [link.device_id for link in found.values() if link.device_id is not None]
            if full and device_ids:
                found |= _matches(await self.target.devices_by_id(device_ids), wanted)
            self._keep(found, search, asked_at)

        await several(_lists(missing, self.target.max_lookup), look_up, workers=self.workers)

    def _keep(self, found: Mapping[str, TargetLink], search: Search, asked_at: float) -> None:
        """Keep what was seen, dated by the time of the request.

        An answer may have been long on its way.
        """
        if found:
            self.journal.observed(found.values(), (), now=asked_at)
            search.drop(list(found))

    def _now(self) -> float:
        return self.clock.now().timestamp()


def _matches(links: Iterable[TargetLink], wanted: Mapping[str, Iccid]) -> dict[str, TargetLink]:
    """Return the wanted links, by the key under which they are wanted.

    The carrier may list a device under another of its profiles.
    """
    found: dict[str, TargetLink] = {}
    for link in links:
        for iccid in (link.iccid, *link.other_iccids):
            if iccid.key in wanted:
                found[iccid.key] = link if iccid == link.iccid else replace(link, iccid=wanted[iccid.key])
                break
    return found


def _lists(iccids: Iterable[Iccid], size: int) -> Iterator[list[Iccid]]:
    """Yield `iccids` in lists of at most `size`."""
    rest = iter(iccids)
    while some := list(islice(rest, size)):
        yield some


def by_our_clock(items: Iterable[Item], now: float) -> list[Item]:
    """Return `items`, with reads dated after `now` taken for old ones.

    `now` is in UTC seconds. Another process noted such a read meanwhile, by a clock that was set since or is not ours:
    nobody knows its true time.
    """
    return [replace(item, read_at=0.0) if (item.read_at or 0.0) > now else item for item in items]


def items_now(ctx: Context, keys: Sequence[str]) -> list[Item]:
    """Return some SIMs of the plan as the journal has them now.

    The times of their reads are by our clock.
    """
    return by_our_clock(ctx.journal.items_by_key(ctx.plan_id, keys), ctx.now())


def targets_of(items: Iterable[Item]) -> list[Iccid]:
    """Return the target ICCIDs of some items.

    Items without a target ICCID are left out.
    """
    return [item.change.target_iccid for item in items if item.change.target_iccid is not None]
