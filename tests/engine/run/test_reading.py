"""The reader, with a scripted carrier and a real store: look-ups in flight, lists of any length, stops, errors."""

import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import anyio
import pytest

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import TargetLink
from migrator.engine.run.context import Stopper
from migrator.engine.run.read_targets import Reader
from migrator.errors import Interrupted, Transient, WireMismatch
from migrator.ports import DevicePage, TargetPlatform
from migrator.store import Store
from tests.builders import pair, sim, target, target_iccid
from tests.store.store_kit import change, key, open_store, planned, pulled
from tests.support import run_virtual

SIMS = 1200
REPLY_S = 0.1
EPOCH = datetime(2026, 11, 20, tzinfo=UTC)
MIB = 1024 * 1024


@dataclass
class Carrier:
    """Every look-up takes `REPLY_S`; `ours` are devices of our organization, newest last.

    `theirs` are another's, which no list of ours shows.

    Args:
        fails_at: the look-up that fails, counted from 1.
        stops_at: the look-up at whose beginning somebody asks to stop.
        lists: whether the devices are counted, and so may be listed.
    """

    ours: set[int] = field(default_factory=set)
    theirs: set[int] = field(default_factory=set)
    fails_at: int = 0
    stops_at: int = 0
    lists: bool = False
    stopper: Stopper = field(default_factory=Stopper)
    looked_up: list[str] = field(default_factory=list)
    lookups: int = 0
    pages: int = 0
    most_in_flight: int = 0
    in_flight: int = 0
    max_lookup: int = 100
    page_size: int = 500

    async def device_count(self) -> int | None:
        """How many devices there are."""
        return len(self.ours) if self.lists else None

    async def devices(self, cursor: str | None = None) -> DevicePage:
        """A page of the list."""
        self.pages += 1
        start = int(cursor or 0)
        newest_first = sorted(self.ours, reverse=True)
        end = start + self.page_size
        links = [target(number) for number in newest_first[start:end]]
        return DevicePage(links, str(end) if end < len(newest_first) else None)

    async def links_by_iccid(self, iccids: Sequence[Iccid]) -> Sequence[TargetLink]:
        """What is ours among them, after a while."""
        self.lookups += 1
        number = self.lookups
        self.looked_up += [iccid.digits for iccid in iccids]
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        if number == self.stops_at:
            self.stopper.stop("enough")
        await anyio.sleep(REPLY_S)
        self.in_flight -= 1
        if number == self.fails_at:
            raise Transient("no answer")
        wanted = {iccid.key for iccid in iccids}
        found = [target(number) for number in self.ours] + [target(number, org_id=5) for number in self.theirs]
        return [link for link in found if link.iccid.key in wanted]

    async def devices_by_id(self, device_ids: Sequence[int]) -> Sequence[TargetLink]:
        """The same devices, with tags."""
        return [target(device_id - 1000) for device_id in device_ids]


