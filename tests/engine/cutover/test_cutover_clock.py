"""The host's clock is set in the midst of a cutover or rollback: nothing goes off or is ordered that must not be."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.onence.simulator import OnenceBehaviour
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind
from migrator.engine.cutover.context import CutoverOptions
from migrator.engine.run.context import Hooks
from migrator.ports import Progress
from tests.worlds.cutover_world import CutoverWorld
from tests.worlds.meanwhile import suspend
from tests.worlds.world import Crash, crash_at

HOUR_S = 3600.0
MINUTE_S = 60.0
QUEUE_S = 500.0  # below the ten minutes after which an order is given again


@dataclass(slots=True)
class JumpyWorld(CutoverWorld):
    """A world whose host's clock is off by `jumped_s`; the carriers' and the event loop's are not."""

    jumped_s: float = 0.0

    def now(self) -> datetime:
        return CutoverWorld.now(self) + timedelta(seconds=self.jumped_s)

    def jumps(self, seconds: float, at: str) -> Progress:
        """Set the clock once, when the run tells of an event."""

        def progress(event: str, _values: Mapping[str, Any]) -> None:
            if event == at:
                self.jumped_s = seconds

        return progress


def migrated(folder: Path, *, sims: int = 8, **values: Any) -> JumpyWorld:
    world = JumpyWorld(folder, sims=sims, **values)
    world.migrated()
    return world


def lost_orders() -> FaultPlan:
    return FaultPlan(
        scripted=[Fault.LOSE_BEFORE], scripted_for=lambda method, path: method != "GET" and "/sims" in path
    )


def slow(queue_s: float) -> OnenceBehaviour:
    return OnenceBehaviour(put_effect_s=queue_s, bulk_effect_s=queue_s)


@pytest.mark.parametrize("jumped_s", [HOUR_S, -HOUR_S])
def test_no_order_that_waits_in_the_queue_is_given_again_early(tmp_path: Path, jumped_s: float) -> None:
    world = migrated(tmp_path, onence_behaviour=slow(QUEUE_S))
    header = world.cutover_plan()
    result = world.cut_over(progress=world.jumps(jumped_s, "unproved"))
    assert result.exit_code is ExitCode.DONE, result
    assert len(world.updates()) == header.count


def test_a_clock_that_was_set_back_holds_no_lost_order_until_it_has_come_round_again(tmp_path: Path) -> None:
    world = migrated(tmp_path)
    header = world.cutover_plan()
    world.source.faults = lost_orders()
    result = world.cut_over(progress=world.jumps(-HOUR_S, "unproved"))
    assert result.exit_code is ExitCode.DONE, result
    assert world.meant(header) <= world.off()


@pytest.mark.parametrize("jumped_s", [HOUR_S, -HOUR_S])
def test_nor_one_that_an_earlier_run_lost(tmp_path: Path, jumped_s: float) -> None:
    world = migrated(tmp_path)
    header = world.cutover_plan()
    world.source.faults = lost_orders()
    with pytest.raises(Crash):
        world.cut_over(hooks=crash_at("after_outcome", 1, StepKind.SOURCE))
    world.jumped_s, before_s = jumped_s, world.elapsed_s
    assert world.cut_over().exit_code is ExitCode.DONE
    assert world.meant(header) <= world.off()
    assert world.elapsed_s - before_s < HOUR_S / 2


def test_a_rollback_believes_no_look_early_while_a_lost_cutover_may_still_take_effect(tmp_path: Path) -> None:
    """The order to disable waits in 1NCE's queue while reads say "on": no new SIM is paused before its time is up."""
    world = migrated(tmp_path, api_version="v2", onence_behaviour=slow(40.0))
    meant, off = world.meant(world.cutover_plan()), world.off()
    with pytest.raises(Crash):
        world.cut_over(hooks=crash_at("after_effect", len(meant)))
    world.rollback_plan()
    world.source.behaviour = slow(0.0)
    ordered: list[StepKind] = []

    def set_forward(kind: StepKind) -> None:
        ordered.append(kind)
        if ordered.count(StepKind.SOURCE) == len(meant):
            world.jumped_s = HOUR_S

    result = world.roll_back(hooks=Hooks(after_outcome=set_forward))
    assert result.exit_code is ExitCode.DONE, result
    assert world.off() == off
    assert meant <= world.paused()


def test_a_clock_that_was_set_back_makes_no_sign_of_life_younger(tmp_path: Path) -> None:
    """The first wave takes eight minutes to prove; then the lives of the others are too old, whatever a clock says."""
    world = migrated(tmp_path, onence_behaviour=slow(QUEUE_S))
    header = world.cutover_plan(waves=(3,), alive_within_s=HOUR_S)
    before, first = world.off(), set(sorted(world.meant(header))[:3])
    lived_at = max(session.end for sim in world.target.sims.values() for session in sim.sessions)
    world.elapsed_s += (lived_at - world.now()).total_seconds() + HOUR_S - 5 * MINUTE_S
    result = world.cut_over(progress=world.jumps(-HOUR_S, "unproved"))
    assert world.off() - before == first
    assert result.exit_code is ExitCode.ATTENTION, result
    assert dict(result.aside) == {"not_alive_lately": header.count - 3}


def test_nor_does_it_put_one_into_the_future(tmp_path: Path) -> None:
    world = migrated(tmp_path, onence_behaviour=slow(QUEUE_S))
    header = world.cutover_plan(waves=(3,))
    result = world.cut_over(
        progress=world.jumps(-2 * 24 * HOUR_S, "unproved"), options=CutoverOptions(wait_s=2 * HOUR_S)
    )
    assert result.exit_code is ExitCode.DONE, result
    assert world.meant(header) <= world.off()


def test_what_a_run_ordered_after_its_machine_slept_is_no_older_for_the_next_run(tmp_path: Path) -> None:
    """The seconds of a process stand still in sleep: by them, a look would be believed while "off" may yet come."""
    world = migrated(tmp_path, api_version="v2", onence_behaviour=slow(HOUR_S + 40.0))
    meant, off = world.meant(world.cutover_plan()), world.off()
    with pytest.raises(Crash):
        world.cut_over(hooks=crash_at("after_effect", len(meant)))
    world.rollback_plan()
    world.source.behaviour = slow(0.0)

    def sleep(event: str, _values: Mapping[str, Any]) -> None:
        if event == "wave":
            suspend(world, HOUR_S)

    with pytest.raises(Crash):
        world.roll_back(progress=sleep, hooks=crash_at("after_outcome", len(meant), StepKind.SOURCE))
    assert world.roll_back().exit_code is ExitCode.DONE
    assert world.off() == off
    assert meant <= world.paused()
