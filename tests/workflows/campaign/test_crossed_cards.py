"""Cards that a tick finds in another unit than planned: its file mends them, and it is said until then."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.run.results import ExitCode
from migrator.workflows.field.correct import correct_pairs
from tests.worlds.campaigned import CampaignWorld
from tests.worlds.outside import site_of
from tests.worlds.world import Crash

DAY_S = 86_400.0


def crossed(folder: Path) -> tuple[CampaignWorld, str, str]:
    """Two claimed cards, each in the unit of the other."""
    world = CampaignWorld(folder, sims=14, seed=3)
    world.began()
    first, second = [sim.iccid for sim in world.source.fleet if sim.iccid in world.on() and sim.imei][:2]
    world.hand_in_pairs("two.csv", [(first, world.cards[0]), (second, world.cards[1])])
    world.tick()
    world.seen_in(world.cards[0], second)
    world.seen_in(world.cards[1], first)
    return world, first, second


def test_the_file_of_the_tick_corrects_crossed_cards(tmp_path: Path) -> None:
    world, first, second = crossed(tmp_path)
    ticked = world.tick()
    (held,) = [one for one in ticked.held if "another unit" in one.words]
    file = tmp_path / "campaign" / "discovered.csv"
    assert str(file) in held.hint
    with site_of(world, world.outside) as site:
        done = correct_pairs(site, file, by="ann@desk")
    assert len(done.corrected.versions) == 2
    assert world.pairs() == {first: world.cards[1], second: world.cards[0]}
    assert not any("another unit" in one.words for one in world.tick().held)
    assert world.claims() == 2
    world.check()


def test_crossed_cards_are_told_until_somebody_corrects_them(tmp_path: Path) -> None:
    world, _, _ = crossed(tmp_path)
    for _ in range(3):
        ticked = world.tick()
        assert ticked.exit_code is ExitCode.ATTENTION
        assert any(one.words == "cards in another unit than planned: 2" for one in ticked.held)
        world.wait(DAY_S)


def test_a_tick_that_dies_before_it_judged_leaves_that_to_the_next(tmp_path: Path) -> None:
    world, _, _ = crossed(tmp_path)

    def dies(_event: str, values: Mapping[str, Any]) -> None:
        if values.get("stage") == "discovery":
            raise Crash("discovery")

    with pytest.raises(Crash):
        world.tick(dies)
    world.wait(900)
    assert any("another unit" in one.words for one in world.tick().held)


def test_an_outage_while_it_is_judged_leaves_that_to_the_next_tick(tmp_path: Path) -> None:
    world, _, _ = crossed(tmp_path)

    def breaks(_event: str, values: Mapping[str, Any]) -> None:
        if "stage" in values:
            world.source.faults = FaultPlan({Fault.HTML: float(values["stage"] == "discovery")})

    assert not any("another unit" in one.words for one in world.tick(breaks).held)
    world.source.faults = FaultPlan()
    world.wait(900)
    assert any("another unit" in one.words for one in world.tick().held)


def test_what_only_tomorrow_shows_is_judged_again_tomorrow(tmp_path: Path) -> None:
    """Both old SIMs were used in the morning of the swap; nobody swaps anything after it."""
    world, first, second = crossed(tmp_path)
    for old in (first, second):
        world.source.fleet.find(old).silent_from = world.now().date() + timedelta(days=1)  # type: ignore[union-attr]
        world.comes_back(old, world.now().date())
    judged, told, file = [], [], tmp_path / "campaign" / "discovered.csv"
    for _ in range(3):
        for _ in range(3):  # a day's first tick judges
            file.unlink(missing_ok=True)
            told.append(any("another unit" in one.words for one in world.tick().held))
            judged.append(file.exists())
            world.wait(900)
        world.wait(DAY_S)
        world.target.add_session(world.cards[0], world.target.now, 1, world.unit_of(second))
        world.target.add_session(world.cards[1], world.target.now, 1, world.unit_of(first))
    assert told == [False] * 6 + [True] * 3  # until noon of the next day nobody can tell
    assert judged[:6] == [True, False, False] * 2
