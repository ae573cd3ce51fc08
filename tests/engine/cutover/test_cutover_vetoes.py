"""`before_cutover`: what it forbids does not reach 1NCE; nothing forbids the way back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from migrator.core.run.results import ExitCode
from tests.worlds.cutover_world import SwitchWorld


def orders(world: SwitchWorld) -> int:
    """Requests at 1NCE that switch a SIM."""
    return sum("/sims" in entry.path and entry.method != "GET" for entry in world.source.ledger.entries)


def test_a_veto_keeps_every_old_sim_on_and_each_wave_is_asked_about(tmp_path: Path) -> None:
    world = SwitchWorld(tmp_path, sims=8)
    world.migrated()
    header = world.cutover_plan(waves=(3,))
    asked: list[Mapping[str, Any]] = []
    answers = ["no ticket", None, "no ticket", None]

    async def ask(told: Mapping[str, Any]) -> str | None:
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
