"""Counts that take long: made once, kept while nothing is written, and rested in between."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pytest

from migrator.errors import InputError, StoreError
from migrator.pages.kept import LEAST_REST_S, LONGEST_REST_S, REST_SHARE, Kept
from migrator.pages.reading import StoreReader
from migrator.store import Store
from tests.builders import sim
from tests.store.store_kit import open_store, pulled, url_of


@dataclass(slots=True)
class Desk:
    """A question that counts how often it was put, and a clock that a test sets."""

    folder: Path
    runner: asyncio.Runner
    reader: StoreReader
    now: float = 0.0
    takes_s: float = 0.0
    asked: int = 0
    gate: Event = field(default_factory=Event)
    kept: Kept[int] = field(init=False)

    def __post_init__(self) -> None:
        self.gate.set()
        self.kept = Kept(self.reader, self.question, lambda: self.now)

    def question(self, store: Store) -> int:
        self.gate.wait(10.0)
        self.asked += 1
        self.now += self.takes_s
        return int(store.inventory.summary()["count"])

    def value(self) -> int:
        """What is kept now; what is being made beside it is made."""

        async def told() -> int:
            found = await self.kept.value()
            if self.kept._making is not None:
                await asyncio.wait([self.kept._making])
            return found

        return self.runner.run(told())

    def write(self, sims: int) -> None:
        with open_store(self.folder) as store:
            pulled(store, [sim(number) for number in range(sims)])


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_store(tmp_path) as store:
        pulled(store, [sim(1)])
    reader = StoreReader(url_of(tmp_path))
    with asyncio.Runner() as runner:
        yield Desk(tmp_path, runner, reader)
        reader.close()


def test_an_answer_is_made_once_while_nothing_is_written(desk: Desk) -> None:
    for _ in range(5):
        assert desk.value() == 1
        desk.now += LEAST_REST_S
    assert desk.asked == 1


def test_what_was_written_is_told_at_the_next_look_but_one(desk: Desk) -> None:
    """The first who looks after the rest is told what is kept, and it is made anew beside."""
    assert desk.value() == 1
    desk.write(3)
    assert desk.value() == 1
    desk.now += LEAST_REST_S
    assert desk.value() == 1
    assert desk.value() == 3


def test_an_answer_rests_many_times_as_long_as_it_took(desk: Desk) -> None:
    """So that a run beside it is slowed by a fortieth at most, however large the fleet is."""
    desk.takes_s = 3.0
    desk.value()
    desk.write(2)
    desk.now += REST_SHARE * 3.0 - 1
    desk.value()
    assert desk.asked == 1
    desk.now += 1
    desk.value()
    assert desk.asked == 2


def test_ages_are_counted_anew_although_nothing_was_written(desk: Desk) -> None:
    desk.value()
    desk.now += LONGEST_REST_S
    desk.value()
    assert desk.asked == 2


def test_who_does_not_wait_is_told_nothing_and_the_next_has_it(desk: Desk) -> None:
    desk.gate.clear()

    async def hasty() -> tuple[int | None, int | None]:
        first = await desk.kept.within(0.001)
        desk.gate.set()
        return first, await desk.kept.value()

    assert desk.runner.run(hasty()) == (None, 1)
    assert desk.asked == 1


def test_many_who_ask_at_once_ask_once(desk: Desk) -> None:
    async def many() -> list[int]:
        return list(await asyncio.gather(*(desk.kept.value() for _ in range(20))))

    assert desk.runner.run(many()) == [1] * 20
    assert desk.asked == 1


def test_a_store_that_is_gone_is_told_and_its_answer_forgotten(desk: Desk) -> None:
    desk.value()
    desk.write(2)
    for file in desk.folder.iterdir():
        file.unlink()
    desk.now += LEAST_REST_S
    assert desk.value() == 1
    with pytest.raises((InputError, StoreError)):
        desk.value()
    desk.write(4)
    assert desk.value() == 4


def test_another_store_in_its_place_is_no_unchanged_one(desk: Desk) -> None:
    """The versions of two files may be equal by chance."""
    desk.value()
    for file in desk.folder.iterdir():
        file.unlink()
    desk.write(5)
    desk.now += LEAST_REST_S
    desk.value()
    assert desk.value() == 5
