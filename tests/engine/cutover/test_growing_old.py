"""No order that cannot be taken back rests on what was learned too long before it leaves."""

from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.carriers.onence.simulator import OnenceBehaviour
from migrator.carriers.onence.simulator.model import SimStatus
from migrator.carriers.simulation import FaultPlan
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind
from migrator.engine.run.context import Hooks
from tests.worlds.cutover_world import CutoverWorld
from tests.worlds.meanwhile import HoldingBack, suspend
from tests.worlds.mishaps import People
from tests.worlds.world import World

VERSIONS = ["v1", "v2"]
LONG_S = 900
NIGHT_S = 8 * 3600.0


def migrated(folder: Path, **values: Any) -> CutoverWorld:
    world = CutoverWorld(
        folder,
        sims=14,
        onence_behaviour=OnenceBehaviour(too_many_retry_after_s=LONG_S),
        behaviour=HologramBehaviour(retry_after_s=LONG_S),
        **values,
    )
    world.migrated(silent=2)
    return world


def pause_new_sims(world: CutoverWorld) -> None:
    """Somebody pauses every new SIM at Hologram's console. Those units are theirs from now on."""
    world.served = set()
    for link in world.target.sims.values():
        if link.state == "LIVE":
            link.state = "PAUSED-USER"


def switch_old_sims_off(world: CutoverWorld) -> None:
    """Somebody switches every old SIM off at 1NCE's portal."""
    world.served = set()
    for sim in world.source.fleet:
        sim.status = SimStatus.DISABLED


def is_order(method: str, path: str) -> bool:
    return method != "GET" and "/sims" in path


def is_pause(method: str, path: str) -> bool:
    return method == "POST" and path.endswith("/batch/state")


def once(kind: StepKind, deed: Any) -> Hooks:
    """What happens between the first intent of a kind and its request."""
    left = [deed]

    def pass_by(passed: StepKind) -> None:
        if passed is kind and left:
            left.pop()()

    return Hooks(after_intent=pass_by)


# --- cutover ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_new_sims_that_are_paused_while_an_order_waits_keep_their_old_ones_on(tmp_path: Path, version: Any) -> None:
    world = migrated(tmp_path, api_version=version)
    world.cutover_plan()
    off = world.off()
    world.source.faults = HoldingBack(is_order, lambda: pause_new_sims(world))  # type: ignore[assignment]
    result = world.cut_over()
    assert result.exit_code is ExitCode.ATTENTION
    assert set(result.aside) == {"new_sim_not_alive"}
    assert world.off() == off


@pytest.mark.parametrize("version", VERSIONS)
def test_new_sims_that_are_paused_while_the_machine_sleeps_keep_their_old_ones_on(tmp_path: Path, version: Any) -> None:
    world = migrated(tmp_path, api_version=version)
    world.cutover_plan()
    off = world.off()

    def sleep() -> None:
        suspend(world, NIGHT_S)
        pause_new_sims(world)

    result = world.cut_over(hooks=once(StepKind.SOURCE, sleep))
    assert result.exit_code is ExitCode.ATTENTION
    assert set(result.aside) == {"new_sim_not_alive"}
    assert world.off() == off


@pytest.mark.parametrize("version", VERSIONS)
def test_orders_that_waited_long_are_guarded_anew_and_go_out(tmp_path: Path, version: Any) -> None:
    world = migrated(tmp_path, api_version=version)
    header = world.cutover_plan()
    off, meant = world.off(), world.meant(header)
    world.source.faults = HoldingBack(is_order)  # type: ignore[assignment]
    result = world.cut_over()
    assert result.exit_code is ExitCode.DONE, result
    assert world.off() - off == meant


def test_a_carrier_that_refuses_for_good_ends_the_run_resumable(tmp_path: Path) -> None:
    """Read, wait for a quarter of an hour, too old, read again: that comes to an end."""
    world = migrated(tmp_path, api_version="v2")
    meant, off = world.meant(world.cutover_plan()), world.off()
    world.source.faults = HoldingBack(is_order, times=40)  # type: ignore[assignment]
    began_s = world.elapsed_s
    result = world.cut_over()
    assert (result.exit_code, result.proved, dict(result.failed)) == (ExitCode.RESUMABLE, 0, {})
    assert world.elapsed_s - began_s < 7 * LONG_S
    assert len(world.updates()) <= 6
    world.source.faults = FaultPlan()
    assert world.cut_over().exit_code is ExitCode.DONE
    assert world.off() - off == meant


@pytest.mark.parametrize("seconds", [1.5, 6.0])
def test_a_slow_pace_makes_portions_smaller_and_every_order_goes_out(tmp_path: Path, seconds: float) -> None:
    """At this pace all looks take longer than a look is good for."""
    world = migrated(tmp_path, api_version="v2")
    meant, off = world.meant(world.cutover_plan()), world.off()
    world.source_rps = 1 / seconds
    assert world.cut_over().exit_code is ExitCode.DONE
    assert world.off() - off == meant


