"""Orders, rates, an operator's word on SIMs, and who waits for too long: what the store keeps for other terminals."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.core.plan.plan import Action
from migrator.core.run.control import Ceiling, Learned, Order, OrderKind, Selection
from migrator.core.run.doubts import Doubt
from migrator.core.run.states import StepEvent, StepKind, StepState
from migrator.core.run.steps import Verdict, Verified
from migrator.errors import InputError
from migrator.store import Owner, Store
from tests.store.store_kit import NOW, SENT, change, key, open_store, planned, states

PAUSE = Order(OrderKind.PAUSE, "anna on rome", NOW)
ABORT = Order(OrderKind.ABORT, "ben on oslo", NOW + 5)
CLAIM = StepKind.CLAIM


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        planned(opened, [change(number) for number in range(1, 6)])
        yield opened


def begin(store: Store, *numbers: int, kind: StepKind = CLAIM, now: float = NOW) -> None:
    run_id = store.journal.start_run("p1", "test", now)
    store.journal.begin(run_id, kind, [key(number) for number in numbers], SENT, wave="all", now=now)


def move(store: Store, event: StepEvent, *numbers: int, code: str = "", kind: StepKind = CLAIM) -> None:
    store.journal.move("p1", kind, event, {key(number): (code, "words") for number in numbers}, now=NOW + 1)


def fail(store: Store, *numbers: int, code: str = "claim_refused") -> None:
    begin(store, *numbers)
    move(store, StepEvent.REFUSED_FOR_GOOD, *numbers, code=code)


def judge(store: Store, verdict: Verdict, *numbers: int) -> None:
    store.journal.verified("p1", [Verified(key(number), verdict) for number in numbers], now=NOW)


# --- orders -------------------------------------------------------------------------------------------------------


def test_an_order_is_seen_by_another_connection_at_once(store: Store, tmp_path: Path) -> None:
    with open_store(tmp_path) as other:
        store.lease.acquire(Owner("rome", 1, NOW), NOW, is_gone=lambda _: False)
        assert store.steering.order("p1") is None
        other.steering.give("p1", PAUSE)
        assert store.steering.order("p1") == PAUSE
        assert other.steering.withdraw("p1", by="bob", now=NOW) == PAUSE
        assert store.steering.order("p1") is None


@pytest.mark.files
def test_an_order_is_in_the_main_file_for_who_carries_that_on_alone(store: Store, tmp_path: Path) -> None:
    """A run of `apply` has the store open, so that the other terminal's end leaves the `-wal` as it is."""
    store.steering.give("p1", ABORT)
    (tmp_path / "elsewhere").mkdir()
    for file in tmp_path.glob("*.db"):
        shutil.copy(file, tmp_path / "elsewhere")
    with open_store(tmp_path / "elsewhere") as copy:
        assert copy.steering.order("p1") == ABORT


def test_a_later_order_takes_the_place_of_an_earlier_one(store: Store) -> None:
    store.steering.give("p1", PAUSE)
    store.steering.give("p1", ABORT)
    assert store.steering.order("p1") == ABORT


def test_an_order_holds_its_own_plan_and_no_other(store: Store) -> None:
    planned(store, [change(6)], plan_id="p2")
    store.steering.give("p2", PAUSE)
    assert store.steering.order("p1") is None
    assert store.steering.ordered_plans() == ["p2"]


def test_an_order_for_a_plan_that_is_not_there_is_refused(store: Store) -> None:
    with pytest.raises(InputError, match="no plan"):
        store.steering.give("p9", PAUSE)


def test_to_withdraw_what_was_not_ordered_changes_nothing(store: Store) -> None:
    assert store.steering.withdraw("p1", by="bob", now=NOW) is None


# --- rates --------------------------------------------------------------------------------------------------------


def test_a_ceiling_and_what_was_learned_are_kept_apart(store: Store) -> None:
    store.steering.save_learned("hologram", Learned({"per_second": 6.5}, NOW))
    store.steering.set_ceiling("hologram", 3.0, by="anna", now=NOW)
    assert store.steering.ceiling("hologram") == Ceiling(3.0, "anna", NOW)
    assert store.steering.learned("hologram") == Learned({"per_second": 6.5}, NOW)
    store.steering.set_ceiling("hologram", None, by="anna", now=NOW)
    assert store.steering.ceiling("hologram") is None
    assert store.steering.learned("hologram") == Learned({"per_second": 6.5}, NOW)
    assert store.steering.ceiling("1nce") is None


# --- retry --------------------------------------------------------------------------------------------------------


def test_retry_moves_only_what_fits_all_that_is_given(store: Store) -> None:
    fail(store, 1, 2, code="claim_refused")
    fail(store, 3, code="test_mode")
    chosen = Selection(frozenset({"claim_refused"}), "all", frozenset({key(2), key(3)}))
    came = store.interventions.retry("p1", chosen, now=NOW)
    assert (came.sims, came.by_code) == (1, {"claim_refused": 1})
    assert states(store)[key(2)] is StepState.UNCERTAIN
    assert states(store)[key(1)] is states(store)[key(3)] is StepState.FAILED


def test_a_retried_step_begins_anew_and_its_sim_takes_orders_again(store: Store) -> None:
    fail(store, 1)
    judge(store, Verdict.MISMATCH, 1)
    store.interventions.retry("p1", Selection(), now=NOW + 9)
    (item,) = store.journal.items_by_key("p1", [key(1)])
    step = item.steps[CLAIM]
    assert (step.state, step.attempts, step.code, step.since) == (StepState.UNCERTAIN, 0, Doubt.RETRIED, NOW + 9)
    assert item.takes_orders


