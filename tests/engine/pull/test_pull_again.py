"""`inventory pull` of a list that says little that is new: no other row is written, and nothing is missed."""

import json
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.onence.simulator import OnenceBehaviour, SimStatus, TotalsHeaders
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.fleet.sims import SourceSim
from migrator.engine.pull import comparison
from migrator.errors import StoreBusy, StoreError, Transient
from migrator.ports import SourcePage, SourceRow
from migrator.store import Store
from migrator.store.inventory.snapshots import Snapshots
from tests.builders import sim
from tests.store.store_kit import NOW, open_store, page_of, pulled
from tests.worlds.onomondo_world import OnomondoWorld
from tests.worlds.world import World

DAY = 86_400.0
SIMS = 320


def rows(world: World, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(world.folder / "state.db")) as connection:
        return connection.execute(sql).fetchall()


def kept(world: World) -> list[tuple[Any, ...]]:
    """Every row of the fleet as it is kept, with the number of its snapshot."""
    return rows(world, "SELECT * FROM source_sims ORDER BY key")


def fleet_of(world: World) -> tuple[list[SourceSim], list[tuple[Any, ...]], str, int]:
    """The inventory, its raw records, the fingerprint by which plans find that it changed, and its count."""
    ((fingerprint, count),) = rows(world, "SELECT fingerprint, sims FROM snapshots WHERE state = 'in_force'")
    raw = "SELECT key, raw FROM source_sims NATURAL JOIN snapshots WHERE state = 'in_force' ORDER BY key"
    with world.store() as store:
        return list(store.inventory.sims()), rows(world, raw), fingerprint, count


def read_anew(world: World, folder: Path) -> tuple[list[SourceSim], list[tuple[Any, ...]], str, int]:
    """What an empty store makes of the same list."""
    folder.mkdir()
    here, world.folder = world.folder, folder
    world.pull()
    found = fleet_of(world)
    world.folder = here
    return found


@pytest.mark.parametrize("headers", list(TotalsHeaders))
def test_a_list_without_news_replaces_no_row_and_renews_the_time_of_the_inventory(
    tmp_path: Path, headers: TotalsHeaders
) -> None:
    world = World(tmp_path, sims=SIMS, onence_behaviour=OnenceBehaviour(totals_headers=headers))
    world.pull()
    before, pages = kept(world), len(world.source.ledger.requests("GET", "/sims"))
    asked_once = pages
    world.wait(DAY)
    result = world.pull()
    assert (result.sims, result.passes, result.settled, result.dropped.sims) == (SIMS, 1, True, 0)
    assert kept(world) == before
    assert len(world.source.ledger.requests("GET", "/sims")) == pages + asked_once, "as many requests as the first time"
    ((completed_at,),) = rows(world, "SELECT completed_at FROM snapshots WHERE state = 'in_force'")
    assert completed_at == pytest.approx(world.now().timestamp(), abs=60)
    events = [event for (event,) in rows(world, "SELECT kind FROM events WHERE kind LIKE 'inventory.%' ORDER BY seq")]
    assert events == ["inventory.completed", "inventory.renewed"]


def relabelled(world: World) -> None:
    world.source.fleet[150].label = "elsewhere"


def disabled(world: World) -> None:
    world.source.fleet[-1].status = SimStatus.DISABLED


def moved(world: World) -> None:
    world.source.fleet[0].imei = "8600000000000104"


def topped_up(world: World) -> None:
    world.source.fleet[99].data_quota_mb = Decimal(1000)


def used_up(world: World) -> None:
    """The raw record alone tells it."""
    world.source.fleet[42].data_remaining_mb = Decimal(0)


def grown(world: World) -> None:
    world.source.fleet.insert_newcomer()


def shrunk(world: World) -> None:
    del world.source.fleet[200]


def exchanged(world: World) -> None:
    """As many SIMs as before, and one of them is another."""
    del world.source.fleet[317]
    world.source.fleet.insert_newcomer()


def turned(world: World) -> None:
    """The same SIMs in another order."""
    other = world.source.fleet[250]
    del world.source.fleet[250]
    world.source.fleet.insert(10, other)


def nothing(_world: World) -> None:
    """The world stands still."""


HAPPENS = [relabelled, disabled, moved, topped_up, used_up, grown, shrunk, exchanged, turned, nothing]


@pytest.mark.parametrize("happens", [relabelled, disabled, moved, topped_up, used_up, grown])
def test_a_changed_row_alone_is_written(tmp_path: Path, happens: Callable[[World], None]) -> None:
    world = World(tmp_path, sims=SIMS)
    world.pull()
    before = {row[1]: row for row in kept(world)}
    world.wait(DAY)
    happens(world)
    world.pull()
    (changed,) = [row for row in kept(world) if row != before.get(row[1])]
    ((detail,),) = rows(world, "SELECT detail FROM events WHERE kind = 'inventory.renewed'")
    assert json.loads(detail)["changed"] == 1
    assert changed[0] == 1, "within the inventory that is in force"
    assert len(kept(world)) == len(world.source.fleet)


