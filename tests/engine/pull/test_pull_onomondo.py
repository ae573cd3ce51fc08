"""`inventory pull` from Onomondo: what its list lacks comes from each SIM's own record, once."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.onomondo.simulator import OnomondoBehaviour
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.errors import Interrupted, Transient
from tests.worlds.onomondo_world import OnomondoWorld

CREW = 4
"""Requests in flight."""


def hardware(world: OnomondoWorld) -> dict[str, str | None]:
    with world.store() as store:
        return {sim.iccid.digits: sim.imei for sim in store.inventory.sims()}


def read_alone(world: OnomondoWorld) -> Counter[str]:
    """How often each SIM's own record was told."""
    return Counter(entry.path for entry in world.source.ledger.requests("GET", "/sims/") if entry.status == 200)


def test_hardware_that_the_list_lacks_is_read_of_each_sim_once_also_where_the_pull_was_stopped(tmp_path: Path) -> None:
    world = OnomondoWorld(tmp_path, sims=250)
    with pytest.raises(Interrupted):
        world.pull(quotas=True, stop_after_s=12)
    assert 0 < (already := len(read_alone(world))) < 250
    told: list[Any] = []
    result = world.pull(quotas=True, progress=lambda event, what: told.append((event, what)))
    assert (result.sims, result.resumed, result.quotas_failed) == (250, True, 0)
    assert hardware(world) == {sim.iccid: sim.imei for sim in world.source.fleet}
    assert set(read_alone(world).values()) == {1}
    (cost,) = [what for event, what in told if event == "one_by_one"]
    assert 0 < cost["requests"] == cost["sims"] <= 250 - already + CREW, "what is left, and no more"
    with world.store() as store:
        old = next(sim for sim in store.inventory.sims() if sim.imei)
        assert [seen.imei for seen in store.imeis.of([old.iccid.key])[old.iccid.key]] == [old.imei]


def test_a_list_that_tells_hardware_and_limit_costs_no_read_of_single_sims(tmp_path: Path) -> None:
    world = OnomondoWorld(
        tmp_path, sims=30, onomondo_behaviour=OnomondoBehaviour(list_imei=True, list_imsi=True, list_data_limit=True)
    )
    told: list[str] = []
    assert world.pull(quotas=True, progress=lambda event, _what: told.append(event)).sims == 30
    assert "one_by_one" not in told
    assert hardware(world) == {sim.iccid: sim.imei for sim in world.source.fleet}
    assert not read_alone(world)


def test_a_sim_whose_record_cannot_be_read_is_counted_and_keeps_what_the_list_told(tmp_path: Path) -> None:
    world = OnomondoWorld(tmp_path, sims=5)
    world.source.behaviour = replace(world.source.behaviour, rate_limit=None)
    bad = world.source.fleet[2]
    world.source.faults = FaultPlan(
        {Fault.SERVER_ERROR_BEFORE: 1.0}, spare=lambda _method, path: not path.endswith(bad.iccid)
    )
    result = world.pull(quotas=True)
    assert (result.sims, result.quotas_read, result.quotas_failed) == (5, 4, 1)
    assert hardware(world)[bad.iccid] is None


@pytest.mark.parametrize("told", [3, 200])
def test_a_total_that_tells_of_more_sims_than_the_list_has_is_said(tmp_path: Path, told: int) -> None:
    world = OnomondoWorld(tmp_path, sims=20, onomondo_behaviour=OnomondoBehaviour(told_too_many=told))
    result = world.pull()
    assert (result.sims, result.passes, result.falls_short) == (20, 2, True)


def test_the_next_page_is_asked_for_while_a_page_is_read_and_kept_and_no_page_further_ahead(tmp_path: Path) -> None:
    """Else our own work on a page is added to the time of every answer."""
    world = OnomondoWorld(tmp_path, sims=4500, onomondo_behaviour=OnomondoBehaviour(latency_s=0.15))
    asked: list[int] = []

    def note(event: str, _what: Any) -> None:
        if event == "page":
            asked.append(len(world.source.ledger.requests("GET", "/sims")))

    assert world.pull(progress=note).sims == 4500
    assert asked[1:5] == [3, 4, 5, 5], "behind each page but the first, and none behind the last"


def test_a_page_is_kept_though_the_one_behind_it_cannot_be_read(tmp_path: Path) -> None:
    world = OnomondoWorld(tmp_path, sims=25, onomondo_behaviour=OnomondoBehaviour(largest_limit=10))
    world.source.faults = FaultPlan(
        {Fault.SERVER_ERROR_BEFORE: 1.0},
        spare=lambda _method, _path: len(world.source.ledger.requests("GET", "/sims")) < 2,
    )
    kept: list[int] = []
    with pytest.raises(Transient):
        world.pull(progress=lambda event, what: kept.append(what["page"]) if event == "page" else None)
    assert kept == [1, 2]
    assert len(world.source.ledger.requests("GET", "/sims")) <= 2 + 6 + 1, "the third page's tries, not a fourth's"
    world.source.faults = FaultPlan()
    assert (result := world.pull()).sims == 25
    assert result.resumed
