"""Rollback over all plans: by unit, by day, by list; each migration with a plan and all guards of its own."""

from pathlib import Path

import pytest

from migrator.carriers.onence.simulator.model import SimStatus
from migrator.core.cutover.plan import CutoverAction
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.unit_facts import UnitFacts
from migrator.core.run.results import ExitCode
from migrator.errors import InputError
from migrator.workflows.cutover.back import WayBack, named_units, plan_way_back, switched_since
from tests.worlds.corrected import CorrectedWorld
from tests.worlds.cutover_world import DAY_S
from tests.worlds.world import new_sims


@pytest.fixture
def world(tmp_path: Path) -> CorrectedWorld:
    """Six units, three migrated and cut over by a first plan, and three a week later by a second."""
    made = CorrectedWorld(tmp_path, sims=6)
    for number, sim in enumerate(made.source.fleet):
        sim.status, sim.label, sim.imei = SimStatus.ENABLED, f"pump {number}", f"35300000{number:06d}17"
    made.pull()
    made.target.stock(new_sims(6))
    made.pair(new_sims(3))
    cut_over(made, set())
    first = set(made.pairs())
    made.wait(5 * DAY_S)
    with made.store() as store:
        rest = sorted(sim.iccid.digits for sim in store.inventory.sims() if sim.iccid.digits not in first)
    for old, new in zip(rest, new_sims(6)[3:], strict=True):
        made.paired_with(old, new)
    made._guards = None  # it knows the pairs of before
    cut_over(made, first)
    return made


def cut_over(world: CorrectedWorld, before: set[str]) -> None:
    world.plan()
    world.apply_until_quiet()
    for old, new in world.pairs().items():
        if old not in before:
            world.let_pass_data(new)
    world.wait(4 * DAY_S)
    world.proves_life()
    world.cutover_plan()
    assert world.cut_over().exit_code is ExitCode.DONE


def keys(*olds: str) -> set[str]:
    return {Iccid.parse(old).key for old in olds}


def acting(world: CorrectedWorld, back: WayBack) -> dict[str, set[str]]:
    """What each rollback plan would switch on, by its migration."""
    with world.store() as store:
        return {
            header.plan_id: {
                row.source_iccid.digits
                for row in store.cutovers.rows(header.cutover_id)
                if row.action is CutoverAction.SWITCH_BACK
            }
            for header in back.headers
        }


def test_a_list_over_two_plans_is_a_rollback_plan_for_each(world: CorrectedWorld) -> None:
    olds = sorted(world.pairs())
    now = world.now().timestamp()
    with world.store() as store:
        off = store.cutovers.switched_off()
        assert len({one.plan_id for one in off.values()}) == 2
        one, other = (
            next(old for old in olds if off[Iccid.parse(old).key].plan_id == of)
            for of in sorted({one.plan_id for one in off.values()})
        )
        stranger = "8988280666000999999"
        back = plan_way_back(store, keys(one, other, stranger), now=now)
        with pytest.raises(InputError, match="2 migrations"):
            plan_way_back(store, keys(one, other), now=now, is_one=True)
        alone = plan_way_back(store, keys(one, other), plan_id=back.headers[0].plan_id, now=now)
    assert (len(alone.headers), alone.count, len(alone.not_off)) == (1, 1, 1)
    assert back.count == 2
    assert back.not_off == (Iccid.parse(stranger).key,)
    assert sorted(acting(world, back).values(), key=min) == sorted([{one}, {other}], key=min)


def test_since_and_unit_choose_over_all_plans(world: CorrectedWorld) -> None:
    now = world.now().timestamp()
    with world.store() as store:
        late = switched_since(store, now - 2 * DAY_S)
        assert len(late) == 3
        assert len(switched_since(store, 0.0)) == 6
        back = plan_way_back(store, late, now=now)
        assert (len(back.headers), back.count) == (1, 3)
        old = min(world.pairs())
        store.unit_facts.put([UnitFacts(Iccid.parse(old).key, unit="bus 12")], now)
        assert named_units(store, ["bus 12"]) == keys(old)
        with pytest.raises(InputError):
            named_units(store, ["bus 13"])


def test_a_way_back_that_was_planned_so_is_carried_out_as_any_other(world: CorrectedWorld) -> None:
    old = min(world.pairs())
    with world.store() as store:
        back = plan_way_back(store, keys(old), now=world.now().timestamp())
    assert back.count == 1
    assert world.roll_back().exit_code is ExitCode.DONE
    assert [one for one in world.pairs() if world.old_state(one) == "Enabled"] == [old]
