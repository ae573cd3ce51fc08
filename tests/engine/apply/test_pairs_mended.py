"""Pairs that change while a plan still has to claim for them: on a virtual clock, through store and wire."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import Pair
from migrator.core.plan.plan import Change
from migrator.core.run.control import Selection
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind
from migrator.engine.run.context import ApplyOptions
from migrator.errors import InputError
from tests.worlds.world import Crash, World, crash_at, new_sims

SPARE = new_sims(40)[-1]
QUICK = HologramBehaviour(claim_pending_s=(0.0, 0.0), state_pending_s=(0.0, 0.0))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A plan for twelve SIMs, claimed four at a time; one more card lies in the drawer."""
    world = World(tmp_path, behaviour=QUICK, options=ApplyOptions(claim_batch=4))
    world.ready()
    world.target.stock([SPARE])
    return world


def still_to_claim(world: World) -> Change:
    """A change of the newest plan that is not claimed yet."""
    with world.store() as store:
        items = [item for item in store.journal.items(store.plans.newest() or "") if item.awaits_claim]
    return items[-1].change


def mend(world: World, change: Change, target: str = SPARE) -> None:
    """`pair import --replace`."""
    with world.store() as store:
        new = Pair(change.source_iccid, Iccid.parse(target), "mended.csv:2")
        store.pairs.add([new], replace=True, now=world.now().timestamp())


def mend_behind(world: World, change: Change) -> None:
    """The same, as a version of the tool does it that knows no better."""
    with world.store() as store, store._db.write() as connection:
        values = (Iccid.parse(SPARE).key, SPARE, change.source_iccid.key)
        connection.exec_driver_sql("UPDATE pairs SET target_key = ?, target_iccid = ? WHERE source_key = ?", values)


def remove_behind(world: World, change: Change) -> None:
    with world.store() as store, store._db.write() as connection:
        connection.exec_driver_sql("DELETE FROM pairs WHERE source_key = ?", (change.source_iccid.key,))


def after_the_first_claim(then: Callable[[], None]) -> Callable[[str, Any], None]:
    """A listener that does something once, when the first SIMs are claimed."""
    todo = [then]

    def tell(event: str, _values: Any) -> None:
        if event == "claimed" and todo:
            todo.pop()()

    return tell


def test_a_pair_that_a_run_at_work_still_has_to_claim_is_not_replaced(world: World) -> None:
    refused: list[InputError] = []

    def try_it() -> None:
        with pytest.raises(InputError, match="still has to claim") as caught:
            mend(world, still_to_claim(world))
        refused.append(caught.value)

    assert world.apply(progress=after_the_first_claim(try_it)).exit_code is ExitCode.DONE
    assert [error.code for error in refused] == ["pair_in_use"]
    assert "migrator skip" in refused[0].hint
    world.check_fulfilled()


def test_nor_is_it_between_two_runs_of_a_begun_plan(world: World) -> None:
    world.apply(options=ApplyOptions(max_sims=4))
    with pytest.raises(InputError, match="still has to claim"):
        mend(world, still_to_claim(world))


def test_a_plan_that_was_not_begun_keeps_no_pair(world: World) -> None:
    mend(world, still_to_claim(world))


def test_a_sim_that_was_set_aside_gets_another_pair_and_the_plan_goes_on(world: World) -> None:
    world.apply(options=ApplyOptions(max_sims=4))
    change = still_to_claim(world)
    with world.store() as store:
        plan_id = store.plans.newest() or ""
        chosen = Selection(keys=frozenset({change.source_iccid.key}))
        store.interventions.skip(plan_id, chosen, now=world.now().timestamp())
    mend(world, change)
    with world.store() as store:
        assert store.plans.differences(plan_id) == []
    assert world.apply().exit_code is ExitCode.DONE
    assert str(change.target_iccid) not in world.target.ledger.charges
    world.plan()
    assert world.apply().exit_code is ExitCode.DONE
    assert world.target.ledger.charges[SPARE] == 1


def test_a_claim_that_nobody_answered_keeps_its_pair(world: World) -> None:
    with pytest.raises(Crash):
        world.apply(hooks=crash_at("after_intent", 1, StepKind.CLAIM))
    with world.store() as store:
        flying = next(item for item in store.journal.items(store.plans.newest() or "") if item.steps)
    with pytest.raises(InputError, match="may have been"):
        mend(world, flying.change)


@pytest.mark.parametrize("change_it", [mend_behind, remove_behind])
def test_a_change_whose_pair_is_another_now_is_not_sent_and_the_others_are(
    world: World, change_it: Callable[[World, Change], None]
) -> None:
    changed: list[Change] = []

    def happens() -> None:
        changed.append(still_to_claim(world))
        change_it(world, changed[0])

    result = world.apply(progress=after_the_first_claim(happens))
    assert result.exit_code is ExitCode.ATTENTION
    assert result.failed == {"pair_changed": 1}
    assert len(world.target.ledger.charges) == result.claimed == 11
    assert str(changed[0].target_iccid) not in world.target.ledger.charges
    assert SPARE not in world.target.ledger.charges


def test_a_new_plan_claims_the_card_that_is_paired_now(world: World) -> None:
    world.apply(progress=after_the_first_claim(lambda: mend_behind(world, still_to_claim(world))))
    assert world.plan().claims == 1
    assert world.apply().exit_code is ExitCode.DONE
    assert world.target.ledger.charges[SPARE] == 1
    assert set(world.target.ledger.charges.values()) == {1}


def test_a_pair_that_is_back_may_be_tried_again(world: World) -> None:
    kept: list[Change] = []

    def happens() -> None:
        kept.append(still_to_claim(world))
        mend_behind(world, kept[0])

    world.apply(progress=after_the_first_claim(happens))
    mend(world, kept[0], str(kept[0].target_iccid))
    with world.store() as store:
        plan_id = store.plans.newest() or ""
        chosen = Selection(codes=frozenset({"pair_changed"}))
        assert store.interventions.retry(plan_id, chosen, now=world.now().timestamp()).sims == 1
    assert world.apply().exit_code is ExitCode.DONE
    world.check_fulfilled()
