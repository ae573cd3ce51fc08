"""The lease: one run at a time, and a dead one is replaced."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.errors import StoreBusy
from migrator.store import Owner, Store
from tests.store.store_kit import NOW, open_store

pytestmark = pytest.mark.files

ME = Owner("rome", 4711, NOW - 5)
OTHER = Owner("rome", 815, NOW - 500)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened


def lives(_owner: Owner) -> bool:
    return False


def is_dead(_owner: Owner) -> bool:
    return True


def test_a_free_lease_is_taken_and_given_back(store: Store) -> None:
    assert store.lease.acquire(ME, NOW, is_gone=lives) is None
    assert store.lease.holder() == (ME, NOW)
    store.lease.release(ME)
    assert store.lease.holder() is None
    assert store.lease.acquire(OTHER, NOW, is_gone=lives) is None


def test_a_held_lease_is_refused_with_its_owner_and_age(store: Store) -> None:
    store.lease.acquire(OTHER, NOW, is_gone=lives)
    store.lease.beat(OTHER, NOW + 10)
    with pytest.raises(StoreBusy) as caught:
        store.lease.acquire(ME, NOW + 25, is_gone=lives)
    assert "process 815 on rome" in caught.value.message
    assert "15 s ago" in caught.value.message
    assert caught.value.exit_code == 9
    assert store.lease.holder() == (OTHER, NOW + 10)


def test_an_owner_that_is_known_to_be_dead_is_replaced_at_once(store: Store) -> None:
    store.lease.acquire(OTHER, NOW, is_gone=lives)
    assert store.lease.acquire(ME, NOW + 1, is_gone=is_dead) == OTHER
    assert store.lease.holder() == (ME, NOW + 1)


def test_a_process_with_the_number_of_a_dead_one_is_another_owner(store: Store) -> None:
    """Numbers are used again; the start time tells."""
    reborn = Owner(OTHER.host, OTHER.pid, OTHER.started_at + 100)
    store.lease.acquire(OTHER, NOW, is_gone=lives)
    with pytest.raises(StoreBusy):
        store.lease.acquire(reborn, NOW + 1, is_gone=lives)


def test_an_owner_that_is_silent_for_a_minute_is_replaced(store: Store) -> None:
    store.lease.acquire(OTHER, NOW, is_gone=lives)
    with pytest.raises(StoreBusy) as caught:
        store.lease.acquire(ME, NOW + 59.9, is_gone=lives)
    assert caught.value.free_in_s == pytest.approx(0.1)
    assert store.lease.acquire(ME, NOW + 60, is_gone=lives) == OTHER


def test_an_owner_that_is_known_to_live_is_never_replaced(store: Store) -> None:
    """It may be stopped, or very busy; and only a person knows whether it should go on."""
    store.lease.acquire(OTHER, NOW, is_gone=lives)
    with pytest.raises(StoreBusy, match="last heard of 3600 s ago") as caught:
        store.lease.acquire(ME, NOW + 3600, is_gone=lives, is_alive=lambda other: other == OTHER)
    assert caught.value.exit_code == 9
    assert "kill -CONT 815" in caught.value.hint
    assert "kill -KILL 815" in caught.value.hint
    assert store.lease.holder() == (OTHER, NOW)


def test_a_heartbeat_keeps_the_lease_alive(store: Store) -> None:
    store.lease.acquire(OTHER, NOW, is_gone=lives)
    store.lease.beat(OTHER, NOW + 50)
    with pytest.raises(StoreBusy):
        store.lease.acquire(ME, NOW + 100, is_gone=lives)


def test_an_owner_that_was_replaced_learns_it_at_its_next_heartbeat(store: Store) -> None:
    """It was only asleep: two runs would claim twice."""
    store.lease.acquire(OTHER, NOW, is_gone=lives)
    store.lease.acquire(ME, NOW + 61, is_gone=lives)
    with pytest.raises(StoreBusy, match="lost the store to process 4711 on rome"):
        store.lease.beat(OTHER, NOW + 62)
    assert store.lease.holder() == (ME, NOW + 61)


def test_an_owner_that_was_replaced_cannot_give_back_what_is_not_its_own(store: Store) -> None:
    store.lease.acquire(OTHER, NOW, is_gone=lives)
    store.lease.acquire(ME, NOW + 61, is_gone=lives)
    store.lease.release(OTHER)
    assert store.lease.holder() == (ME, NOW + 61)


def test_taking_ones_own_lease_again_is_a_heartbeat(store: Store) -> None:
    store.lease.acquire(ME, NOW, is_gone=lives)
    assert store.lease.acquire(ME, NOW + 5, is_gone=is_dead) is None
    assert store.lease.holder() == (ME, NOW + 5)


def test_a_clock_that_was_set_back_does_not_free_the_lease(store: Store) -> None:
    store.lease.acquire(OTHER, NOW, is_gone=lives)
    with pytest.raises(StoreBusy, match="0 s ago"):
        store.lease.acquire(ME, NOW - 3600, is_gone=lives)


def test_a_heartbeat_that_lies_in_the_future_frees_itself_a_minute_after_the_first_look(store: Store) -> None:
    """The clock of a run that died was years ahead; nobody shall wait for years."""
    store.lease.acquire(OTHER, NOW + 10**8, is_gone=lives)
    with pytest.raises(StoreBusy, match="by a clock that is ahead of this one"):
        store.lease.acquire(ME, NOW, is_gone=lives)
    with pytest.raises(StoreBusy):
        store.lease.acquire(ME, NOW + 59.9, is_gone=lives)
    assert store.lease.acquire(ME, NOW + 60, is_gone=lives) == OTHER


def test_a_living_holder_whose_clock_is_ahead_keeps_the_lease(store: Store) -> None:
    ahead_s = 3600.0
    store.lease.acquire(OTHER, NOW + ahead_s, is_gone=lives)
    for beat_s in range(10, 200, 10):
        with pytest.raises(StoreBusy):
            store.lease.acquire(ME, NOW + beat_s - 1, is_gone=lives)
        store.lease.beat(OTHER, NOW + ahead_s + beat_s)
    assert store.lease.holder() == (OTHER, NOW + ahead_s + 190)


def test_the_lease_is_the_same_for_every_process(tmp_path: Path) -> None:
    with open_store(tmp_path) as mine, open_store(tmp_path) as theirs:
        mine.lease.acquire(ME, NOW, is_gone=lives)
        with pytest.raises(StoreBusy):
            theirs.lease.acquire(OTHER, NOW, is_gone=lives)
