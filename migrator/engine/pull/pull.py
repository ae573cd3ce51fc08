"""Pull of the source fleet: reading the list until it is settled.

Several pages are in flight, and each page is on disk as it comes; where they come in quick succession, some together.

The list has no cursor and no snapshot (reference, 4.3): a SIM that comes or goes during the read shifts the rows. So
distinct ICCIDs are compared with the totals in the first and the last reply, and the list is read again when they
differ. Totals may be wrong, too, or count a single page: a list ends only with a page that is not full, or once page
after page brings nothing new. Totals that differ from what two passes read alike are overruled: in words where they
are lower, and as something to attend to where they are higher.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import QuotaReading, SourceAccount
from migrator.core.run.results import Dropped, PullResult
from migrator.engine.pull.comparison import Comparison
from migrator.engine.run.context import Stopper, quiet
from migrator.errors import InputError, Interrupted, MigratorError, StoreError
from migrator.ports import (
    Clock,
    InventoryStore,
    ListPass,
    Progress,
    Reading,
    Snapshot,
    SourcePage,
    SourcePlatform,
)

__all__ = ["Pulling"]

MOST_PAGES = 200_000
MOST_PASSES = 3
READINGS_A_COMMIT = 100
PAGES_A_COMMIT = 10
QUICK_S = 0.08
"""Longest gap (seconds) between pages that are saved together.

A carrier that is asked ten times a second has each page saved at once: a kill costs no page that was read.
"""
VAIN_PAGES = 10
"""Pages without a new SIM that may end a list.

There must also be as many of them as there were pages with new SIMs: a list may hold a long stretch twice.
"""
MOST_DROPPED = 0.05
HANDFUL = 5
"""SIMs that may be gone from any inventory, however small.

