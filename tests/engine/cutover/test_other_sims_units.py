"""New SIMs in the units of other SIMs of the same fleet, against both carriers."""

from dataclasses import replace
from pathlib import Path

import pytest

from migrator.core.run.results import ExitCode
from tests.worlds.cutover_world import STRANGER, CutoverWorld

FILLER = "0000000000000000"


@pytest.fixture
def fleet(tmp_path: Path) -> CutoverWorld:
    """Old SIMs that are on, of which 1NCE saw some in hardware; nothing is pulled yet."""
    return CutoverWorld(tmp_path, sims=16)


def by_hardware(world: CutoverWorld) -> tuple[list[str], list[str]]:
    """Old SIMs that are on: those that 1NCE saw in hardware, and those that it never saw."""
    on = sorted(sim.iccid for sim in world.source.fleet if sim.status == "Enabled")
    seen = [old for old in on if imei_of(world, old) is not None]
    return seen, [old for old in on if old not in seen]


def imei_of(world: CutoverWorld, old: str) -> str | None:
    sim = world.source.fleet.find(old)
    assert sim is not None
    return sim.imei


def see(world: CutoverWorld, imei: str | None, *olds: str) -> None:
    """1NCE saw these old SIMs in this hardware."""
    for old in olds:
        sim = world.source.fleet.find(old)
        assert sim is not None
        sim.imei = imei


def hide_hardware(world: CutoverWorld, old: str) -> None:
    """Where its new SIM is, nobody saw."""
    link = world.target.sims[world.pairs()[old]]
    link.sessions = [replace(session, imei=FILLER) for session in link.sessions]


def detail_of(world: CutoverWorld, cutover_id: str, old: str) -> str:
    with world.store() as store:
        return next(row.detail for row in store.cutovers.rows(cutover_id) if row.source_iccid.digits == old)


def test_a_new_sim_in_the_unit_of_another_old_sim_leaves_its_own_on_and_the_other_is_named(fleet: CutoverWorld) -> None:
    fleet.migrated()
    (other, *_), (never_seen, *_) = by_hardware(fleet)
    fleet.let_pass_data(fleet.pairs()[never_seen], after_s=90, imei=imei_of(fleet, other))
    header = fleet.cutover_plan()
    assert fleet.rows(header)[never_seen] == ("LEAVE_ON", "other_unit")
    assert other in detail_of(fleet, header.cutover_id, never_seen)
    assert fleet.rows(header)[other] == ("SWITCH_OFF", "qualifies")  # its own new SIM was seen in it, too
    assert fleet.cut_over().exit_code is ExitCode.DONE
    assert fleet.old_state(never_seen) == "Enabled"


def test_an_old_sim_whose_unit_has_another_new_sim_stays_on(fleet: CutoverWorld) -> None:
    (mine, *_), (wanderer, *_) = by_hardware(fleet)
    fleet.migrated()
    imei = imei_of(fleet, mine)
    hide_hardware(fleet, mine)
    fleet.let_pass_data(fleet.pairs()[wanderer], after_s=90, imei=imei)
    header = fleet.cutover_plan()
    assert fleet.rows(header)[mine] == ("LEAVE_ON", "other_unit")
    assert fleet.pairs()[wanderer] in detail_of(fleet, header.cutover_id, mine)


@pytest.mark.parametrize(("imei", "doubt"), [(FILLER, "filler"), (STRANGER, "shared")])
def test_an_imei_that_proves_nothing_is_counted_and_warned_of(fleet: CutoverWorld, imei: str, doubt: str) -> None:
    (one, other, *_), _ = by_hardware(fleet)
    see(fleet, imei, one, other)
    fleet.migrated()
    for old in (one, other):
        fleet.let_pass_data(fleet.pairs()[old], after_s=90, imei=imei)
    header = fleet.cutover_plan()
    assert {fleet.rows(header)[old] for old in (one, other)} == {("SWITCH_OFF", "qualifies")}
    assert header.summary["imeis_that_prove_nothing"][doubt] == 2
    assert any("IMEI proves nothing" in words for words in header.summary["reminders"])
    with fleet.store() as store:
        units = {row.source_iccid.digits: str(row.unit) for row in store.cutovers.rows(header.cutover_id)}
    assert (units[one], units[other]) == ("never_seen", "never_seen")


def test_a_new_sim_that_moves_into_another_old_sims_unit_after_the_plan_keeps_its_old_one_on(
    fleet: CutoverWorld,
) -> None:
    fleet.migrated()
    (other, *_), (never_seen, *_) = by_hardware(fleet)
    assert never_seen in fleet.meant(fleet.cutover_plan())
    fleet.let_pass_data(fleet.pairs()[never_seen], after_s=90, imei=imei_of(fleet, other))
    result = fleet.cut_over()
    assert (result.exit_code, dict(result.aside)) == (ExitCode.ATTENTION, {"other_unit": 1})
    assert fleet.old_state(never_seen) == "Enabled"


def test_hardware_from_before_the_claim_says_nothing_of_the_neighbours(fleet: CutoverWorld) -> None:
    fleet.migrated(silent=2)
    (mine, *_), _ = by_hardware(fleet)
    silent = next(old for old, new in sorted(fleet.pairs().items(), reverse=True) if new not in fleet.connected)
    fleet.let_pass_data(fleet.pairs()[silent], after_s=-3600, imei=imei_of(fleet, mine))
    hide_hardware(fleet, mine)
    assert fleet.rows(fleet.cutover_plan())[mine] == ("SWITCH_OFF", "qualifies")
