"""`apply` of one plan while another has claims whose outcome nobody knows, on a virtual clock."""

import math
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from migrator.core.run.control import Order, OrderKind
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind, StepState
from migrator.engine.run.context import LONG_PAUSE_S, SLEEP_SLICE_S, ApplyOptions, Hooks
from migrator.ports import LONGEST_CLAIM_S
from tests.worlds.world import POLICY, Crash, World, crash_at

AFTER_CLAIM = POLICY.replace('zone = "global"', 'zone = "global"\nlimits = "after_claim"')
GIVEN_AFTER_S = 30.0


def newest(world: World) -> str:
    with world.store() as store:
        return store.plans.newest() or ""


def in_doubt(world: World, plan_id: str) -> int:
    """SIMs of a plan that may be claimed."""
    with world.store() as store:
        counts = store.journal.step_counts(plan_id)
    return sum(counts.get((StepKind.CLAIM, state), 0) for state in (StepState.IN_FLIGHT, StepState.UNCERTAIN))


def lose_a_claim(world: World, plan_id: str, point: str = "after_intent") -> None:
    """A run of a plan dies over its first claim."""
    with pytest.raises(Crash):
        world.apply(plan_id=plan_id, hooks=crash_at(point, 1, StepKind.CLAIM))
    assert in_doubt(world, plan_id)


def two_plans(world: World) -> str:
    """Make two plans for the same SIMs. Returns: the first one's id."""
    first = world.ready().plan_id
    world.policy_text = world.policy_text.replace("max_failures = 1000", "max_failures = 999")
    assert world.plan().plan_id != first
    return first


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def first(world: World) -> str:
    """The first of two plans, which died before its claim left."""
    plan_id = two_plans(world)
    lose_a_claim(world, plan_id)
    return plan_id


def steered(world: World, kind: OrderKind, *, for_s: float = math.inf) -> Callable[[], Coroutine[Any, Any, None]]:
    """Gives an order for the newest plan half a minute after the run began, and withdraws it after some time."""

    async def beside() -> None:
        await anyio.sleep(GIVEN_AFTER_S)
        plan_id = newest(world)
        with world.store() as store:
            store.steering.give(plan_id, Order(kind, "anna on rome", world.now().timestamp()))
        await anyio.sleep(for_s)
        with world.store() as store:
            store.steering.withdraw(plan_id, by="anna", now=world.now().timestamp())

    return beside


@pytest.mark.parametrize("point", ["after_intent", "after_effect"])
def test_claims_of_another_plan_are_settled_before_this_one_claims_anything(world: World, point: str) -> None:
    first = two_plans(world)
    lose_a_claim(world, first, point)
    settled_before: list[bool] = []

    def watch(kind: StepKind) -> None:
        if kind is StepKind.CLAIM:
            settled_before.append(in_doubt(world, first) == 0)

    assert world.apply(hooks=Hooks(after_intent=watch)).exit_code is ExitCode.DONE
    assert settled_before == [True] * (point == "after_intent")  # else all of them were ours
    world.check_fulfilled()


def test_max_duration_holds_while_claims_of_another_plan_are_waited_for(world: World, first: str) -> None:
    began_s = world.elapsed_s
    result = world.apply(options=ApplyOptions(max_duration_s=30))
    assert result.exit_code is ExitCode.RESUMABLE
    assert "--max-duration is over" in result.reason
    assert world.elapsed_s - began_s < 31
    assert in_doubt(world, first)
    assert world.claims_sent() == []


def test_an_abort_holds_while_claims_of_another_plan_are_waited_for(world: World, first: str) -> None:
    began_s = world.elapsed_s
    result = world.apply(beside=steered(world, OrderKind.ABORT))
    assert result.exit_code is ExitCode.HALTED
    assert f"plan {newest(world)} was aborted" in result.reason
    assert world.elapsed_s - began_s < GIVEN_AFTER_S + 2 * SLEEP_SLICE_S
    assert in_doubt(world, first)
    assert world.claims_sent() == []


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("paused_s", [LONG_PAUSE_S / 2, 2 * LONG_PAUSE_S], ids=["short", "long"])
def test_a_pause_holds_while_claims_of_another_plan_are_waited_for(world: World, paused_s: float) -> None:
    """After a long one all is looked at anew."""
    told: list[str] = []
    result = world.apply(
        beside=steered(world, OrderKind.PAUSE, for_s=paused_s), progress=lambda event, _: told.append(event)
    )
    assert result.exit_code is ExitCode.DONE
    assert told.index("settling") < told.index("paused") < told.index("resumed") < told.index("claimed")
    assert told.count("observing") == 1 + (paused_s > LONG_PAUSE_S)
    world.check_fulfilled()


def test_sims_of_this_plan_get_their_limits_before_claims_of_another_are_waited_for(tmp_path: Path) -> None:
    """They are billed already, and until then nothing bounds what they cost."""
    world = World(tmp_path, policy_text=AFTER_CLAIM)
    first = two_plans(world)

    def die(event: str, _values: Mapping[str, Any]) -> None:
        if event == "claimed":
            raise Crash(event)

    with pytest.raises(Crash):
        world.apply(options=ApplyOptions(max_sims=2), progress=die)
    lose_a_claim(world, first)
    world.target.ledger.entries.clear()
    began_s = world.elapsed_s
    world.apply()
    limited_s = world.target.ledger.requests("POST", "usagelimit")[0].at_s - began_s
    claimed_s = world.claims_sent()[0][0] - began_s
    assert limited_s < 30 < LONGEST_CLAIM_S < claimed_s
    assert in_doubt(world, first) == 0
