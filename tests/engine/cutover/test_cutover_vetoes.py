"""`before_cutover`: what it forbids does not reach 1NCE; nothing forbids the way back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from migrator.carriers.onence.simulator import OnenceBehaviour
from migrator.core.run.results import ExitCode
from migrator.engine.run.around import AGREEMENT_LASTS_S, Veto
from tests.worlds.cutover_world import CutoverWorld
from tests.worlds.world import EPOCH

CLOSED = Veto("the window is closed", "veto")


def orders(world: CutoverWorld) -> int:
    """Requests at 1NCE that switch a SIM."""
    return sum("/sims" in entry.path and entry.method != "GET" for entry in world.source.ledger.entries)


def test_a_veto_keeps_every_old_sim_on_and_each_wave_is_asked_about(tmp_path: Path) -> None:
    world = CutoverWorld(tmp_path, sims=8)
    world.migrated()
    header = world.cutover_plan(waves=(3,))
    asked: list[Mapping[str, Any]] = []
    no = Veto("no ticket", "veto")
    answers = [no, None, no, None]

    async def ask(told: Mapping[str, Any]) -> Veto | None:
        asked.append(told)
        return answers[len(asked) - 1]

    world.ask = ask
    result = world.cut_over()
    assert (result.exit_code, result.reason, orders(world)) == (ExitCode.HALTED, "no ticket", 0)
    result = world.cut_over()
    assert (result.exit_code, result.reason) == (ExitCode.HALTED, "no ticket")
    assert 0 < orders(world) <= 3
    assert world.cut_over().exit_code is ExitCode.DONE
    assert [told["wave"] for told in asked] == [header.waves[0], header.waves[0], header.waves[1], header.waves[1]]
    assert asked[0]["counts"] == {"planned": header.count, "left_in_wave": 3}
    world.rollback_plan()
    assert world.roll_back().exit_code is ExitCode.DONE
    assert len(asked) == 4


def test_a_window_that_closes_within_a_portion_stops_the_orders_that_would_leave_after_it(tmp_path: Path) -> None:
    """1NCE is slow: the 50 SIMs of a portion take minutes to be read and ordered."""
    world = CutoverWorld(tmp_path, sims=24)
    world.migrated()
    world.cutover_plan()
    before_s = world.elapsed_s
    world.source.behaviour = OnenceBehaviour(latency_s=8.0)
    agreed: list[float] = []

    async def ask(_told: Mapping[str, Any]) -> Veto | None:
        now_s = world.now().timestamp() - EPOCH.timestamp()
        if now_s > before_s + 80.0:
            return CLOSED
        agreed.append(now_s)
        return None

    world.ask = ask
    result = world.cut_over()
    assert (result.exit_code, result.reason) == (ExitCode.HALTED, "the window is closed")
    sent = [one.at_s for one in world.source.ledger.entries if "/sims" in one.path and one.method != "GET"]
    assert 0 < len(sent) < 24
    assert max(at_s - max(one for one in agreed if one <= at_s + 0.001) for at_s in sent) <= AGREEMENT_LASTS_S
    world.ask = None
    assert world.cut_over().exit_code is ExitCode.DONE
