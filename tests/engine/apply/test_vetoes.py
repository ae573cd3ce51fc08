"""`before_claim`: what it forbids does not reach the carrier, and its agreement holds for a while."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import anyio
import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind, StepState
from migrator.engine.run.around import AGREEMENT_LASTS_S, Veto
from migrator.engine.run.context import ApplyOptions
from tests.worlds.world import EPOCH, POLICY, World

QUICK = HologramBehaviour(claim_pending_s=(0.0, 0.0), state_pending_s=(0.0, 0.0))
TWO = POLICY.replace('name = "all"', 'name = "canary"\ncount = 4\nsoak = "{soak}"\n[[waves]]\nname = "rest"')
CLOSED = Veto("the window is closed", "veto")


@dataclass
class Window:
    """A change window, as its hook tells it."""

    closed_at: tuple[int, ...] = ()
    asked: list[Mapping[str, Any]] = field(default_factory=list)

    async def ask(self, told: Mapping[str, Any]) -> Veto | None:
        self.asked.append(told)
        return CLOSED if len(self.asked) in self.closed_at else None


def world_of(folder: Path, window: Window, policy: str = POLICY, **values: Any) -> World:
    world = World(folder, behaviour=QUICK, policy_text=policy, **values)
    world.ready()
    world.ask, world.ref = window.ask, "CHG0042"
    return world


def writes(world: World) -> list[str]:
    """Every request that could change something."""
    return [entry.path for entry in world.target.ledger.entries if entry.method != "GET"]


def test_a_veto_lets_nothing_reach_the_carrier_and_the_same_command_goes_on_later(tmp_path: Path) -> None:
    world = world_of(tmp_path, window := Window(closed_at=(1,)))
    before = writes(world)
    result = world.apply()
    assert (result.exit_code, result.reason) == (ExitCode.HALTED, "the window is closed")
    assert "run the same command again" in result.hint
    assert writes(world) == before  # not even the tag was made
    assert world.apply().exit_code is ExitCode.DONE
    assert len(world.claims_sent()) == 1
    first, second = window.asked
    assert first == second
    assert (first["ref"], first["who"], first["wave"]) == ("CHG0042", "test", "all")
    assert first["counts"] == {"claims": 12, "claimed": 0, "left": 12}
    assert (first["money"]["price"], first["money"]["cost_of_left"]) == ("1.00", "12.00")


def test_each_wave_is_asked_about_and_a_veto_leaves_the_one_before_as_it_is(tmp_path: Path) -> None:
    world = world_of(tmp_path, window := Window(closed_at=(2,)), TWO.format(soak="0s"))
    assert world.apply().exit_code is ExitCode.HALTED
    assert [told["wave"] for told in window.asked] == ["canary", "rest"]
    assert window.asked[1]["counts"] == {"claims": 12, "claimed": 4, "left": 8}
    assert len(world.target.ledger.charges) == 4
    with world.store() as store:
        assert store.journal.verdicts(store.plans.newest() or "", "canary") == {"ok": 4}
    assert world.apply().exit_code is ExitCode.DONE


def test_one_agreement_covers_the_claims_of_a_short_while(tmp_path: Path) -> None:
    world = world_of(tmp_path, window := Window(), options=ApplyOptions(claim_batch=3))
    assert world.apply().exit_code is ExitCode.DONE
    assert len(world.claims_sent()) == 4
    assert len(window.asked) == 1


class SlowWorld(World):
    """Requests to Hologram leave one in 90 seconds."""

    start_rps: ClassVar[float] = 1 / 90
    ceiling_rps: ClassVar[float] = 1 / 90


def answered_at(world: World, *, open_for_s: float = float("inf")) -> list[float]:
    """When a hook agreed, in the world's seconds; it has a veto once `open_for_s` are over."""
    agreed: list[float] = []

    async def ask(_told: Mapping[str, Any]) -> Veto | None:
        now_s = world.now().timestamp() - EPOCH.timestamp()
        if now_s > open_for_s:
            return CLOSED
        agreed.append(now_s)
        return None

    world.ask = ask
    return agreed


def ages_of_answers(world: World, agreed: list[float]) -> list[float]:
    """How old the hook's last answer was as each claim arrived."""
    return [at_s - max(one for one in agreed if one <= at_s + 0.001) for at_s, _ in world.claims_sent()]


@pytest.mark.parametrize("latency_s", [25.0, 70.0])
def test_no_claim_leaves_on_an_answer_older_than_a_minute_however_long_the_looks_at_money_take(
    tmp_path: Path, latency_s: float
) -> None:
    world = world_of(tmp_path, Window(), options=ApplyOptions(claim_batch=3))
    agreed = answered_at(world)
    world.target.behaviour = HologramBehaviour(
        claim_pending_s=(0.0, 0.0), state_pending_s=(0.0, 0.0), latency_s=latency_s
    )
    assert world.apply().exit_code is ExitCode.DONE
    assert len(world.claims_sent()) == 4
    assert max(ages_of_answers(world, agreed)) <= AGREEMENT_LASTS_S


def test_a_window_that_closes_between_two_claims_of_a_wave_stops_the_run_in_good_order(tmp_path: Path) -> None:
    world = world_of(tmp_path, Window(), options=ApplyOptions(claim_batch=3))
    began_s = world.now().timestamp() - EPOCH.timestamp()
    answered_at(world, open_for_s=began_s + 400.0)
    world.target.behaviour = HologramBehaviour(claim_pending_s=(0.0, 0.0), state_pending_s=(0.0, 0.0), latency_s=25.0)
    result = world.apply()
    assert (result.exit_code, result.reason) == (ExitCode.HALTED, "the window is closed")
    claimed = len(world.target.ledger.charges)
    assert 0 < claimed < 12
    with world.store() as store:
        steps = store.journal.step_counts(result.plan_id)
    assert steps.get((StepKind.CLAIM, StepState.DONE)) == claimed  # nothing is left in doubt
    answered_at(world)
    assert world.apply().exit_code is ExitCode.DONE
    assert set(world.target.ledger.charges.values()) == {1}


def test_a_claim_whose_turn_comes_too_late_for_the_answer_is_not_sent(tmp_path: Path) -> None:
    world = SlowWorld(tmp_path, behaviour=QUICK)
    world.ready()
    agreed = answered_at(world)
    result = world.apply()
    assert result.exit_code is ExitCode.RESUMABLE
    assert agreed
    assert world.claims_sent() == []


def test_the_price_is_looked_at_again_after_a_hook_that_took_its_time(tmp_path: Path) -> None:
    world = world_of(tmp_path, Window())

    async def ask(told: Mapping[str, Any]) -> Veto | None:
        if asked:
            await anyio.sleep(45.0)
            world.target.behaviour = replace(QUICK, price_times=Decimal(3))
        asked.append(told)
        return None

    asked: list[Mapping[str, Any]] = []
    world.ask = ask
    world.options = ApplyOptions(claim_batch=3)
    world.target.behaviour = replace(QUICK, latency_s=25.0)
    assert world.apply().exit_code is ExitCode.STALE
    assert len(asked) == 2
    assert world.claims_sent() == []
