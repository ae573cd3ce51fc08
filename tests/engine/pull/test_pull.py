"""`inventory pull` against the simulated carrier, on a virtual clock."""

import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.onence.simulator import (
    BeyondEnd,
    ListOrder,
    Missing,
    OnenceBehaviour,
    TotalsHeaders,
    TotalsScope,
)
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.errors import InputError, Interrupted, Transient
from tests.worlds.world import World


def fleet(world: World) -> set[str]:
    return {sim.iccid for sim in world.source.fleet}


def inventory(world: World) -> set[str]:
    with world.store() as store:
        return {sim.iccid.digits for sim in store.inventory.sims()}


def pages_asked(world: World) -> list[int]:
    return [int(entry.query["page"]) for entry in world.source.ledger.requests("GET", "/sims") if "page" in entry.query]


def pages_on_disk(world: World) -> int:
    with closing(sqlite3.connect(world.folder / "state.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM snapshot_pages").fetchone()[0])


def pages_while_reading(world: World, *, rps: float) -> list[int]:
    """How many pages were on disk as each page came."""
    found: list[int] = []

    def progress(what: str, _values: Mapping[str, Any]) -> None:
        if what == "page":
            found.append(pages_on_disk(world))

    world.pull(workers=1, rps=rps, progress=progress)
    return found


def quotas_answered(world: World) -> Counter[tuple[str, str]]:
    """How often each SIM's volume of data and of SMS was told."""
    told = (entry.path.split("/") for entry in world.source.ledger.entries if "/quota/" in entry.path)
    return Counter((parts[-3], parts[-1]) for parts in told)


