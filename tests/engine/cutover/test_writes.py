"""Writes of a cutover: what may happen right after an outcome was noted, and while its effect is waited for."""

from pathlib import Path

import pytest

from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.run.doubts import Doubt
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind, StepState
from migrator.engine.run.context import Hooks
from tests.worlds.cutover_world import CutoverWorld
from tests.worlds.world import Crash, crash_at

HOUR_S = 3600.0
EFFECT_S = 300.0


def is_order(method: str, path: str) -> bool:
    return method != "GET" and "/sims" in path


def migrated(folder: Path, fault: Fault) -> CutoverWorld:
    """A migrated fleet, of whose next orders the first meets a fault."""
    world = CutoverWorld(folder, sims=6, api_version="v1")
    world.migrated()
    world.source.faults = FaultPlan(scripted=[fault], scripted_for=is_order)
    return world


# --- crash points after errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.LOSE_AFTER, Fault.LOSE_BEFORE, Fault.SERVER_ERROR_AFTER])
def test_a_crash_point_comes_after_every_outcome(tmp_path: Path, fault: Fault) -> None:
    world = migrated(tmp_path, fault)
    world.cutover_plan()
    passed: dict[str, list[StepKind]] = {"intents": [], "outcomes": []}
    world.cut_over(hooks=Hooks(after_intent=passed["intents"].append, after_outcome=passed["outcomes"].append))
    assert passed["intents"]
    assert passed["outcomes"] == passed["intents"]


def test_a_process_that_dies_when_a_lost_answer_was_noted_orders_nothing_twice(tmp_path: Path) -> None:
    world = migrated(tmp_path, Fault.LOSE_AFTER)
    meant, off = world.meant(world.cutover_plan()), world.off()
    with pytest.raises(Crash):
        world.cut_over(hooks=crash_at("after_outcome", 1, StepKind.SOURCE))
    assert world.cut_over().exit_code is ExitCode.DONE
    assert world.off() - off == meant
    assert len(world.updates()) == len(meant)


def test_a_process_that_dies_when_a_defect_was_noted_goes_on(tmp_path: Path) -> None:
    world = migrated(tmp_path, Fault.NONE)
    meant, off = world.meant(world.cutover_plan()), world.off()
    world.defective = set(meant)
    with pytest.raises(Crash):
        world.cut_over(hooks=crash_at("after_outcome", 1, StepKind.SOURCE))
    world.defective = set()
    assert world.cut_over().exit_code is ExitCode.DONE
    assert world.off() - off == meant


@pytest.mark.parametrize(("fault", "doubt"), [(Fault.NONE, Doubt.UNPROVEN), (Fault.LOSE_AFTER, Doubt.OUTCOME_UNKNOWN)])
def test_what_an_answer_means_is_on_disk_with_the_answer(tmp_path: Path, fault: Fault, doubt: Doubt) -> None:
    """A process that dies right after it has forgotten nothing: an accepted order waits as one, not as a lost one."""
    world = migrated(tmp_path, fault)
    world.cutover_plan()
    with pytest.raises(Crash):
        world.cut_over(hooks=crash_at("after_outcome", 1, StepKind.SOURCE))
    with world.store() as store:
        assert store.journal.reclaim_in_flight(store.cutovers.newest() or "", 0.0) == 0
        items = store.cutovers.all_items(store.cutovers.newest() or "")
        steps = [item.steps[StepKind.SOURCE] for item in items if item.steps]
    assert {(step.state, step.doubt) for step in steps} == {(StepState.UNCERTAIN, doubt)}
