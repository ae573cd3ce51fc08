"""A card that was tested on the bench has not lived in its unit: what counts is what came since the swap."""

from pathlib import Path

import pytest

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.unit_facts import UnitFacts
from migrator.core.run.results import ExitCode
from tests.worlds.corrected import CorrectedWorld
from tests.worlds.cutover_world import MEGABYTE, STRANGER
from tests.worlds.world import new_sims


@pytest.fixture
def stocked(tmp_path: Path) -> CorrectedWorld:
    """Old SIMs that 1NCE never saw in any hardware, and cards that were claimed for the stock days ago."""
    world = CorrectedWorld(tmp_path, sims=12)
    for old in world.on():
        in_hardware(world, old, None)
    world.pull()
    cards = new_sims(6)
    world.target.stock_claimed(cards)
    with world.store() as store:
        store.stock.add([(Iccid.parse(card), "cards.txt:1") for card in cards], world.now().timestamp())
    world.wait(3 * 86_400.0)
    return world


def in_hardware(world: CorrectedWorld, old: str, imei: str | None) -> None:
    sim = world.source.fleet.find(old)
    assert sim is not None
    sim.imei = imei


def on_the_bench(world: CorrectedWorld, card: str, old: str, imei: str = STRANGER) -> None:
    """The card passes data; the unit that gets it later has been still for long."""
    world.target.add_session(card, world.target.now, MEGABYTE, imei)
    world.connected.add(card)
    world.goes_silent(old, world.target.now.date().replace(day=1))
    world.wait(3600)


def scanned(world: CorrectedWorld, old: str) -> None:
    """A technician notes the swap of this unit just now."""
    facts = UnitFacts(Iccid.parse(old).key, scanned_at=world.now().timestamp())
    with world.store() as store:
        store.unit_facts.put([facts], world.now().timestamp())


def planned(world: CorrectedWorld, old: str, **demand: bool) -> tuple[str, str]:
    """What a cutover would do with an old SIM, once its new one is set up."""
    world.plan()
    world.apply_until_quiet()
    header = world.cutover_plan(**demand)  # type: ignore[arg-type]  # handed through
    return world.rows(header)[old]


def lives(world: CorrectedWorld, card: str, imei: str = STRANGER) -> None:
    world.target.add_session(card, world.target.now, MEGABYTE, imei)
    world.wait(3600)


@pytest.mark.parametrize("is_scanned", [True, False])
def test_a_test_on_the_bench_is_no_life_in_the_unit(stocked: CorrectedWorld, *, is_scanned: bool) -> None:
    old, card = stocked.on()[0], new_sims(6)[0]
    on_the_bench(stocked, card, old)
    stocked.paired_with(old, card)
    if is_scanned:
        scanned(stocked, old)
    assert planned(stocked, old) == ("LEAVE_ON", "no_traffic")
    lives(stocked, card)
    assert planned(stocked, old) == ("SWITCH_OFF", "qualifies")


def test_a_modem_of_the_bench_is_not_another_unit(stocked: CorrectedWorld) -> None:
    """Nothing is wrong with the pair: nobody has seen the card in any unit yet."""
    old, card = stocked.on()[0], new_sims(6)[0]
    in_hardware(stocked, old, "3530000000000117")
    stocked.pull()
    on_the_bench(stocked, card, old)
    stocked.paired_with(old, card)
    assert planned(stocked, old) == ("LEAVE_ON", "no_traffic")


def test_a_pair_that_is_noted_late_keeps_the_proof_from_its_own_unit(stocked: CorrectedWorld) -> None:
    old, card, unit = stocked.on()[0], new_sims(6)[0], "3530000000000117"
    in_hardware(stocked, old, unit)
    stocked.pull()
    on_the_bench(stocked, card, old, unit)
    stocked.wait(5 * 86_400.0)
    stocked.paired_with(old, card)
    assert planned(stocked, old) == ("SWITCH_OFF", "qualifies")


def test_a_card_that_no_stock_holds_needs_no_life_since_its_pair_was_noted(stocked: CorrectedWorld) -> None:
    """Whoever moves a fleet with a list of pairs from elsewhere has no other proof."""
    old, card = stocked.on()[0], "8944500888888000001"
    stocked.target.stock_claimed([card])
    stocked.wait(60)
    on_the_bench(stocked, card, old)
    stocked.paired_with(old, card)
    assert planned(stocked, old) == ("SWITCH_OFF", "qualifies")


@pytest.mark.parametrize("accepts_other_units", [False, True])
def test_a_scan_that_is_noted_after_the_plan_is_heeded_before_the_order(
    stocked: CorrectedWorld, *, accepts_other_units: bool
) -> None:
    old, card = stocked.on()[0], new_sims(6)[0]
    stocked.paired_with(old, card)
    stocked.wait(60)
    on_the_bench(stocked, card, old)
    assert planned(stocked, old, accepts_other_units=accepts_other_units) == ("SWITCH_OFF", "qualifies")
    scanned(stocked, old)
    assert stocked.cut_over().exit_code is ExitCode.ATTENTION
    assert stocked.old_state(old) == "Enabled"
