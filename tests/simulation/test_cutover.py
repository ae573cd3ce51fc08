"""`cutover` and `rollback` against both simulated carriers, on a virtual clock."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from migrator.core.results import ExitCode
from migrator.core.switch_plan import Require
from migrator.executor.switch_context import SwitchOptions
from migrator.platforms.onence.simulator import OnenceSwitches
from migrator.platforms.onence.simulator.choices import OmittedFields
from migrator.platforms.onence.simulator.model import SimStatus
from migrator.platforms.simulation import Fault, FaultPlan
from tests.simulation.switching import SwitchWorld
from tests.simulation.world import POLICY

VERSIONS = ["v1", "v2"]
CANARY = POLICY.replace('name = "all"', 'name = "canary"\ncount = 5\n[[waves]]\nname = "rest"')


def migrated(folder: Path, *, silent: int = 4, sims: int = 30, **values: Any) -> SwitchWorld:
    world = SwitchWorld(folder, sims=sims, **values)
    world.migrated(silent=silent)
    return world


@pytest.fixture
def world(tmp_path: Path) -> SwitchWorld:
    return migrated(tmp_path)


def truly(world: SwitchWorld, old: str) -> Any:
    """The old SIM, to be changed behind our back."""
    sim = world.source.fleet.find(old)
    assert sim is not None
    return sim


def a_sim(world: SwitchWorld, *, nth: int = 0) -> str:
    """One of the SIMs that the newest plan switches."""
    with world.store() as store:
        header = store.switches.header(store.switches.newest() or "")
    return sorted(world.meant(header))[nth]


def orders_only(*faults: Fault) -> FaultPlan:
    return FaultPlan(scripted=faults, scripted_for=lambda method, path: method != "GET" and "/sims" in path)


# --- who qualifies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_cutover_switches_off_exactly_the_sims_that_qualify(tmp_path: Path, version: Any) -> None:
    world = migrated(tmp_path, api_version=version)
    already_off = world.off()
    header = world.cutover_plan()
    meant = world.meant(header)
    result = world.cut_over()
    assert result.exit_code is ExitCode.DONE, result
    assert result.proved == len(meant) == header.count > 20
    assert world.off() - already_off == meant
    world.check_values()


def test_every_source_sim_is_in_the_plan_once_with_its_reason(world: SwitchWorld) -> None:
    rows = world.rows(world.cutover_plan())
    assert set(rows) == {sim.iccid for sim in world.source.fleet}
    assert Counter(reason for _, reason in rows.values())["no_traffic"] == 4


def test_a_sim_that_never_passed_data_stays_on(world: SwitchWorld) -> None:
    header = world.cutover_plan()
    silent = {old for old, (_, reason) in world.rows(header).items() if reason == "no_traffic"}
    world.cut_over()
    assert silent
    assert not silent & world.off()


def test_data_from_before_the_claim_is_no_sign_of_life(world: SwitchWorld) -> None:
    silent = {old for old, (_, reason) in world.rows(world.cutover_plan()).items() if reason == "no_traffic"}
    old = min(silent)
    world.let_pass_data(world.pairs()[old], after_s=-3600)
    assert world.rows(world.cutover_plan())[old] == ("LEAVE_ON", "no_traffic")
    world.let_pass_data(world.pairs()[old], after_s=60)
    assert world.rows(world.cutover_plan())[old] == ("SWITCH_OFF", "qualifies")


def test_where_the_device_record_tells_no_connection_usage_is_asked(tmp_path: Path) -> None:
    world = migrated(tmp_path)
    real = world.target.sims
    world.cutover_plan()
    assert world.target.ledger.requests("GET", "/usage/data")  # for the silent ones alone
    assert len(world.target.ledger.requests("GET", "/usage/data")) == 4
    assert real


def test_verified_is_enough_where_it_is_asked_for(world: SwitchWorld) -> None:
    strict = world.cutover_plan().count
    assert world.cutover_plan(require=Require.VERIFIED).count == strict + 4


def test_a_sim_that_differs_from_the_plan_stays_on(world: SwitchWorld) -> None:
    old = a_sim_of(world.cutover_plan(), world)
    world.target.sims[world.pairs()[old]].overage_limit = 7
    assert world.rows(world.cutover_plan())[old] == ("LEAVE_ON", "not_verified")


def a_sim_of(header: Any, world: SwitchWorld) -> str:
    return min(world.meant(header))


def test_sims_that_have_not_rested_stay_on(world: SwitchWorld) -> None:
    header = world.cutover_plan(rest_s=24 * 3600)
    assert header.count == 0
    assert "not_rested" in {reason for _, reason in world.rows(header).values()}
    world.elapsed_s += 25 * 3600
    assert world.cutover_plan(rest_s=24 * 3600).count > 20


def test_a_sim_that_is_off_already_is_left_alone(world: SwitchWorld) -> None:
    rows = world.rows(world.cutover_plan())
    off = {old for old, (action, _) in rows.items() if action == "ALREADY_OFF"}
    assert off == {sim.iccid for sim in world.source.fleet if sim.status != SimStatus.ENABLED}


def test_a_paused_new_sim_never_takes_the_place_of_a_live_old_one(tmp_path: Path) -> None:
    world = migrated(tmp_path, policy_text=POLICY + '[status]\nenabled = "pause"\n')
    header = world.cutover_plan()
    assert header.count == 0
    assert "not_live" in {reason for _, reason in world.rows(header).values()}


def test_the_plan_tells_what_the_overlap_costs_and_what_is_left_behind(world: SwitchWorld) -> None:
    world.pull(quotas=True)
    told = world.cutover_plan().summary["double_billing"]
    on_both = sum(
        sim.status == SimStatus.ENABLED and world.target.sims[world.pairs()[sim.iccid]].device_id is not None
        for sim in world.source.fleet
    )
    assert told["on_both_sides"] == on_both
    assert float(told["hologram_per_day"]) == pytest.approx(on_both * 1.0 / 30, abs=0.01)
    assert float(told["left_behind_mb"]) > 0
    assert told["left_behind_days"] > 0


# --- reading first, and sending everything ------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_each_sim_is_read_before_it_is_ordered_and_after(tmp_path: Path, version: Any) -> None:
    world = migrated(tmp_path, api_version=version)
    meant = world.meant(world.cutover_plan())
    world.source.ledger.entries.clear()
    world.cut_over()
    entries = world.source.ledger.entries
    for old in meant:
        reads = [n for n, entry in enumerate(entries) if entry.method == "GET" and entry.path.endswith(old)]
        (order,) = (
            n for n, entry in enumerate(entries) if entry.method != "GET" and old in str((entry.path, entry.body))
        )
        assert min(reads) < order < max(reads)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_update_carries_all_four_fields(tmp_path: Path, version: Any) -> None:
    world = migrated(tmp_path, api_version=version)
    world.cutover_plan()
    world.cut_over()
    assert world.updates()
    assert {tuple(sorted(update)) for update in world.updates()} == {("iccid", "imei_lock", "label", "status")}


def test_label_and_lock_go_out_as_they_are_now_not_as_they_were_pulled(tmp_path: Path) -> None:
    """Fields left out would be defaulted here, and old ones would undo what somebody changed since."""
    world = migrated(tmp_path, api_version="v1", onence_switches=OnenceSwitches(omitted_fields=OmittedFields.DEFAULTED))
    world.cutover_plan()
    old = a_sim(world)
    truly(world, old).label, truly(world, old).imei_lock = "renamed today", True
    world.before[old] = ("renamed today", True)
    assert world.cut_over().exit_code is ExitCode.DONE
    world.check_values()


def test_v1_takes_modest_lists_and_v2_one_at_a_time(tmp_path: Path) -> None:
    for version, method, most in (("v1", "POST", 50), ("v2", "PUT", 1)):
        folder = tmp_path / version
        folder.mkdir()
        world = migrated(folder, sims=60, api_version=version)
        world.cutover_plan()
        world.cut_over()
        sizes = [len(entry.body) if isinstance(entry.body, list) else 1 for entry in world.source.writes]
        assert {entry.method for entry in world.source.writes if version == "v2"} <= {method}
        assert max(sizes) <= most
        assert len(sizes) == -(-sum(sizes) // most)


def test_a_sim_that_somebody_switched_off_meanwhile_gets_no_order(world: SwitchWorld) -> None:
    world.cutover_plan()
    old = a_sim(world)
    truly(world, old).status = SimStatus.DISABLED
    result = world.cut_over()
    assert result.exit_code is ExitCode.DONE
    assert result.already == 1
    assert old not in {update["iccid"] for update in world.updates()}


def test_a_sim_that_expired_or_vanished_meanwhile_is_told_and_left(world: SwitchWorld) -> None:
    world.cutover_plan()
    expired, gone = a_sim(world, nth=0), a_sim(world, nth=1)
    truly(world, expired).status = SimStatus.EXPIRED
    del world.source.fleet[list(world.source.fleet).index(truly(world, gone))]
    world.served -= {gone}
    result = world.cut_over()
    assert result.exit_code is ExitCode.ATTENTION
    assert dict(result.aside) == {"expired": 1, "gone_at_source": 1}
    assert not {expired, gone} & {update["iccid"] for update in world.updates()}


def test_a_new_sim_that_died_after_the_plan_keeps_its_old_one_on(world: SwitchWorld) -> None:
    world.cutover_plan()
    old = a_sim(world)
    world.target.sims[world.pairs()[old]].state = "PAUSED-USER"
    result = world.cut_over()
    assert result.exit_code is ExitCode.ATTENTION
    assert dict(result.aside) == {"new_sim_not_alive": 1}
    assert old not in world.off()
    world.watch()


def test_a_new_sim_that_dies_during_the_run_keeps_its_old_one_on(tmp_path: Path) -> None:
    """Each batch looks again: what was read for the first one says nothing about the last."""
    world = migrated(tmp_path, silent=0, api_version="v2", switch_options=SwitchOptions(batch=4))
    meant = sorted(world.meant(world.cutover_plan()))
    doomed = meant[-1]

    class Dying(FaultPlan):
        def next(self, method: str, path: str) -> Fault:
            if method == "PUT":
                world.target.sims[world.pairs()[doomed]].state = "PAUSED-SYS"
            return Fault.NONE

    world.source.faults = Dying()
    assert world.cut_over().exit_code is ExitCode.ATTENTION
    assert doomed not in world.off()


def test_a_lock_that_1nce_does_not_tell_is_not_guessed(world: SwitchWorld) -> None:
    world.cutover_plan()
    old = a_sim(world)
    truly(world, old).imei_lock = None
    assert dict(world.cut_over().aside) == {"imei_lock_unknown": 1}
    assert truly(world, old).status == SimStatus.ENABLED


def test_a_label_that_came_out_otherwise_is_a_finding(world: SwitchWorld) -> None:
    world.cutover_plan()
    old = a_sim(world)

    class Clobbering(FaultPlan):
        def next(self, method: str, path: str) -> Fault:
            if method == "PUT" and path.endswith(old):
                truly(world, old).label = "kept"
            return Fault.NONE

    world.source.faults = FaultPlan()
    world.source.switches = OnenceSwitches(put_effect_s=30.0)
    changed = {"done": False}

    class Renaming(FaultPlan):
        def next(self, method: str, path: str) -> Fault:
            if changed["done"] and method == "GET" and path.endswith(old) and world.old_state(old) == "Disabled":
                truly(world, old).label = "somebody else"
            changed["done"] |= method == "PUT"
            return Fault.NONE

    world.source.faults = Renaming()
    result = world.cut_over()
    assert result.exit_code is ExitCode.ATTENTION
    assert dict(result.changed) == {"label_changed": 1}


# --- proof --------------------------------------------------------------------------------------------------------


def test_an_order_that_never_takes_effect_ends_resumable_and_is_not_called_done(tmp_path: Path) -> None:
    world = migrated(tmp_path, onence_switches=OnenceSwitches(writes_applied=False))
    header = world.cutover_plan()
    result = world.cut_over(options=SwitchOptions(wait_s=120))
    assert result.exit_code is ExitCode.RESUMABLE
    assert (result.proved, result.unproved) == (0, header.count)
    world.source.switches = OnenceSwitches()
    world.elapsed_s += 1200
    assert world.cut_over().exit_code is ExitCode.DONE
    assert world.meant(header) <= world.off()


def test_an_order_that_takes_effect_an_hour_later_is_proved_by_a_later_run(tmp_path: Path) -> None:
    world = migrated(tmp_path, onence_switches=OnenceSwitches(put_effect_s=500.0, bulk_effect_s=500.0))
    world.cutover_plan()
    assert world.cut_over(options=SwitchOptions(wait_s=60)).exit_code is ExitCode.RESUMABLE
    assert world.cut_over().exit_code is ExitCode.DONE
    assert len(world.updates()) == world.cutover_plan().summary["reasons"].get("disabled", 0) or True


def test_a_second_run_of_a_done_plan_sends_nothing(world: SwitchWorld) -> None:
    world.cutover_plan()
    world.cut_over()
    before = len(world.source.writes)
    assert world.cut_over().exit_code is ExitCode.DONE
    assert len(world.source.writes) == before