def test_a_claim_that_the_carrier_named_keeps_its_code(store: Store) -> None:
    fail(store, 1, code=Doubt.CLAIMED_UNSEEN)
    store.interventions.retry("p1", Selection(), now=NOW)
    (item,) = store.journal.items_by_key("p1", [key(1)])
    assert item.steps[CLAIM].code == Doubt.CLAIMED_UNSEEN


def test_a_claim_that_the_carrier_took_back_may_be_sent_again(store: Store) -> None:
    fail(store, 1, code=Doubt.CLAIMED_UNSEEN)
    store.interventions.retry("p1", Selection(), now=NOW, never_claimed=True)
    (item,) = store.journal.items_by_key("p1", [key(1)])
    assert item.steps[CLAIM].code == Doubt.RETRIED


def test_retry_puts_a_finished_plan_in_use_again_only_if_something_failed(store: Store) -> None:
    begin(store, 2)
    move(store, StepEvent.CONFIRMED, 2)
    store.plans.finish("p1", NOW)
    assert store.interventions.retry("p1", Selection(), now=NOW).sims == 0
    assert store.plans.state("p1") == "finished"
    move_to_failed = Selection(frozenset({"claim_refused"}))
    fail(store, 1)
    store.interventions.retry("p1", move_to_failed, now=NOW)
    assert store.plans.state("p1") == "started"


def test_a_dry_run_only_counts(store: Store) -> None:
    fail(store, 1)
    assert store.interventions.retry("p1", Selection(), now=NOW, dry_run=True).sims == 1
    assert store.interventions.skip("p1", Selection(), now=NOW, dry_run=True).sims == 5
    assert states(store)[key(1)] is StepState.FAILED
    assert states(store)[key(2)] is StepState.PENDING


# --- skip ---------------------------------------------------------------------------------------------------------


def test_skip_sets_waiting_failed_and_unbegun_sims_aside_and_leaves_verified_ones(store: Store) -> None:
    fail(store, 1)
    begin(store, 2, 3)
    move(store, StepEvent.CONFIRMED, 2, 3)
    judge(store, Verdict.OK, 3)
    came = store.interventions.skip("p1", Selection(), now=NOW)
    assert came.by_code == {"claim_refused": 1, "waiting": 1, "not_begun": 2}
    items = {item.key: item for item in store.journal.items("p1")}
    assert {number for number in range(1, 6) if items[key(number)].is_set_aside} == {1, 2, 4, 5}
    assert items[key(2)].state_of(CLAIM) is StepState.DONE
    assert store.journal.verdicts("p1") == {"ok": 1}
    assert store.interventions.skip("p1", Selection(), now=NOW).sims == 0


def test_skip_does_not_forget_that_a_claim_may_be_paid(store: Store) -> None:
    fail(store, 1, code=Doubt.CLAIMED_UNSEEN)
    store.interventions.skip("p1", Selection(frozenset({Doubt.CLAIMED_UNSEEN})), now=NOW)
    (item,) = store.journal.items_by_key("p1", [key(1)])
    assert (item.steps[CLAIM].state, item.steps[CLAIM].code) == (StepState.SKIPPED, Doubt.CLAIMED_UNSEEN)


@pytest.mark.parametrize("event", [None, StepEvent.LOST], ids=["in flight", "uncertain"])
def test_one_sim_in_doubt_keeps_all_from_being_skipped(store: Store, event: StepEvent | None) -> None:
    begin(store, 1)
    if event is not None:
        move(store, event, 1)
    with pytest.raises(InputError, match="not known yet") as caught:
        store.interventions.skip("p1", Selection(), now=NOW)
    assert "migrator apply" in caught.value.hint
    assert states(store)[key(2)] is StepState.PENDING


def test_an_adopted_sim_is_set_aside_without_a_claim_step(store: Store) -> None:
    """Claims are counted by their steps, and this SIM never had one to send."""
    planned(store, [change(1, Action.ADOPT)], plan_id="p2")
    store.interventions.skip("p2", Selection(), now=NOW)
    (item,) = store.journal.items("p2")
    assert item.is_set_aside
    assert CLAIM not in item.steps


@pytest.mark.parametrize("act", ["retry", "skip"])
def test_an_unknown_wave_is_refused_with_those_there_are(store: Store, act: str) -> None:
    with pytest.raises(InputError, match="no wave 'canary'") as caught:
        getattr(store.interventions, act)("p1", Selection(wave="canary"), now=NOW)
    assert "all" in caught.value.hint


def test_sims_that_a_plan_does_not_hold_are_known(store: Store) -> None:
    assert store.interventions.not_in_plan("p1", [key(1), key(9)]) == {key(9)}


# --- stuck --------------------------------------------------------------------------------------------------------


def test_a_sim_waits_from_its_first_order_however_often_it_was_ordered_since(store: Store) -> None:
    begin(store, 1, 2)
    move(store, StepEvent.REFUSED_FOR_NOW, 1)
    begin(store, 1, now=NOW + 80_000)
    found = store.stuck("p1", NOW + 86_400)
    assert (found.half_hour, found.day) == (2, 2)
    assert {one.since for one in found.oldest} == {NOW}


def test_only_what_is_begun_and_not_settled_is_stuck_and_only_after_half_an_hour(store: Store) -> None:
    begin(store, 1, 2, 3)
    move(store, StepEvent.CONFIRMED, 1, 2, 3)
    judge(store, Verdict.PENDING, 1)
    judge(store, Verdict.OK, 2)
    assert store.stuck("p1", NOW + 1700).half_hour == 0
    found = store.stuck("p1", NOW + 1900)
    assert (found.half_hour, found.day) == (1, 0)
    assert [one.source_iccid for one in found.oldest] == [change(1).source_iccid.digits]
    store.interventions.skip("p1", Selection(), now=NOW)
    assert store.stuck("p1", NOW + 1900).half_hour == 0