@dataclass
class VirtualClock:
    """Begins at the epoch and goes with the virtual time."""

    began_at: float = field(default_factory=anyio.current_time)

    def now(self) -> datetime:
        """The time in UTC."""
        return EPOCH + timedelta(seconds=anyio.current_time() - self.began_at)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with a paired inventory, of which nothing was read at the target."""
    with open_store(tmp_path) as opened:
        pulled(opened, [sim(number) for number in range(1, SIMS + 1)])
        opened.pairs.add([pair(number) for number in range(1, SIMS + 1)], replace=False, now=0.0)
        yield opened


def read(
    store: Store,
    carrier: Carrier,
    iccids: Iterable[Iccid] | None = None,
    *,
    workers: int = 8,
    full: bool = True,
    thorough: bool = False,
) -> float:
    """Read all targets, or some. Returns: virtual seconds."""

    async def body() -> float:
        carrier.stopper = Stopper()
        began = anyio.current_time()
        reader = Reader(cast("TargetPlatform", carrier), store.journal, VirtualClock(), carrier.stopper, workers)
        wanted = store.pairs.targets() if iccids is None else iccids
        await reader.read(wanted, full=full, thorough=thorough)
        return anyio.current_time() - began

    return run_virtual(body)


def seen(store: Store) -> set[int]:
    """The targets that were last seen as ours."""
    found = (one.target for one in store.plans.candidates())
    return {link.device_id - 1000 for link in found if link is not None and link.device_id is not None}


def absent(store: Store) -> set[str]:
    """The targets that were looked for and not seen."""
    return {
        one.pair.target.digits
        for one in store.plans.candidates()
        if one.pair is not None and one.target_read and one.target is None
    }


def test_several_lookups_are_in_flight_and_none_is_asked_twice(store: Store) -> None:
    carrier = Carrier()
    elapsed_s = read(store, carrier, workers=4)
    assert carrier.most_in_flight == 4
    assert elapsed_s == pytest.approx(SIMS / 100 / 4 * REPLY_S)
    assert sorted(carrier.looked_up) == [target_iccid(number).digits for number in range(1, SIMS + 1)]


def test_every_sim_that_is_read_is_seen_or_absent(store: Store) -> None:
    carrier = Carrier(ours=set(range(1, SIMS, 3)))
    read(store, carrier)
    assert seen(store) == carrier.ours
    assert len(absent(store)) == SIMS - len(carrier.ours)


def test_what_was_seen_is_as_old_as_its_lookup_and_what_was_not_as_the_whole_read(store: Store) -> None:
    planned(store, [change(number) for number in range(1, 301)])
    read(store, Carrier(ours={1, 300}), [target_iccid(number) for number in range(1, 301)], workers=1, full=False)
    ages = {item.key: (item.read_at or 0.0) - EPOCH.timestamp() for item in store.journal.items("p1")}
    assert ages[key(1)] == 0.0
    assert ages[key(300)] == pytest.approx(2 * REPLY_S)
    assert {age for sim_key, age in ages.items() if sim_key not in {key(1), key(300)}} == {0.0}


def test_failed_lookup_leaves_what_was_seen_and_calls_nothing_absent(store: Store) -> None:
    carrier = Carrier(ours=set(range(1, SIMS + 1, 2)), fails_at=6)
    with pytest.raises(Transient):
        read(store, carrier, workers=2)
    assert carrier.lookups <= 6 + 1
    assert len(seen(store)) >= 4 * 50
    assert absent(store) == set()


def test_stop_lets_what_is_in_flight_come_home_and_begins_nothing_more(store: Store) -> None:
    carrier = Carrier(ours=set(range(1, SIMS + 1)), stops_at=3)
    with pytest.raises(Interrupted):
        read(store, carrier, workers=3)
    assert carrier.lookups == 3
    assert len(seen(store)) == 300
    assert carrier.in_flight == 0


def test_list_that_is_cheaper_is_read_to_the_end_of_what_is_wanted(store: Store) -> None:
    carrier = Carrier(ours=set(range(1, SIMS + 1)), lists=True)
    read(store, carrier, [target_iccid(number) for number in range(SIMS - 250, SIMS + 1)])
    assert (carrier.pages, carrier.lookups) == (1, 0)
    assert seen(store) == set(range(SIMS - 250, SIMS + 1))


def test_thorough_read_looks_up_what_the_list_does_not_show(store: Store) -> None:
    carrier = Carrier(ours=set(range(1, 301)), lists=True)
    read(store, carrier, thorough=True)
    assert (carrier.pages, carrier.lookups) == (1, 9)
    assert (len(seen(store)), len(absent(store))) == (300, SIMS - 300)


def test_what_was_somebodys_is_not_free_because_our_list_does_not_show_it(store: Store) -> None:
    carrier = Carrier(ours=set(range(3, 301)), theirs={1, 2})
    wanted = [target_iccid(number) for number in range(1, 401)]
    read(store, carrier, wanted)
    carrier.lists, carrier.theirs, carrier.lookups = True, {1}, 0
    read(store, carrier, wanted)
    assert (carrier.pages, carrier.lookups) == (1, 1)
    assert seen(store) == {1, *range(3, 301)}
    assert target_iccid(2).digits in absent(store)


@dataclass
class Roundabout(Carrier):
    """The second page of its list leads back to the first, and so on for a thousand pages."""

    lists: bool = True

    async def devices(self, cursor: str | None = None) -> DevicePage:
        """The one page or the other."""
        self.pages += 1
        return DevicePage([], None if self.pages > 1000 else {"second": "first"}.get(cursor or "", "second"))


def test_list_that_goes_in_a_circle_is_left_and_nothing_is_called_absent(store: Store) -> None:
    carrier = Roundabout(ours={1})
    with pytest.raises(WireMismatch, match="goes in a circle"):
        read(store, carrier)
    assert carrier.pages == 3
    assert absent(store) == set()


def test_sims_that_are_wanted_twice_are_read_once(store: Store) -> None:
    carrier = Carrier()
    read(store, carrier, [target_iccid(1), target_iccid(1), target_iccid(2)])
    assert len(carrier.looked_up) == 2


def test_fleet_that_is_looked_for_does_not_stand_in_memory(store: Store) -> None:
    carrier = Carrier(lists=True)
    tracemalloc.start()
    read(store, carrier, (target_iccid(number) for number in range(1, 15_001)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MIB  # in a dict, they would take twice as much
