"""What a rollback took back is known until somebody moves it again, and no older plan moves it unasked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.core.cutover.plan import Direction
from migrator.core.plan.plan import Action
from migrator.core.run.states import StepEvent, StepKind
from migrator.core.run.steps import Verdict, Verified
from migrator.store import Store
from tests.builders import source_iccid
from tests.store.cutovers.test_store_cutovers import BOTH, added, begun, moved
from tests.store.store_kit import NOW, SENT, change, key, open_store, planned

E = StepEvent


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """SIMs 1 and 2 were cut over."""
    with open_store(tmp_path) as opened:
        planned(opened, [change(number) for number in (1, 2, 3)])
        added(opened, "c1")
        begun(opened)
        moved(opened, E.CONFIRMED)
        yield opened


def taken_back(store: Store, *events: StepEvent, at: float = NOW + 10) -> None:
    """Rollback r1 switched both SIMs on, and ordered their pause, of which these events came."""
    added(store, "r1", Direction.ROLLBACK, now=at)
    begun(store, "r1", now=at)
    moved(store, E.CONFIRMED, "r1")
    begun(store, "r1", StepKind.PAUSE, now=at)
    keys = dict.fromkeys(BOTH, ("", "words"))
    for event in events:
        store.journal.move("r1", StepKind.PAUSE, event, keys, now=at)


def set_again(store: Store, at: float, plan_id: str = "p1") -> None:
    """A plan set the state of SIM 1 and saw it."""
    run_id = store.journal.start_run(plan_id, "me", at)
    store.journal.begin(run_id, StepKind.STATE, [key(1)], SENT, wave="all", now=at)
    store.journal.move(plan_id, StepKind.STATE, E.CONFIRMED, {key(1): ("", "")}, now=at)


@pytest.mark.parametrize("events", [[], [E.LOST], [E.CONFIRMED], [E.LOST, E.PROBED_PRESENT]])
def test_a_sim_whose_new_one_a_rollback_paused_or_may_have_is_told_with_its_id(
    store: Store, events: list[StepEvent]
) -> None:
    assert store.cutovers.rolled_back() == {}
    taken_back(store, *events)
    assert store.cutovers.rolled_back() == store.cutovers.rolled_back("p1") == dict.fromkeys(BOTH, "r1")


@pytest.mark.parametrize("events", [[E.REFUSED_FOR_GOOD], [E.REFUSED_FOR_NOW], [E.LOST, E.PROBED_ABSENT]])
def test_a_pause_that_surely_did_not_happen_took_nothing_back(store: Store, events: list[StepEvent]) -> None:
    taken_back(store, *events)
    assert store.cutovers.rolled_back() == {}


def test_a_new_sim_that_was_paused_already_counts_as_well(store: Store) -> None:
    added(store, "r1", Direction.ROLLBACK, now=NOW + 10)
    begun(store, "r1", now=NOW + 10)
    moved(store, E.CONFIRMED, "r1")
    moved(store, E.OPERATOR_SKIP, "r1", StepKind.PAUSE, code="already")
    assert set(store.cutovers.rolled_back()) == set(BOTH)


def test_a_later_cutover_of_the_same_sims_ends_it(store: Store) -> None:
    taken_back(store, E.CONFIRMED)
    added(store, "c2", now=NOW + 20)
    assert set(store.cutovers.rolled_back()) == set(BOTH)
    begun(store, "c2", now=NOW + 21)
    assert store.cutovers.rolled_back() == {}


def test_a_plan_that_set_the_state_since_ends_it_and_one_that_did_so_before_does_not(store: Store) -> None:
    set_again(store, NOW + 5)
    taken_back(store, E.CONFIRMED)
    assert set(store.cutovers.rolled_back()) == set(BOTH)
    planned(store, [change(1)], plan_id="p2")
    set_again(store, NOW + 20, "p2")
    assert set(store.cutovers.rolled_back()) == {key(2)}


def test_only_sims_that_a_plan_acts_on_are_told_of_it(store: Store) -> None:
    taken_back(store, E.CONFIRMED)
    planned(store, [change(1), change(2, Action.SKIP)], plan_id="p2")
    assert set(store.cutovers.rolled_back("p2")) == {key(1)}


# --- plans that were made before ----------------------------------------------------------------------------------


def overtaken(store: Store) -> list[str]:
    """What makes plan p2 stale of all that a rollback did; there is no inventory here, which does so as well."""
    return [line for line in store.plans.differences("p2") if "rollback" in line]


def test_a_plan_from_before_a_rollback_that_still_gives_orders_to_its_sims_is_stale(store: Store) -> None:
    planned(store, [change(1), change(2), change(3)], plan_id="p2")
    assert overtaken(store) == []
    taken_back(store, E.CONFIRMED)
    assert overtaken(store) == [f"{source_iccid(number)}: rollback r1 took it back to its old SIM" for number in (1, 2)]


def test_sims_that_a_plan_has_judged_or_leaves_alone_make_it_no_older(store: Store) -> None:
    planned(store, [change(1), change(2, Action.NO_OP), change(3)], plan_id="p2")
    store.journal.verified("p2", [Verified(key(1), Verdict.OK)], now=NOW)
    taken_back(store, E.CONFIRMED)
    assert overtaken(store) == []


def test_a_plan_that_was_made_after_the_rollback_knew_of_it(store: Store) -> None:
    taken_back(store, E.CONFIRMED, at=NOW - 10)
    planned(store, [change(1), change(2)], plan_id="p2")
    assert overtaken(store) == []