@pytest.mark.parametrize("happens", HAPPENS)
@pytest.mark.parametrize("headers", [TotalsHeaders.LOWER_CASE, TotalsHeaders.ABSENT])
def test_whatever_changed_the_inventory_is_what_a_new_store_would_read(
    tmp_path: Path, happens: Callable[[World], None], headers: TotalsHeaders
) -> None:
    world = World(tmp_path / "first", sims=SIMS, onence_behaviour=OnenceBehaviour(totals_headers=headers))
    world.folder.mkdir()
    world.pull()
    world.wait(DAY)
    happens(world)
    world.pull()
    assert fleet_of(world) == read_anew(world, tmp_path / "anew")


@pytest.mark.share(3)
@pytest.mark.parametrize("seed", range(12))
def test_many_small_changes_one_after_the_other_leave_what_a_new_store_would_read(tmp_path: Path, seed: int) -> None:
    """With pages that are known, pages that are not, and pulls that die between them."""
    chance = random.Random(seed)
    world = World(tmp_path / "first", sims=SIMS, seed=seed)
    world.folder.mkdir()
    world.pull()
    for _ in range(4):
        world.wait(DAY)
        chance.choice(HAPPENS)(world)
        lost = [Fault.NONE] * chance.randrange(1, 4) + [Fault.LOSE_BEFORE] * 200
        world.source.faults = FaultPlan(scripted=lost, scripted_for=lambda _method, path: path.endswith("/sims"))
        with pytest.raises(Transient):
            world.pull(workers=1)
        world.source.faults = FaultPlan()
        world.pull(workers=chance.choice([1, 4]))
    assert fleet_of(world) == read_anew(world, tmp_path / "anew")


def test_pages_that_are_known_are_on_disk_whatever_ends_the_pull(tmp_path: Path) -> None:
    world = World(tmp_path, sims=900)
    world.pull()
    world.source.faults = FaultPlan(
        scripted=[Fault.NONE] * 5 + [Fault.LOSE_BEFORE] * 200, scripted_for=lambda _method, path: path.endswith("/sims")
    )
    with pytest.raises(Transient):
        world.pull(workers=1)
    assert len(rows(world, "SELECT * FROM snapshot_pages WHERE snapshot_id = 2")) == 5
    assert len(rows(world, "SELECT * FROM source_sims WHERE snapshot_id = 2")) == 500
    world.source.faults = FaultPlan()
    asked = len(world.source.ledger.requests("GET", "/sims"))
    result = world.pull(workers=1)
    assert (result.sims, result.resumed, result.settled) == (900, True, True)
    assert len(world.source.ledger.requests("GET", "/sims")) - asked <= 7, "page 1, the other four, what is behind"


def test_a_list_of_another_version_of_the_api_replaces_the_inventory(tmp_path: Path) -> None:
    world = World(tmp_path, sims=30)
    world.pull()
    world.source.behaviour = replace(world.source.behaviour, v2_available=False)
    world.pull()
    assert {number for (number,) in rows(world, "SELECT snapshot_id FROM source_sims")} == {2}


def test_what_remains_is_never_older_than_the_inventory_says(tmp_path: Path) -> None:
    """A later pull that does not read the volumes forgets them, as it did before."""
    world = World(tmp_path, sims=30)
    world.pull(quotas=True)
    assert all(sim.data_remaining_mb is not None for sim in fleet_of(world)[0])
    world.pull()
    assert all(sim.data_remaining_mb is None for sim in fleet_of(world)[0])


def test_hardware_was_last_seen_by_the_pull_that_confirmed_it(tmp_path: Path) -> None:
    world = World(tmp_path, sims=30)
    world.source.fleet[3].imei = "3520990017614812"
    world.pull()
    ((first_s,),) = rows(world, "SELECT completed_at FROM snapshots WHERE state = 'in_force'")
    world.wait(DAY)
    world.pull()
    ((last_s,),) = rows(world, "SELECT completed_at FROM snapshots WHERE state = 'in_force'")
    with world.store() as store:
        key = next(sim.iccid.key for sim in store.inventory.sims() if sim.imei == "3520990017614812")
        (seen,) = store.imeis.of([key])[key]
    assert (seen.first_seen_s, seen.last_seen_s) == (first_s, last_s)
    assert last_s - first_s >= DAY


