"""A record of Hologram's that brings a defect of ours to light, in a cutover and on the way back."""

from pathlib import Path

import pytest

from migrator.core.cutover.plan import CutoverHeader
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind
from migrator.engine.run.context import Hooks
from tests.worlds.cutover_world import CutoverWorld
from tests.worlds.world import POLICY, Crash, crash_at

STRANGER = "8944500999000000000"
"""A SIM on our organization that nobody planned."""


def migrated(folder: Path, *, share: str = "0.99") -> CutoverWorld:
    """A migrated fleet of eight, whose waves open at this share of the one before."""
    world = CutoverWorld(folder, sims=8, policy_text=f"{POLICY}verified_share = {share}\n")
    world.migrated()
    return world


def first_of(world: CutoverWorld, header: CutoverHeader) -> str:
    """A SIM of a plan's first wave."""
    with world.store() as store:
        return next(iter(store.cutovers.items(header.cutover_id, header.waves[0]))).row.source_iccid.digits


# --- on the way back ----------------------------------------------------------------------------------------------


def test_a_new_sim_that_cannot_be_read_is_left_on_and_all_others_go_back(tmp_path: Path) -> None:
    world = migrated(tmp_path, share="0.6")
    meant = world.meant(world.cutover_plan())
    world.cut_over()
    doomed = first_of(world, header := world.rollback_plan(waves=(3,)))
    world.defective_records = {world.pairs()[doomed]}
    result = world.roll_back()
    assert result.exit_code is ExitCode.ATTENTION, result
    assert dict(result.aside) == {"unexpected": 1}
    assert not world.off() & world.meant(header)
    assert world.paused() & meant == meant - {doomed}


def test_a_gate_that_stays_closed_for_it_is_no_end(tmp_path: Path) -> None:
    world = migrated(tmp_path)
    meant = world.meant(world.cutover_plan())
    world.cut_over()
    doomed = first_of(world, world.rollback_plan(waves=(3,)))
    world.defective_records = {world.pairs()[doomed]}
    result = world.roll_back()
    assert result.exit_code is ExitCode.HALTED, result
    assert dict(result.aside) == {"unexpected": 1}
    world.rollback_plan()
    assert world.roll_back().exit_code is ExitCode.DONE
    assert not world.off() & meant
    assert world.paused() & meant == meant - {doomed}


def test_a_pause_that_was_sent_and_can_never_be_read_ends_in_words(tmp_path: Path) -> None:
    world = migrated(tmp_path)
    meant = world.meant(world.cutover_plan())
    world.cut_over()
    world.rollback_plan()
    with pytest.raises(Crash):
        world.roll_back(hooks=crash_at("after_effect", 1, StepKind.PAUSE))
    world.defective_records = {world.pairs()[min(meant)]}
    result = world.roll_back()
    assert result.exit_code is ExitCode.ATTENTION, result
    assert dict(result.failed) == {"unexpected": 1}
    assert not world.off() & meant
    assert result.paused == len(meant) - 1


# --- in a cutover -------------------------------------------------------------------------------------------------


def test_a_new_sim_that_cannot_be_read_after_its_cutover_counts_as_not_alive(tmp_path: Path) -> None:
    world = migrated(tmp_path, share="0.6")
    header = world.cutover_plan(waves=(3,))
    meant, doomed = world.meant(header), first_of(world, header)

    def spoil(_kind: StepKind) -> None:
        world.defective_records = {world.pairs()[doomed]}

    result = world.cut_over(hooks=Hooks(after_outcome=spoil))
    assert result.exit_code is ExitCode.ATTENTION, result
    assert list(result.not_alive) == [doomed]
    assert world.off() >= meant


def test_a_new_sim_that_cannot_be_read_stays_behind_alone(tmp_path: Path) -> None:
    world = migrated(tmp_path)
    meant = world.meant(world.cutover_plan())
    world.defective_records = {world.pairs()[min(meant)]}
    result = world.cut_over()
    assert result.exit_code is ExitCode.ATTENTION, result
    assert dict(result.aside) == {"unexpected": 1}
    assert meant - world.off() == {min(meant)}


def test_a_record_of_a_stranger_puts_no_sim_aside(tmp_path: Path) -> None:
    world = migrated(tmp_path)
    meant = world.meant(world.cutover_plan())
    world.target.stock_claimed([STRANGER])
    world.defective_records = {STRANGER}
    result = world.cut_over()
    assert result.exit_code is ExitCode.DONE, result
    assert world.off() >= meant
