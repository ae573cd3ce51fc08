"""A tick that is killed anywhere: the next one goes on, and nothing is charged or sent twice."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind
from migrator.engine.run.context import Hooks
from tests.worlds.campaigned import STAGES, CampaignWorld
from tests.worlds.world import Crash, crash_at

SIMS, DAY_S = 7, 86_400.0


def began(folder: Path) -> CampaignWorld:
    """A campaign with all its pairs in the intake."""
    world = CampaignWorld(folder, sims=SIMS, seed=5)
    world.began(rest="24h")
    world.hand_in_pairs("all.csv", zip(world.on(), world.cards, strict=False))
    return world


def test_killed_at_the_beginning_of_every_stage(tmp_path: Path) -> None:
    """Each stage on a day of its own, while units are claimed, swapped and cut over."""
    world = began(tmp_path)
    doomed = STAGES[0]

    def dies(event: str, values: Mapping[str, Any]) -> None:
        if event == "campaign_stage" and values["stage"] == doomed:
            raise Crash(doomed)

    waiting = world.on()
    for stage in STAGES:
        doomed = stage
        with pytest.raises(Crash):
            world.tick(dies)
        world.wait(900)
        world.tick()
        if waiting:
            world.swap(waiting.pop())
        world.wait(DAY_S)
        world.check()
    for old in waiting:
        world.swap(old)
    for _ in range(3):
        world.wait(DAY_S)
        ended = world.tick()
    assert ended.exit_code is ExitCode.DONE
    assert world.on() == []
    world.check()


def test_killed_between_keeping_a_file_and_moving_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = began(tmp_path)

    def dies(_file: Path, _place: Path) -> None:
        raise Crash("before the move")

    with monkeypatch.context() as dying:
        dying.setattr(Path, "rename", dies)
        with pytest.raises(Crash):
            world.tick()
    assert len(world.pairs()) == len(world.on())
    ticked = world.tick()
    assert ticked.exit_code is ExitCode.DONE
    assert "pairs_added" not in ticked.told
    intake = tmp_path / "campaign" / "intake"
    assert [file.name for file in intake.iterdir() if file.is_file()] == []
    assert [file.name[16:] for file in (intake / "taken").iterdir()] == ["all.csv"]
    assert world.claims() == len(world.on())


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_random_around_writes(tmp_path: Path, seed: int) -> None:
    world, chance = began(tmp_path), random.Random(seed)
    for day in range(6):
        for _ in range(2):
            kind = chance.choice([StepKind.CLAIM, StepKind.SOURCE, None])
            point = chance.choice(("after_intent", "after_effect", "after_outcome"))
            world.outside.doomed = crash_at(point, chance.randint(1, 4), kind)
            try:
                world.tick()
            except Crash:
                world.wait(chance.choice([5, 900]))
        if day == 1:
            for old in world.on():
                world.swap(old)
        world.check()
        world.wait(DAY_S)
    world.outside.doomed = Hooks()
    for _ in range(2):  # orders in doubt are waited for
        world.tick()
        world.wait(DAY_S)
    assert world.on() == []
    world.check()


def test_a_file_that_cannot_be_used_is_set_aside_with_its_problems(tmp_path: Path) -> None:
    world = began(tmp_path)
    world.hand_in("broken.csv", [("colour", "size"), ("red", "9")])
    world.hand_in(".half.csv", [("colour",)])
    ticked = world.tick()
    assert ticked.exit_code is ExitCode.ATTENTION
    assert world.claims() == len(world.on()), "the good file is taken all the same"
    intake = tmp_path / "campaign" / "intake"
    broken, problems = sorted((intake / "refused").iterdir())
    assert broken.name.endswith("-broken.csv")
    words = problems.read_text(encoding="utf-8")
    assert "--" not in words, "a tick takes no options"
    assert "source_iccid, target_iccid" in words
    assert f"`migrator pair import {broken}`" in words
    assert (intake / ".half.csv").exists()
    world.wait(DAY_S)
    ticked = world.tick()
    assert ticked.exit_code is ExitCode.ATTENTION, "somebody waits for it until it was put right"
    assert [held.words for held in ticked.held] == [f"{intake / 'refused'} has 1 file that cannot be used: broken.csv"]
    broken.unlink()
    assert world.tick().exit_code is ExitCode.DONE


def test_rows_with_a_problem_stand_beside_the_taken_file(tmp_path: Path) -> None:
    world = began(tmp_path)
    world.hand_in_pairs("more.csv", [("8988000000000000009", "8944500000000999999")])
    ticked = world.tick()
    assert ticked.told["rows_left_out"] == 1
    (rest,) = (tmp_path / "campaign" / "intake" / "taken").glob("*exceptions.csv")
    assert "8988000000000000009" in rest.read_text(encoding="utf-8")
    told = [f"{rest.parent} has 1 file of rows left out: more.exceptions.csv"]
    assert [held.words for held in world.tick().held] == told
    rest.unlink()
    assert world.tick().exit_code is ExitCode.DONE
    world.hand_in_pairs(rest.name, [next(iter(world.pairs().items()))])  # put right, under the name that it had
    world.tick()
    assert world.tick().exit_code is ExitCode.DONE