def test_an_inventory_that_another_one_replaced_meanwhile_is_not_renewed(tmp_path: Path) -> None:
    """The lease keeps two pulls apart; should it fail, the newer inventory stays as it is."""
    world = World(tmp_path, sims=30)
    world.pull()
    now = world.now().timestamp()
    with world.store() as store:
        base = store.inventory.comparable("v2")
        assert base is not None
        _replaced(store, store.inventory.open_snapshot("v2", now).snapshot_id, now)
        again = store.inventory.open_snapshot("v2", now).snapshot_id
        with pytest.raises(StoreError, match="replaced or renewed"):
            store.inventory.renew(again, base, [], 30, now)
        with pytest.raises(StoreError, match="replaced or renewed"):
            store.inventory.save_compared(again, base, [], now)


def test_an_inventory_that_another_pull_renewed_meanwhile_is_not_renewed_by_an_older_list(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, [sim(1), sim(2)])
        older, _snapshot = comparing(store)
        newer, _snapshot = comparing(store)
        assert older.take([page_of([sim(1), sim(2)])])
        assert newer.take([page_of([sim(1, label="newer"), sim(2)])])
        assert newer.renew(2, NOW + 1)
        comparing(store)
        for late in (lambda: older.renew(2, NOW + 2), lambda: older.write_down(NOW + 2)):
            with pytest.raises(StoreError, match="another command"):
                late()
        assert [one.label for one in store.inventory.sims()] == ["newer", "unit 2"]


def test_a_snapshot_that_another_pull_closed_takes_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, [sim(1)])
        late, snapshot = comparing(store)
        assert late.take([page_of([sim(1)])])
        store.inventory.discard_snapshot(snapshot)
        for act in (lambda: late.renew(1, NOW + 2), lambda: late.write_down(NOW + 2)):
            with pytest.raises(StoreError, match="discarded: another command"):
                act()


