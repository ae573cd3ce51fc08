"""Writes of a cutover: what may happen right after an outcome was noted, and while its effect is waited for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.onence.simulator import OnenceSwitches
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.cutover.plan import SwitchKind
from migrator.core.run.results import ExitCode
from migrator.engine.cutover.context import SwitchHooks
from tests.worlds.cutover_world import SwitchWorld, switch_crash_at
from tests.worlds.world import Crash

HOUR_S = 3600.0
EFFECT_S = 300.0


def is_order(method: str, path: str) -> bool:
    return method != "GET" and "/sims" in path


def migrated(folder: Path, fault: Fault) -> SwitchWorld:
    """A migrated fleet, of whose next orders the first meets a fault."""
    world = SwitchWorld(folder, sims=6, api_version="v1")
    world.migrated()
    world.source.faults = FaultPlan(scripted=[fault], scripted_for=is_order)
    return world


# --- crash points after errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.LOSE_AFTER, Fault.LOSE_BEFORE, Fault.SERVER_ERROR_AFTER])
def test_a_crash_point_comes_after_every_outcome(tmp_path: Path, fault: Fault) -> None:
    world = migrated(tmp_path, fault)
    world.cutover_plan()
    passed: dict[str, list[SwitchKind]] = {"intents": [], "outcomes": []}
    world.cut_over(hooks=SwitchHooks(after_intent=passed["intents"].append, after_outcome=passed["outcomes"].append))
    assert passed["intents"]
    assert passed["outcomes"] == passed["intents"]


def test_a_process_that_dies_when_a_lost_answer_was_noted_orders_nothing_twice(tmp_path: Path) -> None:
    world = migrated(tmp_path, Fault.LOSE_AFTER)
    meant, off = world.meant(world.cutover_plan()), world.off()
    with pytest.raises(Crash):
        world.cut_over(hooks=switch_crash_at("after_outcome", 1, SwitchKind.SOURCE))
    assert world.cut_over().exit_code is ExitCode.DONE
    assert world.off() - off == meant
    assert len(world.updates()) == len(meant)


def test_a_process_that_dies_when_a_defect_was_noted_goes_on(tmp_path: Path) -> None:
    world = migrated(tmp_path, Fault.NONE)
    meant, off = world.meant(world.cutover_plan()), world.off()
    world.defective = set(meant)
    with pytest.raises(Crash):
        world.cut_over(hooks=switch_crash_at("after_outcome", 1, SwitchKind.SOURCE))
    world.defective = set()
    assert world.cut_over().exit_code is ExitCode.DONE
    assert world.off() - off == meant


# --- the host's clock ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Jumpy(SwitchWorld):
    """A world whose host's clock is off by `jumped_s`; the carriers' and the event loop's are not."""

    jumped_s: float = 0.0

    def now(self) -> datetime:
        return SwitchWorld.now(self) + timedelta(seconds=self.jumped_s)


def test_a_clock_set_forward_while_an_order_is_waited_for_shortens_nothing(tmp_path: Path) -> None:
    """The order is in the source's queue, and is not given again before its time there is up."""
    queue = OnenceSwitches(put_effect_s=EFFECT_S, bulk_effect_s=EFFECT_S)
    world = Jumpy(tmp_path, sims=6, api_version="v1", onence_switches=queue)
    world.migrated()
    meant, off = world.meant(world.cutover_plan()), world.off()

    def set_forward(event: str, _values: Mapping[str, Any]) -> None:
        if event == "unproved":
            world.jumped_s = HOUR_S

    assert world.cut_over(progress=set_forward).exit_code is ExitCode.DONE
    assert world.jumped_s == HOUR_S
    assert world.off() - off == meant
    assert len(world.updates()) == len(meant)
