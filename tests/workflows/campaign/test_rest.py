"""Old SIMs stay on until their new SIM has rested in the unit that it is in now."""

from pathlib import Path

from migrator.carriers.hologram.simulator import HologramBehaviour
from tests.worlds.campaigned import CampaignWorld

DAY_S = 86_400.0


def began(folder: Path, *, imei_shown: bool = True) -> CampaignWorld:
    """A campaign with all its pairs, claimed, and a rest of two days."""
    world = CampaignWorld(folder, sims=6, seed=3, behaviour=HologramBehaviour(imei_shown=imei_shown))
    world.began(rest="48h")
    world.hand_in_pairs("all.csv", zip(world.on(), world.cards, strict=False))
    world.tick()
    return world


def off_by_day(world: CampaignWorld, days: int) -> list[set[str]]:
    """Old SIMs that the ticks of the next days switch off, day by day."""
    found = []
    for _ in range(days):
        before = world.off()
        world.wait(DAY_S)
        world.tick()
        found.append(world.off() - before)
    return found


def test_a_card_that_was_in_another_unit_meanwhile_rests_anew(tmp_path: Path) -> None:
    world = began(tmp_path)
    mine, other = world.on()[:2]
    card = world.pairs()[mine]
    for unit in (mine, other, mine):
        world.seen_in(card, unit)
        assert off_by_day(world, 1) == [set()]
    assert off_by_day(world, 2) == [set(), {mine}], "the rest is counted from its return"


def test_cards_that_a_correction_swaps_rest_anew_where_nobody_sees_their_hardware(tmp_path: Path) -> None:
    world = began(tmp_path, imei_shown=False)
    one, two = world.on()[:2]
    cards = world.pairs()
    world.seen_in(cards[one], two)
    world.seen_in(cards[two], one)
    world.tick()
    world.wait(DAY_S)
    world.corrected({one: cards[two], two: cards[one]})
    assert off_by_day(world, 2) == [set(), {one, two}]