def test_a_store_that_fails_at_the_end_keeps_what_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next pull asks for nothing of it again."""
    world = World(tmp_path, sims=SIMS)
    world.pull()

    def busy(*_: Any) -> bool:
        raise StoreBusy("another command writes")

    with monkeypatch.context() as patched:
        patched.setattr(Snapshots, "renew", busy)
        with pytest.raises(StoreBusy):
            world.pull()
    assert len(rows(world, "SELECT * FROM snapshot_pages WHERE snapshot_id = 2")) == 4
    asked = len(world.source.ledger.requests("GET", "/sims"))
    result = world.pull()
    assert (result.sims, result.resumed) == (SIMS, True)
    assert len(world.source.ledger.requests("GET", "/sims")) - asked <= 2


def test_a_pull_that_was_killed_while_nothing_was_written_goes_on_with_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, sims=SIMS)
    world.pull()
    with world.store() as store:  # what the killed one leaves
        store.inventory.open_snapshot("v2", world.now().timestamp())
    result = world.pull()
    assert (result.sims, result.resumed) == (SIMS, False)


def test_labels_that_were_not_read_whole_are_told_by_each_pull(tmp_path: Path) -> None:
    world = World(tmp_path, sims=SIMS)
    world.source.fleet[7].label = "pump \ufffd"
    first = [words for words in world.pull().warnings if "label" in words]
    again = [words for words in world.pull().warnings if "label" in words]
    assert first == again != []


def test_names_are_looked_up_in_the_inventory_as_it_was_renewed(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, [sim(1), sim(2)])
        assert set(store.sim_names.named("label", ["unit 1", "moved"])) == {"unit 1"}
        late, _snapshot = comparing(store)
        assert late.take([page_of([sim(1, label="moved"), sim(2)])])
        assert late.renew(2, NOW + 1)
        assert set(store.sim_names.named("label", ["unit 1", "moved"])) == {"moved"}


def _replaced(store: Store, number: int, now: float) -> None:
    store.inventory.end_pass(number, 1)
    store.inventory.complete_snapshot(number, 1, now)


def test_who_reads_the_inventory_while_it_is_renewed_is_told(tmp_path: Path) -> None:
    world = World(tmp_path, sims=SIMS)
    world.pull()
    world.wait(DAY)
    relabelled(world)
    with world.store() as store:
        reading = store.inventory.sims()
        next(reading)
        world.pull()
        with pytest.raises(StoreBusy, match="replaced the inventory"):
            list(reading)
        planning = store.plans.candidates()
        next(iter(planning))
        world.wait(DAY)
        world.pull()
        with pytest.raises(StoreBusy, match="replaced the inventory"):
            list(planning)


@pytest.mark.parametrize("is_written_anew", [False, True])
def test_hardware_that_changed_was_last_seen_by_the_pull_before(tmp_path: Path, *, is_written_anew: bool) -> None:
    """However many pulls in between found nothing new."""
    world = World(tmp_path, sims=30)
    world.source.fleet[3].imei = "3520990017614812"
    iccid = world.source.fleet[3].iccid
    world.pull()
    world.wait(DAY)
    world.pull()
    ((last_s,),) = rows(world, "SELECT completed_at FROM snapshots WHERE state = 'in_force'")
    world.wait(DAY)
    world.source.fleet[3].imei = "8600000000000104"
    if is_written_anew:
        del world.source.fleet[7]
    world.pull()
    with world.store() as store:
        key = next(sim.iccid.key for sim in store.inventory.sims() if sim.iccid.digits == iccid)
        first, second = store.imeis.of([key])[key]
    assert (first.imei, first.last_seen_s) == ("3520990017614812", last_s)
    assert second.last_seen_s == pytest.approx(world.now().timestamp(), abs=60)


def test_the_login_that_renewed_the_inventory_is_kept(tmp_path: Path) -> None:
    world = World(tmp_path, sims=30)
    for account in ("one", "two"):
        world.pull(account=account)
        with world.store() as store:
            assert store.inventory.source_account().account == account


def test_a_sim_that_is_new_gets_its_baseline_and_the_others_keep_theirs(tmp_path: Path) -> None:
    world = World(tmp_path, sims=30)
    world.pull()
    label = world.source.fleet[3].label
    changed, new = world.source.fleet[3].iccid, world.source.fleet.insert_newcomer()
    world.source.fleet[4].label = "elsewhere"
    world.pull()
    with world.store() as store:
        keys = {sim.iccid.digits: sim.iccid.key for sim in store.inventory.sims()}
        found = store.baselines.of([keys[changed], keys[new.iccid]])
    assert found[keys[changed]].label == label
    assert found[keys[new.iccid]].label == new.label


def test_a_list_with_many_changes_becomes_an_inventory_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "MOST_CHANGED", 10)
    world = World(tmp_path / "first", sims=SIMS)
    world.folder.mkdir()
    world.pull()
    for number in range(0, SIMS, 20):
        world.source.fleet[number].label = f"moved {number}"
    world.pull()
    assert {row[0] for row in kept(world)} == {2}
    assert fleet_of(world) == read_anew(world, tmp_path / "anew")


def test_onomondos_list_without_news_replaces_no_row(tmp_path: Path) -> None:
    world = OnomondoWorld(tmp_path, sims=120)
    world.pull()
    before = kept(world)
    world.wait(DAY)
    assert world.pull().sims == 120
    assert kept(world) == before


def test_a_pull_that_reads_more_than_the_list_reads_it_of_every_sim(tmp_path: Path) -> None:
    world = World(tmp_path, sims=30)
    world.pull()
    assert world.pull(quotas=True).quotas_read == 30
    assert world.pull(limits=True).settled
    with world.store() as store:
        assert store.inventory.account_limits() is not None


@pytest.mark.parametrize("first", ["changed", "as it was"])
@pytest.mark.parametrize("pages", [1, 2])
def test_a_sim_that_is_listed_twice_and_differs_is_read_as_in_any_other_pull(
    tmp_path: Path, first: str, pages: int
) -> None:
    """Somebody edits its label while it moves in the list: the later row counts."""
    was, edited = sim(1), sim(1, label="edited")
    one, two = (edited, was) if first == "changed" else (was, edited)
    listed = [page_of([one, sim(2), two])] if pages == 1 else [page_of([one]), page_of([sim(2), two], 2)]
    with open_store(tmp_path) as store:
        pulled(store, [was, sim(2)])
        compare, snapshot = comparing(store)
        assert compare.take(listed)
        assert not compare.renew(compare.passed().sims, NOW)
        compare.write_down(NOW)
        _replaced(store, snapshot, NOW)
        assert list(store.inventory.sims()) == [two, sim(2)]


def comparing(store: Store) -> tuple[comparison.Comparison, int]:
    """A comparison with the inventory in force, and the number of its open snapshot."""
    snapshot, base = store.inventory.open_snapshot("v2", NOW).snapshot_id, store.inventory.comparable("v2")
    assert base is not None
    return comparison.Comparison(store.inventory, snapshot, base), snapshot


def test_an_inventory_of_a_file_or_with_rows_that_could_not_be_read_is_never_renewed(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        for origin, unreadable in (("fleet.csv", 0), (None, 1)):
            number = store.inventory.open_snapshot("v2", NOW, fresh=True, origin=origin).snapshot_id
            bad = [SourceRow({"iccid": "?"}, None, "no ICCID")] * unreadable
            store.inventory.save_pages(number, 1, [SourcePage(1, [SourceRow({}, sim(1)), *bad])], NOW)
            _replaced(store, number, NOW)
            assert store.inventory.comparable("v2") is None


def test_rows_that_cannot_be_read_end_the_comparison(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, [sim(1)])
        compare, _snapshot = comparing(store)
        assert not compare.take([SourcePage(1, [SourceRow({"iccid": "?"}, None, "no ICCID")])])