Does not apply where not one SIM may be gone.
"""
KEPT_FOR_S = 3600.0
"""Seconds for which a refused list may still come into force."""


@dataclass(slots=True)
class _News:
    """Account of what the pages of a pass brought anew.

    A row is known again by its `iccid` as written. What an earlier process read of the same pass counts as not seen:
    that costs some more pages.
    """

    doubles: int = 0
    is_over: bool = False
    _seen: set[int] = field(default_factory=set, repr=False)
    _with_news: int = 0
    _in_vain: int = 0
    _rows_in_vain: int = 0

    def take(self, page: SourcePage) -> None:
        """Note a page in the order of arrival."""
        new = {hash(name) for name in _iccids(page)} - self._seen
        self._seen |= new
        if not new:
            self._in_vain += 1
            self._rows_in_vain += len(page.rows)
            self.is_over = self.is_over or self._in_vain >= max(VAIN_PAGES, self._with_news)
            return
        self.doubles += self._rows_in_vain + len(page.rows) - len(new)
        self._with_news += 1
        self._in_vain = self._rows_in_vain = 0

    def close(self) -> None:
        """Count the last rows, too, unless they were read past the end."""
        if not self.is_over:
            self.doubles += self._rows_in_vain


@dataclass(slots=True)
class _Coming:
    """Page that is being read."""

    _is_there: anyio.Event = field(default_factory=anyio.Event)
    _page: SourcePage | None = None
    _trouble: MigratorError | Interrupted | None = None

    @classmethod
    async def of(cls, source: SourcePlatform, number: int, tasks: TaskGroup) -> "_Coming":
        """Begin to read page `number`, behind whatever pages are being read."""
        coming = cls()
        tasks.start_soon(coming._read, source, number)
        await anyio.lowlevel.checkpoint()  # the read begins in it, before anybody asks for a page behind
        return coming

    async def _read(self, source: SourcePlatform, number: int) -> None:
        try:
            self._page = await source.page(number)
        except (MigratorError, Interrupted) as error:
            self._trouble = error
        self._is_there.set()

    async def page(self) -> SourcePage:
        """Wait for the page.

        Raises: what its read raised.
        """
        await self._is_there.wait()
        if self._page is None:
            raise self._trouble or AssertionError
        return self._page


@dataclass(slots=True)
class Pulling:
    """Run of `inventory pull`.

    Args:
        quotas: whether to read of every SIM what the list does not tell, too: what remains of its volumes.
        limits: whether to read the account's monthly caps.
        workers: requests in flight.
        most_dropped: the share of the inventory in force that may be gone, beyond a handful; 0: not one SIM.
        account: the account that the login is of; None where nobody tells it.
        replace: whether any number may be gone. A list that was refused for that a moment ago is then not read again.
    """

    source: SourcePlatform
    store: InventoryStore
    clock: Clock
    stopper: Stopper
    progress: Progress = quiet
    quotas: bool = False
    limits: bool = False
    workers: int = 8
    most_dropped: float = MOST_DROPPED
    replace: bool = False
    account: str | None = None
    _total_pages: int | None = field(default=None, init=False)
    _last: SourcePage | None = field(default=None, init=False)
    _news: _News = field(default_factory=_News, init=False)
    _unsaved: list[SourcePage] = field(default_factory=list, init=False)
    _comparison: Comparison | None = field(default=None, init=False)  # while little is new
    _renewed_id: int | None = field(default=None, init=False)  # of the inventory that took in what was new
    _came_at_s: float = field(default=0.0, init=False)

    async def run(self) -> PullResult:
        """Pull, continuing an earlier pull that stopped.

        Raises: PlatformError, Interrupted; InputError, for a list without a SIM, or without many SIMs of the inventory
            in force. What came is on disk.
        """
        version = await self.source.open()
        reader = SourceAccount(self.source.name, self.account)
        snapshot = self.store.open_snapshot(version, self._now(), reader=reader)
        is_anew = self._compares(snapshot, version)
        passed, number = self._kept_pass(snapshot) or await self._passes(snapshot)
        settled = _is_settled(passed, number)
        read = failed = 0
        dropped = Dropped()
        warnings = [self.source.warning] if self.source.warning else []
        warnings += _of_labels(self.source.name, *self.store.spoiled_labels(self._renewed_id or snapshot.snapshot_id))
        if settled and self._renewed_id is None:
            self._refuse_gaps(snapshot.snapshot_id, passed, number)
            if self.limits:
                caps = await self.source.account_limits()
                self.store.save_account_limits(caps)
                warnings += [self.source.capless] if caps.data_mb is None else []
            if self.quotas:
                self._tell_cost(snapshot.snapshot_id)
                read, failed = await self._all_readings(snapshot.snapshot_id)
            dropped = self.store.complete_snapshot(snapshot.snapshot_id, number, self._now())
        return PullResult(
            sims=passed.sims,
            listed=passed.last_total,
            passes=number,
            unreadable=passed.unreadable,
            resumed=snapshot.resumed and not is_anew,
            settled=settled,
            api_version=version,
            quotas_read=read,
            quotas_failed=failed,
            warnings=(*warnings, *(self._overruled(passed) if settled else ())),
            dropped=dropped,
            doubles=self._news.doubles,
            falls_short=settled and _is_shorter_than_told(passed),
        )

    def _tell_cost(self, snapshot_id: int) -> None:
        """Say how many requests the single records will take.

        SIMs of which the list told all, or that an earlier pull has asked about, take none.
        """
        sims = self.store.count_without_reading(snapshot_id)
        if sims:
            self.progress("one_by_one", {"sims": sims, "requests": sims * self.source.calls_per_reading})

    def _refuse_gaps(self, snapshot_id: int, passed: ListPass, number: int) -> None:
        """Refuse a list that leaves out too many SIMs.

        A part of the fleet, or the fleet of another account, must not be taken for the fleet.

        Raises: InputError.
        """
        if passed.sims == 0:
            raise InputError(
                f"{self.source.name} lists no SIM for these credentials; the inventory was left as it was",
                code="empty_inventory",
                hint="check that the login or key belongs to the organization that holds the SIMs",
            )
        dropped = self.store.dropped(snapshot_id, number)
        may_be_gone = max(HANDFUL, self.most_dropped * dropped.of) if self.most_dropped else 0
        if dropped.sims > may_be_gone and not self.replace:
            words = f"{self.source.name} lists {passed.sims} SIMs and leaves out, of the inventory in force, {dropped}"
            raise InputError(
                f"{words}; nothing was changed",
                code="inventory_shrinks",
                hint=f"is this the right {self.source.name} account, and does its portal count as few? Pull again "
                "later. If these SIMs are gone for good: `migrator inventory pull --replace`, which within the hour "
                "takes the list as it was read now",
            )

    def _kept_pass(self, snapshot: Snapshot) -> tuple[ListPass, int] | None:
        """Return the last pass, if it may be used again.

        Else None. The pass must be whole, settled and less than an hour old, and the operator must allow that it
        replaces everything.
        """
        snapshot_id, number = snapshot.snapshot_id, snapshot.passes
        read_at = self.store.last_read_at(snapshot_id)
        if not (self.replace and number) or read_at is None or self.store.pages_done(snapshot_id, number + 1):
            return None
        if not 0 <= self._now() - read_at <= KEPT_FOR_S:
            return None
        passed = self.store.end_pass(snapshot_id, number)
        return (passed, number) if _is_settled(passed, number) else None

    async def _passes(self, snapshot: Snapshot) -> tuple[ListPass, int]:
        """Read the list until it is settled.

        Stops also after `MOST_PASSES` passes: the list will not settle now.
        """
        number = snapshot.passes + 1
        while True:
            await self._one_pass(snapshot.snapshot_id, number)
            passed = self._renewed() or self.store.end_pass(snapshot.snapshot_id, number)
            if _is_settled(passed, number) or number - snapshot.passes >= MOST_PASSES:
                return passed, number
            self.progress("again", {"sims": passed.sims, "listed": passed.last_total})
            number += 1

    async def _one_pass(self, snapshot_id: int, pass_number: int) -> None:
        """Read the list once; what came is on disk, whatever ends it.

        While little is new, only a pass that does not come to its end is written down: a process that is killed has
        to read it again.
        """
        is_whole = False
        try:
            await self._read_list(snapshot_id, pass_number)
            is_whole = True
        finally:
            self._save(snapshot_id, pass_number)
            if not is_whole:
                self._write_down()

    async def _read_list(self, snapshot_id: int, pass_number: int) -> None:
        done = self.store.pages_done(snapshot_id, pass_number)
        self._last, self._news = None, _News()
        self._total_pages = max((pages for pages in done.values() if pages is not None), default=None)
        first = await self._page(snapshot_id, pass_number, 1) if 1 not in done else None
        if first is not None and self._total_pages is None:
            await self._until_empty(snapshot_id, pass_number, first)
        elif self._total_pages is None:
            await self._until_empty(snapshot_id, pass_number, None, start=max(done) + 1)
        else:
            missing = (number for number in _counting() if number not in done and number > 1)
            await self._several(missing, lambda number: self._page(snapshot_id, pass_number, number))
            if not self._news.is_over:
                await self._past_the_told(snapshot_id, pass_number, max(self._total_pages, *done, 1))
        self._news.close()

    async def _past_the_told(self, snapshot_id: int, pass_number: int, told: int) -> None:
        """Read on after the last reported page, while pages are full.

        The totals may count a single page. Pages past the end report nothing, and are not kept. A page that an earlier
        process read is read once more, as nobody knows any more whether the page was full.
        """
        page = self._last
        if page is None or page.number < told:
            page = await self._page(snapshot_id, pass_number, told)
        for number in range(told + 1, MOST_PAGES):
            if not page.is_full and number > (self._total_pages or 0):
                return
            self.stopper.check()
            before, page = page, await self.source.page(number)
            if not page.rows or _iccids(page) == _iccids(before):
                return
            self._keep(snapshot_id, pass_number, page)
            if self._news.is_over:
                return

    async def _until_empty(
        self, snapshot_id: int, pass_number: int, page: SourcePage | None, *, start: int = 2
    ) -> None:
        """Read page by page, without totals, until the list ends.

        The list ends with an empty page, with the same SIMs as the page before, or once nothing new comes. The page
        behind is asked for meanwhile, so that our work on a page adds nothing to the time of the answers: where pages
        name each other, the adapter waits for the name.
        """
        before = None if page is None else _iccids(page)
        if before == ():
            return
        trouble: MigratorError | Interrupted | None = None
        async with anyio.create_task_group() as tasks:
            try:
                await self._in_turn(tasks, snapshot_id, pass_number, before, start)
            except (MigratorError, Interrupted) as error:
                trouble = error
            tasks.cancel_scope.cancel()
        if trouble is not None:
            raise trouble

    async def _in_turn(
        self, tasks: TaskGroup, snapshot_id: int, pass_number: int, before: tuple[str, ...] | None, start: int
    ) -> None:
        """Keep page after page, while the page behind is on its way."""
        self.stopper.check()
        coming = await _Coming.of(self.source, start, tasks)
        for number in range(start, MOST_PAGES):
            behind = None if self.stopper.is_stopping else await _Coming.of(self.source, number + 1, tasks)
            page = await coming.page()
            self._keep(snapshot_id, pass_number, page)
            iccids = _iccids(page)
            if iccids in {(), before} or self._news.is_over:
                return
            if behind is None:
                break
            before, coming = iccids, behind
        self.stopper.check()

    def _overruled(self, passed: ListPass) -> Iterable[str]:
        """Yield warnings about totals that were not believed."""
        read, told, doubles = passed.sims + passed.unreadable, _told(passed), self._news.doubles
        name = self.source.name
        if self._news.is_over and self._total_pages:
            yield (
                f"{name} promises {self._total_pages} pages, and page after page brought nothing new; the list was "
                "taken to end there"
            )
        if passed.last_total is not None and read != told:
            twice = f" ({doubles} of its rows came more than once)" if doubles else ""
            yield (
                f"{name}'s totals do not fit its list: they tell of {told} SIMs, and {read} were read{twice}, the "
                "same ones twice; the list was believed"
            )

    async def _page(self, snapshot_id: int, pass_number: int, number: int) -> SourcePage:
        """Read one page and keep it."""
        page = await self.source.page(number)
        self._keep(snapshot_id, pass_number, page)
        return page

    def _keep(self, snapshot_id: int, pass_number: int, page: SourcePage) -> None:
        if self._last is None or page.number > self._last.number:
            self._last = page
        if page.total_pages is not None:
            self._total_pages = max(page.total_pages, self._total_pages or 0)
        self._news.take(page)
        self._unsaved.append(page)
        before_s, self._came_at_s = self._came_at_s, anyio.current_time()
        if self._came_at_s - before_s >= QUICK_S or len(self._unsaved) >= PAGES_A_COMMIT:
            self._save(snapshot_id, pass_number)
        self.progress("page", {"sims": len(page.rows), "page": page.number, "listed": page.total_sims})

    def _save(self, snapshot_id: int, pass_number: int) -> None:
        pages, self._unsaved = self._unsaved, []
        if not pages or (self._comparison is not None and self._comparison.take(pages)):
            return
        self._write_down()
        self.store.save_pages(snapshot_id, pass_number, pages, self._now())

    def _compares(self, snapshot: Snapshot, version: str) -> bool:
        """Begin to compare the list with an inventory that may be renewed.

        A pull that goes on with pages on disk, or reads more than the list, makes an inventory of its own.

        Returns: whether it does; then nothing of an earlier pull is on disk.
        """
        if self.quotas or self.limits or self.store.pages_done(snapshot.snapshot_id, 1):
            return False
        base = self.store.comparable(version)
        if base is not None:
            self._comparison = Comparison(self.store, snapshot.snapshot_id, base)
        return base is not None

    def _renewed(self) -> ListPass | None:
        """Renew the inventory in force by what is new.

        Else, if the pass does not settle it, None; what was read is on disk then, and whenever the store fails.
        """
        if self._comparison is None:
            return None
        passed = self._comparison.passed()
        try:
            if _is_settled(passed, 1) and self._comparison.renew(passed.sims, self._now()):
                self._renewed_id = self._comparison.base.snapshot_id
                return passed
        except StoreError:
            with suppress(StoreError):
                self._write_down()
            raise
        self._write_down()
        return None

    def _write_down(self) -> None:
        """End the comparison, and write what it holds."""
        comparison, self._comparison = self._comparison, None
        if comparison is not None:
            comparison.write_down(self._now())

    async def _several(self, numbers: Iterable[int], act: Callable[[int], Awaitable[object]]) -> None:
        """Read pages up to the last page that any reply reported.

        Several pages are in flight.
        """
        todo = iter(numbers)

        async def worker() -> None:
            for number in todo:
                if number > (self._total_pages or 0) or self._news.is_over or self.stopper.is_stopping:
                    return
                await act(number)

        await _crew(worker, self.workers)
        self.stopper.check()

    async def _all_readings(self, snapshot_id: int) -> tuple[int, int]:
        """Read what remains of every SIM's volumes.

        Each hundred SIMs are one commit. What was read of a hundred is kept, too, when the pull stops among them.

        Returns: SIMs read, and SIMs whose read failed.
        """
        read = failed = 0
        while iccids := self.store.without_reading(snapshot_id, READINGS_A_COMMIT):
            readings: list[Reading] = []
            try:
                await self._read(iccids, readings)
            except (MigratorError, Interrupted):
                self.store.save_readings(snapshot_id, readings)
                raise
            self.store.save_readings(snapshot_id, readings)
            bad = sum(_has_failed(reading) for reading in readings)
            failed += bad
            read += len(readings) - bad
            self.progress("quotas", {"sims": len(readings)})
            self.stopper.check()
        return read, failed

    async def _read(self, iccids: Sequence[Iccid], readings: list[Reading]) -> None:
        """Read the volumes of some SIMs into `readings`."""
        todo = iter(iccids)

        async def worker() -> None:
            for iccid in todo:
                if self.stopper.is_stopping:
                    return
                readings.append(await self.source.reading(iccid))

        await _crew(worker, self.workers)

    def _now(self) -> float:
        return self.clock.now().timestamp()


async def _crew(worker: Callable[[], Awaitable[None]], size: int) -> None:
    """Run some workers, and raise the first error that concerns all.

    The error is raised once every other request has ended.
    """
    troubles: list[MigratorError | Interrupted] = []

    async def guarded() -> None:
        try:
            await worker()
        except (MigratorError, Interrupted) as error:
            troubles.append(error)

    async with anyio.create_task_group() as tasks:
        for _ in range(size):
            tasks.start_soon(guarded)
    if troubles:
        raise troubles[0]


def _iccids(page: SourcePage) -> tuple[str, ...]:
    """Return the rows' ICCIDs as written, in order of their text.

    A row without an ICCID stands for itself.
    """
    return tuple(sorted(repr(row.raw.get("iccid") or row.raw) for row in page.rows))


def _counting() -> Iterable[int]:
    return range(1, MOST_PAGES)


def _is_settled(passed: ListPass, number: int) -> bool:
    """True if a pass agrees with itself, or with the pass before.

    The pass has as many distinct SIMs as its first and its last reply reported. Without totals there is nothing to
    compare with, and the list is taken as it was read up to its end. Totals that fit neither pass are no totals of this
    list, if the pass before read the very same SIMs: at once where they are too low, and where they are too high once
    they stayed as they were during the pass. Totals that never stay get `MOST_PASSES` passes.
    """
    if passed.last_total is None or passed.sims + passed.unreadable == passed.first_total == passed.last_total:
        return True
    is_as_before = passed.sims > 0 and not (passed.only_in_this_pass or passed.missing_from_this_pass)
    is_steady = passed.first_total == passed.last_total or number >= MOST_PASSES
    return is_as_before and (is_steady or not _is_shorter_than_told(passed))


def _told(passed: ListPass) -> int:
    return max(passed.first_total or 0, passed.last_total or 0)


def _is_shorter_than_told(passed: ListPass) -> bool:
    return passed.sims + passed.unreadable < _told(passed)


def _of_labels(source: str, count: int, first: Sequence[str]) -> Iterable[str]:
    """Yield a warning about labels that were not read whole.

    Yields nothing where there are none.
    """
    if count:
        named = ", ".join(first) + (", ..." if count > len(first) else "")
        yield (
            f"SIMs whose label could not be read whole: {count} ({named}). Plans block names that are made of them "
            f"(label_unreadable): mend the labels in the {source} portal, then pull again"
        )


def _has_failed(reading: Reading) -> bool:
    services = (reading.data, reading.sms)
    return any(service is not None and service.reading is QuotaReading.FAILED for service in services)