@pytest.mark.parametrize("sims", [1, 99, 100, 101, 350])
def test_every_sim_is_listed_once(tmp_path: Path, sims: int) -> None:
    world = World(tmp_path, sims=sims)
    result = world.pull()
    assert (result.sims, result.passes, result.settled) == (sims, 1, True)
    assert inventory(world) == fleet(world)
    pages = -(-sims // 100) + (sims % 100 == 0)  # behind a full page there may be more
    assert sorted(pages_asked(world)) == list(range(1, pages + 1))


@pytest.mark.parametrize("beyond", list(BeyondEnd))
def test_a_list_without_totals_is_read_to_its_end(tmp_path: Path, beyond: BeyondEnd) -> None:
    """The page past the end may be empty, unknown, or the last one again."""
    behaviour = OnenceBehaviour(totals_headers=TotalsHeaders.ABSENT, beyond_end=beyond)
    world = World(tmp_path, sims=230, onence_behaviour=behaviour)
    assert world.pull().sims == 230
    assert inventory(world) == fleet(world)
    assert len(pages_asked(world)) <= 4


@pytest.mark.parametrize("has_v2", [True, False])
@pytest.mark.parametrize("totals", [TotalsScope.ONE_PAGE, TotalsScope.NO_PAGES])
@pytest.mark.parametrize("sims", [42, 100, 250, 300])
def test_totals_that_speak_of_one_page_do_not_end_a_list(
    tmp_path: Path, sims: int, totals: TotalsScope, *, has_v2: bool
) -> None:
    world = World(tmp_path, sims=sims, onence_behaviour=OnenceBehaviour(totals=totals, v2_available=has_v2))
    result = world.pull()
    assert (result.sims, result.settled) == (sims, True)
    assert inventory(world) == fleet(world)


@pytest.mark.parametrize("beyond", list(BeyondEnd))
@pytest.mark.parametrize("totals", list(TotalsScope))
def test_a_full_last_page_is_followed_by_one_more_request(
    tmp_path: Path, totals: TotalsScope, beyond: BeyondEnd
) -> None:
    world = World(tmp_path, sims=200, onence_behaviour=OnenceBehaviour(totals=totals, beyond_end=beyond))
    result = world.pull()
    assert (result.sims, result.settled) == (200, True)
    assert sorted(pages_asked(world)) == sorted([1, 2, 3] * result.passes)


def test_totals_that_are_too_small_are_overruled_by_two_passes_that_agree_and_it_is_said(tmp_path: Path) -> None:
    """Who is told of 50 SIMs and reads the same 250 twice has the list; nobody else can tell more."""
    world = World(tmp_path, sims=250, onence_behaviour=OnenceBehaviour(totals=TotalsScope.ONE_PAGE))
    result = world.pull()
    assert (result.passes, result.listed) == (2, 50)
    assert "totals" in result.warnings[0]
    assert world.pull().settled


@pytest.mark.parametrize(
    ("behaviour", "listed", "doubles"),
    [
        (OnenceBehaviour(told_too_many=2), 252, 0),
        (OnenceBehaviour(listed_twice=3), 253, 3),
        (OnenceBehaviour(listed_twice=3, told_too_many=1), 254, 3),
        (OnenceBehaviour(told_too_many=2, beyond_end=BeyondEnd.LAST_SHUFFLED), 252, 0),
    ],
)
def test_a_count_that_never_fits_is_settled_once_two_passes_bring_the_same_sims(
    tmp_path: Path, behaviour: OnenceBehaviour, listed: int, doubles: int
) -> None:
    world = World(tmp_path, sims=250, onence_behaviour=behaviour)
    result = world.pull()
    assert (result.sims, result.listed, result.doubles) == (250, listed, doubles)
    assert (result.settled, result.falls_short, result.passes) == (True, True, 2)
    assert f"tell of {listed} SIMs" in result.warnings[-1]
    assert (f"{doubles} of its rows" in result.warnings[-1]) == bool(doubles)
    assert inventory(world) == fleet(world)


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("beyond", list(BeyondEnd))
def test_a_list_without_an_end_stops_once_pages_bring_nothing_new(
    tmp_path: Path, beyond: BeyondEnd, workers: int
) -> None:
    """A thousand million pages are promised, and three are there."""
    behaviour = OnenceBehaviour(pages_promised=10**9, beyond_end=beyond)
    world = World(tmp_path, sims=230, onence_behaviour=behaviour)
    result = world.pull(workers=workers)
    assert (result.sims, result.settled, result.falls_short) == (230, True, False)
    assert "promises 1000000000 pages" in result.warnings[-1]
    assert inventory(world) == fleet(world)
    assert len(pages_asked(world)) <= 25


def test_totals_past_what_a_store_holds_are_totals_that_never_fit(tmp_path: Path) -> None:
    behaviour = OnenceBehaviour(pages_promised=10**30, told_too_many=2**63)
    result = World(tmp_path, sims=130, onence_behaviour=behaviour).pull()
    assert (result.sims, result.settled, result.falls_short) == (130, True, True)


def test_a_list_that_comes_in_another_order_each_time_is_never_settled_by_its_count(tmp_path: Path) -> None:
    """Two passes that miss different SIMs say nothing of the list."""
    behaviour = OnenceBehaviour(list_order=ListOrder.RESHUFFLED, told_too_many=2)
    assert not World(tmp_path, sims=550, onence_behaviour=behaviour).pull().settled


def test_a_pull_that_dies_past_the_told_end_goes_on_from_there(tmp_path: Path) -> None:
    world = World(tmp_path, sims=450, onence_behaviour=OnenceBehaviour(totals=TotalsScope.ONE_PAGE))
    world.source.faults = FaultPlan(
        scripted=[Fault.NONE] * 3 + [Fault.LOSE_BEFORE] * 200, scripted_for=lambda _method, path: path.endswith("/sims")
    )
    with pytest.raises(Transient):
        world.pull(workers=1)
    world.source.faults = FaultPlan()
    result = world.pull(workers=1)
    assert (result.resumed, result.sims, result.settled) == (True, 450, True)
    assert inventory(world) == fleet(world)


def shrink(world: World, sims: int) -> None:
    for _ in range(sims):
        del world.source.fleet[0]


@pytest.mark.parametrize(
    ("sims", "gone", "is_refused"), [(30, 5, False), (30, 6, True), (200, 10, False), (200, 11, True)]
)
def test_a_pull_that_leaves_out_many_sims_is_refused_and_changes_nothing(
    tmp_path: Path, sims: int, gone: int, *, is_refused: bool
) -> None:
    world = World(tmp_path, sims=sims)
    world.pull()
    before = inventory(world)
    shrink(world, gone)
    if is_refused:
        with pytest.raises(InputError, match=f"leaves out, of the inventory in force, {gone} of its SIMs") as refused:
            world.pull()
        assert refused.value.code == "inventory_shrinks"
        assert inventory(world) == before
    else:
        assert world.pull().dropped.sims == gone
        assert inventory(world) == fleet(world)


def test_a_share_of_its_own_holds_and_none_is_not_one_sim(tmp_path: Path) -> None:
    world = World(tmp_path, sims=30)
    world.pull()
    shrink(world, 1)
    with pytest.raises(InputError):
        world.pull(most_dropped=0.0)
    shrink(world, 10)
    assert world.pull(most_dropped=0.5).dropped.sims == 11


def test_a_list_that_was_refused_is_taken_with_replace_and_not_read_again(tmp_path: Path) -> None:
    world = World(tmp_path, sims=230)
    world.pull()
    shrink(world, 130)
    with pytest.raises(InputError):
        world.pull()
    asked = len(pages_asked(world))
    result = world.pull(replace=True)
    assert (result.sims, result.dropped.sims, result.passes) == (100, 130, 1)
    assert inventory(world) == fleet(world)
    assert len(pages_asked(world)) - asked == 1  # the first page, which tells the API's version


def test_an_old_list_is_read_again_with_replace(tmp_path: Path) -> None:
    world = World(tmp_path, sims=230)
    world.pull()
    shrink(world, 130)
    with pytest.raises(InputError):
        world.pull()
    world.wait(3700)
    shrink(world, 10)
    assert world.pull(replace=True).sims == 90
    assert inventory(world) == fleet(world)


def test_half_of_a_later_pass_is_never_taken_for_a_list_that_was_refused(tmp_path: Path) -> None:
    """Without totals nothing else tells that the SIMs of the later pass are missing from the one before."""
    world = World(tmp_path, sims=600, onence_behaviour=OnenceBehaviour(totals_headers=TotalsHeaders.ABSENT))
    world.pull()
    shrink(world, 150)
    with pytest.raises(InputError):
        world.pull()
    world.source.faults = FaultPlan(
        scripted=[Fault.NONE] * 3 + [Fault.LOSE_BEFORE] * 200, scripted_for=lambda _method, path: path.endswith("/sims")
    )
    with pytest.raises(Transient):
        world.pull(workers=1)
    world.source.faults = FaultPlan()
    assert world.pull(replace=True).sims == 450
    assert inventory(world) == fleet(world)


def test_a_pull_after_a_refusal_reads_again_and_passes_once_the_list_is_whole(tmp_path: Path) -> None:
    world = World(tmp_path, sims=130)
    world.pull()
    before, gone = inventory(world), world.source.fleet[:30]
    shrink(world, 30)
    with pytest.raises(InputError):
        world.pull()
    for sim in gone:
        world.source.fleet.insert(0, sim)
    result = world.pull()
    assert (result.resumed, result.dropped.sims) == (True, 0)
    assert inventory(world) == before


@pytest.mark.parametrize("missing", list(Missing))
def test_missing_values_are_none_however_they_are_told(tmp_path: Path, missing: Missing) -> None:
    world = World(tmp_path, sims=120, onence_behaviour=OnenceBehaviour(missing=missing))
    world.pull()
    with world.store() as store:
        labels = {sim.iccid.digits: sim.label for sim in store.inventory.sims()}
    assert labels == {sim.iccid: sim.label or None for sim in world.source.fleet}


def test_a_fleet_that_grows_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    """A new SIM at the head of the list shifts every row behind it: one doubled, one perhaps unseen."""
    behaviour = OnenceBehaviour(insert_every_pages=2, drift_at_most=2)
    world = World(tmp_path, sims=550, onence_behaviour=behaviour)
    result = world.pull()
    assert result.settled
    assert result.passes > 1
    assert inventory(world) == fleet(world)


def test_a_fleet_that_shrinks_while_it_is_read_leaves_nobody_behind(tmp_path: Path) -> None:
    behaviour = OnenceBehaviour(remove_every_pages=2, drift_at_most=2)
    world = World(tmp_path, sims=550, onence_behaviour=behaviour)
    assert world.pull().settled
    assert inventory(world) == fleet(world)


def test_a_list_that_never_settles_says_how_far_it_is_off_and_leaves_the_inventory_alone(tmp_path: Path) -> None:
    world = World(tmp_path, sims=320)
    world.pull()
    before = inventory(world)
    world.source.behaviour = OnenceBehaviour(insert_every_pages=1)
    result = world.pull()
    assert not result.settled
    assert result.listed is not None
    assert inventory(world) == before


def test_a_pull_that_dies_goes_on_where_it_stopped(tmp_path: Path) -> None:
    world = World(tmp_path, sims=900)
    world.source.faults = FaultPlan(
        scripted=[Fault.NONE] * 4 + [Fault.LOSE_BEFORE] * 200, scripted_for=lambda _method, path: path.endswith("/sims")
    )
    with pytest.raises(Transient):
        world.pull(workers=1)
    world.source.faults = FaultPlan()
    done = len([entry for entry in world.source.ledger.requests("GET", "/sims") if entry.status == 200])
    result = world.pull(workers=1)
    assert result.resumed
    assert inventory(world) == fleet(world)
    answered = len([entry for entry in world.source.ledger.requests("GET", "/sims") if entry.status == 200])
    assert answered - done <= 9 - done + 2  # page 1 once more, and one behind the last, which is full


def test_pages_that_come_one_after_the_other_are_each_on_disk_before_the_next(tmp_path: Path) -> None:
    """A process that is killed reads none of them again."""
    world = World(tmp_path, sims=900)
    assert pages_while_reading(world, rps=8.0) == list(range(1, 10))


def test_pages_in_quick_succession_are_on_disk_whatever_ends_the_pull(tmp_path: Path) -> None:
    world = World(tmp_path, sims=900)
    world.source.faults = FaultPlan(
        scripted=[Fault.NONE] * 6 + [Fault.LOSE_BEFORE] * 200, scripted_for=lambda _method, path: path.endswith("/sims")
    )
    with pytest.raises(Transient):
        world.pull(workers=1, rps=1000.0)
    assert pages_on_disk(world) == 6


def test_pages_in_quick_succession_share_a_commit(tmp_path: Path) -> None:
    """A commit costs as much as its page."""
    world = World(tmp_path, sims=900)
    assert len(set(pages_while_reading(world, rps=1000.0))) <= 3
    assert inventory(world) == fleet(world)


def test_what_remains_is_read_for_every_sim_and_a_failed_read_is_not_zero(tmp_path: Path) -> None:
    world = World(tmp_path, sims=40)
    world.source.faults = FaultPlan(
        scripted=[Fault.HTML] * 6, scripted_for=lambda _method, path: path.endswith("/quota/data")
    )
    result = world.pull(quotas=True, workers=1)
    assert (result.quotas_read, result.quotas_failed) == (39, 1)
    with world.store() as store:
        sims = list(store.inventory.sims())
    assert [sim.data_reading.value for sim in sims].count("failed") == 1
    assert all(sim.data_remaining_mb is None for sim in sims if sim.data_reading.value == "failed")


def test_a_pull_that_is_stopped_among_the_volumes_keeps_those_that_it_read(tmp_path: Path) -> None:
    """Only what was in flight is asked again: one SIM a worker."""
    world = World(tmp_path, sims=318, onence_behaviour=OnenceBehaviour(latency_s=0.15))
    with pytest.raises(Interrupted):
        world.pull(quotas=True, workers=8, stop_after_s=60)
    answered = quotas_answered(world)
    assert answered.total() > 318, "it was stopped half way, within a commit"
    assert world.pull(quotas=True, workers=8).quotas_read > 0
    assert set(quotas_answered(world)) == {(iccid, service) for iccid in fleet(world) for service in ("data", "sms")}
    assert sum(times - 1 for times in quotas_answered(world).values()) <= 8


def test_a_token_that_expires_in_the_middle_is_renewed(tmp_path: Path) -> None:
    world = World(tmp_path, sims=3000, onence_behaviour=OnenceBehaviour(token_life_s=2))
    assert world.pull().sims == 3000


def test_reading_changes_nothing_at_the_source(tmp_path: Path) -> None:
    world = World(tmp_path, sims=120)
    world.pull(quotas=True)
    assert list(world.source.writes) == []
    assert world.source.ledger.forbidden == []


def test_no_request_is_refused_for_its_pace(tmp_path: Path) -> None:
    world = World(tmp_path, sims=2000, onence_behaviour=OnenceBehaviour(latency_s=0.15))
    world.pull()
    assert [entry for entry in world.source.ledger.entries if entry.status == 429] == []
