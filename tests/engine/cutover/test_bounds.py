"""What bounds a run of a cutover or rollback: one wave, and a longest time."""

from dataclasses import replace
from pathlib import Path

import pytest

from migrator.carriers.onence.simulator import OnenceBehaviour
from migrator.core.cutover.plan import CutoverHeader
from migrator.core.run.results import ExitCode
from migrator.engine.cutover.context import CutoverOptions
from tests.engine.cutover.test_cutover_runs import migrated
from tests.worlds.cutover_world import CutoverWorld
from tests.worlds.world import POLICY


@pytest.fixture
def world(tmp_path: Path) -> CutoverWorld:
    """A cutover of two waves, the first of three SIMs."""
    world = migrated(tmp_path)
    assert world.cutover_plan(waves=(3,)).waves == ("first-3", "rest")
    return world


def newest(world: CutoverWorld) -> CutoverHeader:
    with world.store() as store:
        return store.cutovers.header(store.cutovers.newest() or "")


def of_wave(name: str) -> CutoverOptions:
    return CutoverOptions(wave=name)


def test_a_run_works_on_the_wave_that_was_asked_for_and_leaves_the_others(world: CutoverWorld) -> None:
    before = world.off()
    first = world.cut_over(options=of_wave("first-3"))
    assert (first.exit_code, len(world.off() - before)) == (ExitCode.DONE, 3)
    assert first.reason == "every SIM of wave 'first-3' is switched and proved"
    assert not first.is_over, "the plan is not used up: its other wave is open"
    second = world.cut_over(options=of_wave("rest"))
    assert second.exit_code is ExitCode.DONE
    assert second.is_over
    assert world.off() - before == world.meant(newest(world))


def test_a_wave_waits_for_the_one_before_and_says_how_to_go_on(world: CutoverWorld) -> None:
    before = world.off()
    early = world.cut_over(options=of_wave("rest"))
    assert (early.exit_code, world.off()) == (ExitCode.RESUMABLE, before)
    cutover_id = newest(world).cutover_id
    assert f"`migrator cutover apply {cutover_id} --wave first-3` goes on with that wave" in early.hint
    assert not early.is_over


def test_a_wave_that_went_wrong_keeps_the_next_one_closed(world: CutoverWorld) -> None:
    world.cut_over(options=of_wave("first-3"))
    before = world.off()
    world.served.clear()  # what dies here is beyond our power
    for link in world.target.sims.values():
        link.state = "PAUSED-USER"
    closed = world.cut_over(options=of_wave("rest"))
    assert (closed.exit_code, world.off()) == (ExitCode.HALTED, before)


def test_the_end_of_the_last_wave_is_told_for_the_whole_plan(tmp_path: Path) -> None:
    """What needs attention in an earlier wave is not forgotten."""
    world = migrated(tmp_path, policy_text=f"{POLICY}verified_share = 0.5\n")
    first = min(world.meant(world.cutover_plan(waves=(3,))))
    world.served.clear()  # what dies here is beyond our power
    world.target.sims[world.pairs()[first]].state = "PAUSED-USER"
    ends = [world.cut_over(options=of_wave(wave)).exit_code for wave in ("first-3", "rest")]
    assert ends == [ExitCode.ATTENTION, ExitCode.ATTENTION]


def test_a_rollback_goes_wave_by_wave_too(world: CutoverWorld) -> None:
    before = world.off()
    assert world.cut_over().exit_code is ExitCode.DONE
    assert world.rollback_plan(waves=(2,)).waves == ("first-2", "rest")
    switched = world.off() - before
    assert world.roll_back(options=of_wave("first-2")).exit_code is ExitCode.DONE
    assert len(world.off() - before) == len(switched) - 2
    assert world.roll_back().exit_code is ExitCode.DONE
    assert world.off() == before


def test_a_run_ends_in_good_order_after_the_longest_time_and_goes_on_later(tmp_path: Path) -> None:
    world = migrated(tmp_path, onence_behaviour=OnenceBehaviour(bulk_effect_s=3600.0, put_effect_s=3600.0))
    header = world.cutover_plan()
    before, began_at = world.off(), world.now()
    short = replace(world.cutover_options, wait_s=7200.0, max_duration_s=600.0)
    stopped = world.cut_over(options=short)
    assert (stopped.exit_code, stopped.reason) == (ExitCode.RESUMABLE, "--max-duration is over")
    assert (world.now() - began_at).total_seconds() < 900
    assert world.cut_over(options=replace(short, max_duration_s=None)).exit_code is ExitCode.DONE
    assert world.off() - before == world.meant(header)
    assert world.resent() == []
