"""The store knows whose SIMs an inventory lists, and mixes those of two accounts in no snapshot."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.core.fleet.sims import SourceAccount
from migrator.store import Store
from tests.builders import sim
from tests.store.store_kit import NOW, open_store, page_of, pulled

ONE, OTHER = SourceAccount("Onomondo", "key 00000001"), SourceAccount("Onomondo", "key 00000002")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened


def read(store: Store, reader: SourceAccount | None) -> int:
    """Read one page, and stop. Returns: how many SIMs the snapshot had before."""
    snapshot = store.inventory.open_snapshot("onomondo", NOW, reader=reader)
    store.inventory.save_pages(snapshot.snapshot_id, 1, [page_of([sim(1), sim(2)])], NOW)
    return snapshot.sims


def in_force(store: Store, reader: SourceAccount) -> None:
    read(store, reader)
    snapshot = store.inventory.open_snapshot("onomondo", NOW, reader=reader)
    store.inventory.end_pass(snapshot.snapshot_id, 1)
    store.inventory.complete_snapshot(snapshot.snapshot_id, 1, NOW)


def test_what_was_read_of_one_account_is_not_gone_on_with_by_the_login_of_another(store: Store) -> None:
    assert [read(store, ONE), read(store, ONE)] == [0, 2]
    assert [read(store, OTHER), read(store, OTHER)] == [0, 2]
    assert read(store, ONE) == 0


def test_what_an_earlier_version_read_is_gone_on_with(store: Store) -> None:
    read(store, None)
    assert read(store, ONE) == 2


def test_carrier_and_account_come_into_force_with_the_inventory(store: Store) -> None:
    assert store.inventory.source_account() == SourceAccount("1NCE")
    read(store, ONE)
    assert store.inventory.source_account() == SourceAccount("1NCE")
    in_force(store, ONE)
    assert store.inventory.source_account() == ONE
    read(store, OTHER)  # a pull under way changes nothing
    assert store.inventory.source_account() == ONE
    in_force(store, OTHER)
    assert store.inventory.source_account() == OTHER


def test_a_file_of_the_same_carrier_keeps_the_account_and_one_of_another_has_none(store: Store) -> None:
    in_force(store, ONE)
    for name, account in (("Onomondo", ONE.account), ("Elsewhere", None), ("Onomondo", None)):
        snapshot = store.inventory.open_snapshot("import", NOW, fresh=True, origin="sims.csv")
        store.inventory.save_pages(snapshot.snapshot_id, 1, [page_of([sim(1)])], NOW)
        store.inventory.end_pass(snapshot.snapshot_id, 1)
        store.inventory.complete_snapshot(snapshot.snapshot_id, 1, NOW, source=name)
        assert store.inventory.source_account() == SourceAccount(name, account)


def test_a_store_of_an_earlier_version_is_1nces_and_of_any_account(store: Store) -> None:
    pulled(store, [sim(1)])
    assert store.inventory.source_account() == SourceAccount("1NCE", None)
