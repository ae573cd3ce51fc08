"""`cutover` and `rollback` away from Onomondo: one order switches twenty SIMs, and a SIM's line is that SIM's alone."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.onomondo.simulator import BulkLine, OnomondoBehaviour, OnomondoUsage
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.fleet.identifiers import Iccid
from migrator.core.policy.policy import OldSim
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind
from tests.worlds.cutover_world import live_through_a_cutover
from tests.worlds.onomondo_world import OnomondoWorld, of_onomondo
from tests.worlds.world import Crash, crash_at


def migrated(folder: Path, *, sims: int = 28, silent: int = 0, **behaviour: Any) -> OnomondoWorld:
    world = OnomondoWorld(folder, sims=sims, onomondo_behaviour=OnomondoBehaviour(**behaviour))
    world.migrated(silent=silent)
    return world


def orders(world: OnomondoWorld) -> list[list[dict[str, Any]]]:
    return [entry.body["sims"] for entry in world.source.writes]


def step_words(world: OnomondoWorld, old: str) -> str:
    """What the journal has on the order of one SIM."""
    with world.store() as store:
        (item,) = store.cutovers.items_by_key(store.cutovers.newest() or "", [Iccid.parse(old).key])
        return item.steps[StepKind.SOURCE].message


def test_a_fleet_goes_over_and_comes_back_in_lists_of_twenty_with_nothing_but_its_status_changed(
    tmp_path: Path,
) -> None:
    world = migrated(tmp_path, effect_s=4.0, bulk_reversed=True)
    was_off = world.off()
    before = {sim.iccid: sim.as_dict() for sim in world.source.fleet}
    header = world.cutover_plan()
    meant = world.meant(header)
    assert len(meant) == 24
    world.may_go_off = world.proved(header, now_s=world.now().timestamp()) | was_off
    assert world.cut_over().exit_code is ExitCode.DONE
    assert world.off() == meant | was_off
    assert [len(order) for order in orders(world)] == [20, 4]

    world.rollback_plan()
    assert world.roll_back().exit_code is ExitCode.DONE
    assert world.off() == was_off
    assert {sim.iccid: sim.as_dict() for sim in world.source.fleet} == before
    world.check_values()


def test_a_line_that_failed_or_is_missing_is_the_trouble_of_its_sim_alone(tmp_path: Path) -> None:
    world = migrated(tmp_path, sims=14)
    meant = sorted(world.meant(world.cutover_plan()))
    failed, missing, dropped = meant[:3]
    odd = {failed: BulkLine.FAILED, missing: BulkLine.MISSING, dropped: BulkLine.DROPPED}
    world.source.behaviour = replace(world.source.behaviour, bulk_lines=odd)
    before = world.off()
    assert world.cut_over().exit_code is ExitCode.RESUMABLE
    assert world.off() == before | set(meant) - {failed, dropped}
    assert "locked by your plan" in step_words(world, failed)
    assert "no line" in step_words(world, dropped)

    world.source.behaviour = replace(world.source.behaviour, bulk_lines={})
    world.elapsed_s += 3600
    assert world.cut_over().exit_code is ExitCode.DONE
    assert world.off() == before | set(meant)
    asked = Counter(sim["id"] for order in orders(world) for sim in order)
    times = {iccid: asked[iccid[10:19]] for iccid in meant}
    assert min(times.pop(failed), times.pop(dropped)) > 1
    assert set(times.values()) == {1}, "a SIM whose line was missing was switched, and a read showed it"


def test_an_order_whose_answer_is_lost_is_settled_by_reading(tmp_path: Path) -> None:
    world = migrated(tmp_path, sims=8)
    meant = world.meant(world.cutover_plan())
    before = world.off()
    world.source.faults = FaultPlan(scripted=[Fault.LOSE_AFTER], scripted_for=lambda method, _path: method == "PATCH")
    assert world.cut_over().exit_code is ExitCode.DONE
    assert world.off() == before | meant
    assert len(orders(world)) == 1


def test_an_order_that_carries_no_label_needs_none_to_be_read(tmp_path: Path) -> None:
    """1NCE's orders write the label back; Onomondo's leave it alone, whatever it is."""
    world = migrated(tmp_path, sims=8)
    meant = world.meant(world.cutover_plan())
    world.source.behaviour = replace(world.source.behaviour, said=tuple((old, "label", {}) for old in meant))
    world.cut_over()
    assert meant <= world.off()


@pytest.mark.parametrize("seed", range(3))
def test_whatever_goes_wrong_both_ends_are_right(tmp_path: Path, seed: int) -> None:
    """Crashes, lost answers, odd lines, 429s, late effects, sleep, and people: see `live_through_a_cutover`."""
    live_through_a_cutover(seed, tmp_path, of_onomondo)


def test_an_old_sim_in_use_stays_on(tmp_path: Path) -> None:
    world = migrated(tmp_path, sims=8)
    old = min(world.meant(world.cutover_plan()))
    world.comes_back(old, world.now().date())
    assert old not in world.meant(world.cutover_plan())


@pytest.mark.parametrize("answer", [OnomondoUsage.FORBIDDEN, OnomondoUsage.UNKNOWN])
def test_where_usage_by_day_is_not_told_every_old_sim_stays_on(tmp_path: Path, answer: OnomondoUsage) -> None:
    """A refusal is no silence."""
    world = migrated(tmp_path, sims=8, usage_call=answer)
    assert world.meant(world.cutover_plan()) == set()
    assert world.meant(world.cutover_plan(old_sim=OldSim.IF_KNOWN))


def test_an_old_sim_that_is_put_back_after_the_plan_stays_on(tmp_path: Path) -> None:
    world = migrated(tmp_path, sims=8)
    meant = world.meant(world.cutover_plan())
    back, was_off = min(meant), world.off()
    world.comes_back(back, world.now().date())
    assert world.cut_over().exit_code is ExitCode.ATTENTION
    assert world.off() == was_off | meant - {back}


@pytest.mark.parametrize("point", ["after_intent", "after_effect", "after_outcome"])
def test_a_process_that_dies_at_a_list_of_twenty_orders_none_of_it_again_unread(tmp_path: Path, point: str) -> None:
    world = migrated(tmp_path)
    was_off = world.off()
    meant = world.meant(world.cutover_plan())
    with pytest.raises(Crash):
        world.cut_over(hooks=crash_at(point, 1))
    sent = len(orders(world))
    assert sent == (0 if point == "after_intent" else 1)
    world.elapsed_s += 600
    assert world.cut_over().exit_code is ExitCode.DONE
    assert world.off() == was_off | meant
    ordered = Counter(sim["id"] for order in orders(world) for sim in order)
    assert ordered == {iccid[10:19]: 1 for iccid in meant}