# --- rollback -----------------------------------------------------------------------------------------------------


def cut_over(folder: Path, version: Any) -> CutoverWorld:
    world = migrated(folder, api_version=version)
    world.cutover_plan()
    assert world.cut_over().exit_code is ExitCode.DONE
    world.may_go_off = None
    world.rollback_plan()
    return world


@pytest.mark.parametrize("version", VERSIONS)
def test_old_sims_that_go_off_while_a_pause_waits_keep_their_new_ones_live(tmp_path: Path, version: Any) -> None:
    world = cut_over(tmp_path, version)
    paused = world.paused()
    world.target.faults = HoldingBack(is_pause, lambda: switch_old_sims_off(world))  # type: ignore[assignment]
    result = world.roll_back()
    assert result.exit_code is ExitCode.ATTENTION
    assert set(result.aside) == {"old_sim_not_on"}
    assert world.paused() == paused


@pytest.mark.parametrize("version", VERSIONS)
def test_old_sims_that_go_off_while_the_machine_sleeps_keep_their_new_ones_live(tmp_path: Path, version: Any) -> None:
    world = cut_over(tmp_path, version)
    paused = world.paused()

    def sleep() -> None:
        suspend(world, NIGHT_S)
        switch_old_sims_off(world)

    result = world.roll_back(hooks=once(StepKind.PAUSE, sleep))
    assert result.exit_code is ExitCode.ATTENTION
    assert set(result.aside) == {"old_sim_not_on"}
    assert world.paused() == paused


def test_an_old_sim_that_is_renamed_while_its_order_on_waits_keeps_its_new_name(tmp_path: Path) -> None:
    world = cut_over(tmp_path, "v2")

    def rename() -> None:
        for sim in world.source.fleet:
            sim.label = f"renamed {sim.iccid[-4:]}"
        world.before = world.values()

    world.source.faults = HoldingBack(is_order, rename)  # type: ignore[assignment]
    off = world.off()
    world.roll_back()
    assert world.off() < off
    world.check_values()


# --- claims -------------------------------------------------------------------------------------------------------


def claim_all_by_hand(world: World) -> None:
    people = People(world)
    for iccid in list(world.target.sims):
        people.claim(iccid)


def is_balance(_method: str, path: str) -> bool:
    return path.endswith("/balance")


def test_sims_that_are_claimed_by_hand_while_a_claim_waits_are_not_claimed(tmp_path: Path) -> None:
    world = World(tmp_path, sims=5, behaviour=HologramBehaviour(retry_after_s=LONG_S))
    world.ready()
    at_the_second = iter([False, True])

    def is_second_balance(method: str, path: str) -> bool:
        return is_balance(method, path) and next(at_the_second, False)

    world.target.faults = HoldingBack(is_second_balance, lambda: claim_all_by_hand(world))  # type: ignore[assignment]
    world.apply()
    assert world.claims_sent() == []


def test_sims_that_are_claimed_by_hand_while_the_machine_sleeps_are_not_claimed(tmp_path: Path) -> None:
    world = World(tmp_path, sims=5)
    world.ready()
    nights = [NIGHT_S]

    def sleep(kind: StepKind) -> None:
        if kind is StepKind.CLAIM and nights:
            suspend(world, nights.pop())
            claim_all_by_hand(world)

    world.apply(hooks=Hooks(after_intent=sleep))
    assert nights == []
    assert world.claims_sent() == []


def test_what_was_looked_at_before_the_machine_slept_is_looked_at_again(tmp_path: Path) -> None:
    """The second batch was seen by the look of the first one, before the night."""
    world = World(tmp_path, sims=4)
    world.options = type(world.options)(claim_batch=2)
    world.ready()
    nights = [NIGHT_S]

    def sleep(kind: StepKind) -> None:
        if kind is StepKind.CLAIM and nights:
            suspend(world, nights.pop())
            claim_all_by_hand(world)

    world.apply(hooks=Hooks(after_effect=sleep))
    assert len(world.claims_sent()) == 1


def test_a_claim_that_waited_long_goes_out_after_another_look(tmp_path: Path) -> None:
    world = World(tmp_path, sims=5)
    world.ready()
    nights = [NIGHT_S]

    def sleep(kind: StepKind) -> None:
        if kind is StepKind.CLAIM and nights:
            suspend(world, nights.pop())

    assert world.apply(hooks=Hooks(after_intent=sleep)).exit_code is ExitCode.DONE
    world.check_fulfilled()
    assert len(world.claims_sent()) == 1
