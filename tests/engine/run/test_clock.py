"""The host's clock is set in the midst of things: no wait for a lost claim gets shorter by that, and none endless."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.fleet.identifiers import Iccid
from migrator.core.run.results import ExitCode
from migrator.engine.run.context import Stopper, quiet
from migrator.workflows.plans.make import look
from tests.worlds.world import World, new_sims

HOUR_S = 3600.0
LAG_S = 45.0
LATE_S = 170.0


@dataclass(slots=True)
class Jumpy(World):
    """A world whose host's clock is off by `jumped_s`; the carriers' and the event loop's are not."""

    jumped_s: float = 0.0

    def now(self) -> datetime:
        return World.now(self) + timedelta(seconds=self.jumped_s)


def lost_claim(folder: Path, fault: Fault = Fault.LOSE_AFTER) -> Jumpy:
    """Ready to apply; the answer to the first claim will be lost, after it took effect, and reads lag behind."""
    world = Jumpy(folder, sims=4, behaviour=HologramBehaviour(read_lag_s=LAG_S, late_s=LATE_S, latency_s=1.0))
    world.faults = FaultPlan(scripted=[fault], scripted_for=lambda _verb, path: path.endswith("bulkclaim"))
    world.ready()
    return world


def test_a_clock_set_forward_while_a_lost_claim_is_waited_for_shortens_nothing(tmp_path: Path) -> None:
    world = lost_claim(tmp_path)

    def set_forward(event: str, _values: Mapping[str, Any]) -> None:
        if event == "settling":
            world.jumped_s = HOUR_S

    result = world.apply(progress=set_forward)
    assert result.exit_code is ExitCode.DONE, result
    world.check_fulfilled()
    assert len(world.claims_sent()) == 1


def interrupted(world: Jumpy) -> Jumpy:
    """After a run that was told to stop when it had lost an answer: what became of the claim is for the next one."""

    def stop(event: str, _values: Mapping[str, Any]) -> None:
        if event == "claim_lost":
            world.stopper.stop("interrupted")

    assert world.apply(progress=stop).exit_code is ExitCode.INTERRUPTED
    return world


@pytest.mark.parametrize("fault", [Fault.LOSE_AFTER, Fault.LATE])
@pytest.mark.parametrize("jumped_s", [HOUR_S, -HOUR_S])
def test_a_clock_set_between_an_interruption_and_the_resume_shortens_nothing(
    tmp_path: Path, jumped_s: float, fault: Fault
) -> None:
    world = interrupted(lost_claim(tmp_path, fault))
    world.jumped_s = jumped_s
    assert world.apply().exit_code is ExitCode.DONE
    world.check_fulfilled()
    assert len(world.claims_sent()) == 1


def test_a_clock_that_was_set_back_makes_nobody_wait_until_it_has_come_round_again(tmp_path: Path) -> None:
    world = interrupted(lost_claim(tmp_path, Fault.LOSE_BEFORE))
    world.jumped_s, before_s = -HOUR_S, world.elapsed_s
    assert world.apply().exit_code is ExitCode.DONE
    world.check_fulfilled()
    assert world.elapsed_s - before_s < HOUR_S / 2


@pytest.mark.parametrize("ahead_s", [300.0, HOUR_S])
def test_what_somebody_sees_by_a_clock_that_is_ahead_proves_nothing(tmp_path: Path, ahead_s: float) -> None:
    """`verify` reads beside a run, right after a claim was lost, when none shows it yet, and dates its looks late."""
    world, lost = lost_claim(tmp_path), anyio.Event()

    def note(event: str, _values: Mapping[str, Any]) -> None:
        if event == "claim_lost":
            lost.set()

    @dataclass
    class Ahead:
        def now(self) -> datetime:
            return world.now() + timedelta(seconds=ahead_s)

    async def verify() -> None:
        await lost.wait()
        with world.store() as store:
            header = store.plans.header(store.plans.newest() or "")
            async with world.http() as http:
                target = world.hologram(http)
                await look(store, target, header, absent_after_s=60.0, clock=Ahead(), stopper=Stopper(), progress=quiet)

    result = world.apply(beside=verify, progress=note)
    assert result.exit_code is ExitCode.DONE, result
    assert len(world.claims_sent()) == 1
    world.check_fulfilled()


class SeenBeside(FaultPlan):
    """While a run looks SIMs up, somebody else notes that they are not there, as of an hour later."""

    def __init__(self, world: World) -> None:
        FaultPlan.__init__(self, scripted=[Fault.LOSE_AFTER], scripted_for=lambda _verb, path: "bulkclaim" in path)
        self._world, self._looks = world, 12

    def next(self, method: str, path: str) -> Fault:
        if method == "GET" and path.endswith("links/cellular") and self._world.ours() and self._looks:
            self._looks -= 1
            with self._world.store() as store:
                targets = [Iccid.parse(target) for target in new_sims(4)]
                store.journal.observed([], targets, now=self._world.now().timestamp() + HOUR_S)
        return FaultPlan.next(self, method, path)


def test_nor_what_they_note_in_the_midst_of_a_look_of_the_run(tmp_path: Path) -> None:
    world = World(tmp_path, sims=4, behaviour=HologramBehaviour(read_lag_s=LAG_S))
    world.faults = SeenBeside(world)
    world.ready()
    result = world.apply()
    assert not result.failed
    assert len(world.claims_sent()) == 1
    world.check_fulfilled()


def assert_resumed_half_a_day_back(world: Jumpy) -> None:
    """Interrupted while SIMs are pending; then the clock is set back, and the next run is through soon all the same."""
    world.ready()

    def stop(event: str, _values: Mapping[str, Any]) -> None:
        if event == "waiting":
            world.stopper.stop("interrupted")

    assert world.apply(progress=stop).exit_code is ExitCode.INTERRUPTED
    world.jumped_s, before_s = -12 * HOUR_S, world.elapsed_s
    assert world.apply().exit_code is ExitCode.DONE
    world.check_fulfilled()
    assert world.elapsed_s - before_s < HOUR_S


def test_a_clock_that_was_set_back_holds_no_lost_setting_up_until_it_has_come_round_again(tmp_path: Path) -> None:
    world = Jumpy(tmp_path, sims=4)
    world.faults = FaultPlan(scripted=[Fault.LOSE_BEFORE] * 4, scripted_for=lambda _verb, path: "usagelimit" in path)
    assert_resumed_half_a_day_back(world)


def test_nor_an_order_that_was_put_off(tmp_path: Path) -> None:
    """The carrier left a locked SIM alone, and the pause until the next order ends by a clock that was set since."""
    behaviour = HologramBehaviour(limits_locked_while_pending=True, claim_pending_s=(600.0, 600.0))
    world = Jumpy(tmp_path, sims=4, behaviour=behaviour)
    assert_resumed_half_a_day_back(world)
