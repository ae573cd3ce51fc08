"""`before_claim`: what it forbids does not reach the carrier, and its agreement holds for a while."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from migrator.carriers.hologram.simulator import HologramSwitches
from migrator.core.run.results import ExitCode
from migrator.engine.run.around import VETO_LASTS_S
from migrator.engine.run.context import ApplyOptions
from tests.worlds.world import POLICY, World

QUICK = HologramSwitches(claim_pending_s=(0.0, 0.0), state_pending_s=(0.0, 0.0))
TWO = POLICY.replace('name = "all"', 'name = "canary"\ncount = 4\nsoak = "{soak}"\n[[waves]]\nname = "rest"')


@dataclass
class Window:
    """A change window, as its hook tells it."""

    closed_at: tuple[int, ...] = ()
    asked: list[Mapping[str, Any]] = field(default_factory=list)

    async def ask(self, told: Mapping[str, Any]) -> str | None:
        self.asked.append(told)
        return "the window is closed" if len(self.asked) in self.closed_at else None


def world_of(folder: Path, window: Window, policy: str = POLICY, **values: Any) -> World:
    world = World(folder, switches=QUICK, policy_text=policy, **values)
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


def test_after_a_long_time_the_hook_is_asked_again_within_a_wave(tmp_path: Path) -> None:
    """The window closes while the claims of one wave go on; a slow carrier takes its time for each."""
    slow = HologramSwitches(claim_pending_s=(0.0, 0.0), state_pending_s=(0.0, 0.0), latency_s=VETO_LASTS_S / 15)
    world = world_of(tmp_path, Window(closed_at=(2,)), options=ApplyOptions(claim_batch=1))
    world.target.switches = slow
    result = world.apply()
    assert (result.exit_code, result.reason) == (ExitCode.HALTED, "the window is closed")
    assert 0 < len(world.target.ledger.charges) < 12
