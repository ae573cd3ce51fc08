"""The history of IMEIs: what an old SIM was once seen in stays, whatever later pulls say."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.core.fleet.imei import SeenIn
from migrator.store import Store
from tests.builders import sim
from tests.schema.older import make_older
from tests.store.store_kit import NOW, key, open_store, page_of, pulled

UNIT, DRAWER, OTHER = "3520990017614812", "8600000000000104", "352099001761481f"
DAY = 86_400.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened


def test_a_later_pull_adds_the_hardware_that_it_tells_and_takes_none_away(store: Store) -> None:
    pulled(store, [sim(1, imei=UNIT), sim(2), sim(3, imei=OTHER)], now=NOW)
    pulled(store, [sim(1, imei=UNIT), sim(2, imei="")], now=NOW + DAY)
    pulled(store, [sim(1, imei=DRAWER)], now=NOW + 2 * DAY)
    assert store.imeis.of([key(1), key(2), key(3)]) == {
        key(1): [SeenIn(UNIT, NOW, NOW + DAY), SeenIn(DRAWER, NOW + 2 * DAY, NOW + 2 * DAY)],
        key(3): [SeenIn(OTHER, NOW, NOW)],
    }


def test_a_pull_that_does_not_come_into_force_adds_nothing(store: Store) -> None:
    pulled(store, [sim(1, imei=UNIT)])
    open_one = store.inventory.open_snapshot("v2", NOW + DAY).snapshot_id
    store.inventory.save_pages(open_one, 1, [page_of([sim(1, imei=DRAWER)])], NOW + DAY)
    store.inventory.end_pass(open_one, 1)
    store.inventory.discard_snapshot(open_one)
    assert store.imeis.of([key(1)]) == {key(1): [SeenIn(UNIT, NOW, NOW)]}


def test_only_what_the_last_pass_listed_counts(store: Store) -> None:
    number = store.inventory.open_snapshot("v2", NOW).snapshot_id
    for which, sims in ((1, [sim(1, imei=UNIT), sim(2, imei=UNIT)]), (2, [sim(1, imei=UNIT)])):
        store.inventory.save_pages(number, which, [page_of(sims)], NOW)
        store.inventory.end_pass(number, which)
    store.inventory.complete_snapshot(number, 2, NOW)
    assert set(store.imeis.of([key(1), key(2)])) == {key(1)}


def test_a_clock_that_was_set_back_shortens_no_history(store: Store) -> None:
    pulled(store, [sim(1, imei=UNIT)], now=NOW)
    pulled(store, [sim(1, imei=UNIT)], now=NOW - DAY)
    assert store.imeis.of([key(1)]) == {key(1): [SeenIn(UNIT, NOW, NOW)]}


@pytest.mark.files
def test_the_history_of_an_older_store_begins_with_its_inventory_in_force(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, [sim(1, imei=UNIT), sim(2)])
    make_older(tmp_path / "state.db", "0008")
    with open_store(tmp_path) as store:
        assert store.imeis.of([key(1), key(2)]) == {key(1): [SeenIn(UNIT, NOW, NOW)]}
