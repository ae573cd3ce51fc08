"""The store keeps cutover and rollback plans, and moves their steps under a guard."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from migrator.core.cutover.plan import (
    CutoverAction,
    CutoverHeader,
    CutoverReason,
    CutoverRow,
    Direction,
    Require,
)
from migrator.core.fleet.sims import SourceStatus
from migrator.core.fleet.switched_off import SwitchedOff
from migrator.core.run.control import Selection
from migrator.core.run.states import RunEvent, StepEvent, StepKind, StepState
from migrator.core.run.steps import RequestOutcome
from migrator.errors import IllegalTransition, InputError
from migrator.ports import Request
from migrator.store import Store
from tests.builders import ORG, source_iccid, target_iccid
from tests.store.store_kit import NOW, change, key, open_store, ordered, planned

SENT = Request("POST", "/v1/sims", [{"iccid": "1"}, {"iccid": "2"}])
BOTH: dict[str, dict[str, Any]] = {
    key(1): {"label": "one", "imei_lock": True},
    key(2): {"label": None, "imei_lock": False},
}
E, S = StepEvent, StepState


def row(number: int, action: CutoverAction = CutoverAction.SWITCH_OFF) -> CutoverRow:
    return CutoverRow(source_iccid(number), target_iccid(number), action, CutoverReason.QUALIFIES, wave="all")


def added(store: Store, name: str, direction: Direction = Direction.CUTOVER, *, now: float = NOW) -> str:
    rows = [row(1), row(2), row(3, CutoverAction.LEAVE_ON)]
    header = CutoverHeader(
        cutover_id=name,
        direction=direction,
        plan_id="p1",
        lineage=store.lineage,
        org_id=ORG,
        require=Require.TRAFFIC,
        rest_s=0.0,
        count=2,
        counts={"LEAVE_ON": 1, "SWITCH_OFF": 2},
        waves=("all",),
        fingerprint="f",
    )
    store.cutovers.add(header, rows, now)
    return name


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        planned(opened, [change(1), change(2), change(3)])
        added(opened, "c1")
        yield opened


def begun(store: Store, name: str = "c1", kind: StepKind = StepKind.SOURCE, *, now: float = NOW) -> int:
    return ordered(store, store.journal.start_run(name, "me", now), kind, BOTH, sent=SENT, now=now)


def moved(store: Store, event: StepEvent, name: str = "c1", kind: StepKind = StepKind.SOURCE, code: str = "") -> None:
    store.journal.move(name, kind, event, dict.fromkeys(BOTH, (code, "words")), now=NOW + 1)


def states(store: Store, name: str = "c1") -> set[StepState]:
    return {item.state_of(StepKind.SOURCE) for item in store.cutovers.all_items(name)}


def test_a_plan_comes_back_as_it_was_and_only_acting_sims_are_items(store: Store) -> None:
    assert [one.action for one in store.cutovers.rows("c1")] == ["SWITCH_OFF", "SWITCH_OFF", "LEAVE_ON"]
    assert [item.row for item in store.cutovers.items("c1", "all")] == [row(1), row(2)]
    assert store.cutovers.header("c1").count == 2


def test_the_same_plan_again_becomes_the_newest_and_is_kept_once(store: Store) -> None:
    added(store, "c2")
    added(store, "c1")
    assert store.cutovers.newest() == "c1"
    assert len(list(store.cutovers.rows("c1"))) == 3


def test_an_intent_is_on_disk_with_what_was_read_before_it(store: Store) -> None:
    begun(store)
    step = store.cutovers.items_by_key("c1", [key(1)])[0].steps[StepKind.SOURCE]
    assert (step.state, step.attempts, dict(step.before)) == (S.IN_FLIGHT, 1, BOTH[key(1)])
    assert store.journal.requests("c1")[0].body == [{"iccid": "1"}, {"iccid": "2"}]
    assert store.cutovers.state("c1") == "started"


def test_what_was_read_before_the_first_order_is_never_overwritten(store: Store) -> None:
    begun(store)
    moved(store, E.REFUSED_FOR_NOW)
    other: dict[str, dict[str, Any]] = {key(1): {"label": "clobbered"}, key(2): {}}
    ordered(store, store.journal.start_run("c1", "me", NOW), StepKind.SOURCE, other, sent=SENT, now=NOW)
    step = store.cutovers.items_by_key("c1", [key(1)])[0].steps[StepKind.SOURCE]
    assert (step.attempts, step.before["label"]) == (2, "one")


def test_a_step_that_is_not_pending_cannot_be_begun_and_nothing_is_written(store: Store) -> None:
    begun(store)
    with pytest.raises(IllegalTransition):
        begun(store)
    assert len(store.journal.requests("c1")) == 1


@pytest.mark.parametrize("event", [E.PROBED_PRESENT, E.CONFIRMED, E.LOST, E.OPERATOR_RETRY])
def test_a_pending_step_takes_no_event_that_the_table_does_not_allow(store: Store, event: StepEvent) -> None:
    with pytest.raises(IllegalTransition):
        moved(store, event)
    assert states(store) == {S.PENDING}


def test_what_a_dead_process_left_becomes_uncertain_and_its_request_lost(store: Store) -> None:
    begun(store)
    assert store.journal.reclaim_in_flight("c1", NOW + 5) == 2
    assert states(store) == {S.UNCERTAIN}
    assert store.journal.requests("c1")[0].outcome == RequestOutcome.LOST


def test_a_request_is_answered_once_and_a_run_ends_once(store: Store) -> None:
    request_id = begun(store)
    store.journal.answered(request_id, RequestOutcome.ACCEPTED, now=NOW)
    with pytest.raises(IllegalTransition):
        store.journal.answered(request_id, RequestOutcome.LOST, now=NOW)
    store.journal.end_run(1, RunEvent.STOP, exit_code=7, reason="later", now=NOW)
    with pytest.raises(IllegalTransition):
        store.journal.end_run(1, RunEvent.STOP, exit_code=7, reason="later", now=NOW)


@pytest.mark.parametrize(
    ("events", "code", "is_off"),
    [
        ([], "", True),  # in flight: it may have happened
        ([E.LOST], "", True),
        ([E.LOST, E.PROBED_PRESENT], "", True),
        ([E.LOST, E.PROBED_ABSENT], "not_effective", True),  # it may yet take effect
        ([E.REFUSED_FOR_NOW], "rate_limited", False),
        ([E.REFUSED_FOR_GOOD], "expired", False),
    ],
)
def test_what_a_cutover_may_have_switched_off_is_remembered(
    store: Store, events: list[StepEvent], code: str, *, is_off: bool
) -> None:
    begun(store)
    for event in events:
        moved(store, event, code=code)
    assert set(store.cutovers.switched_off()) == (set(BOTH) if is_off else set())


def test_what_was_rolled_back_is_off_no_more_once_its_pause_is_proved(store: Store) -> None:
    begun(store)
    moved(store, E.CONFIRMED)
    added(store, "r1", Direction.ROLLBACK, now=NOW + 10)
    begun(store, "r1", now=NOW + 11)
    moved(store, E.CONFIRMED, "r1")
    assert set(store.cutovers.switched_off()) == set(BOTH)
    begun(store, "r1", StepKind.PAUSE, now=NOW + 12)
    moved(store, E.CONFIRMED, "r1", StepKind.PAUSE)
    assert store.cutovers.switched_off() == {}


def test_orders_in_doubt_are_known_to_every_other_plan(store: Store) -> None:
    begun(store)
    moved(store, E.LOST)
    added(store, "r1", Direction.ROLLBACK, now=NOW + 10)
    assert store.cutovers.unsettled_elsewhere("r1", [key(1), key(3)]) == {key(1)}
    assert store.cutovers.unsettled_elsewhere("c1", [key(1)]) == frozenset()


def test_a_plan_that_was_started_later_supersedes_one_with_the_same_sims(store: Store) -> None:
    begun(store)
    added(store, "r1", Direction.ROLLBACK, now=NOW + 10)
    assert store.cutovers.superseded_by("c1") is None
    store.journal.start_run("r1", "me", NOW + 11)
    assert store.cutovers.superseded_by("c1") == "r1"
    assert store.cutovers.superseded_by("r1") is None


def test_a_plan_that_is_not_there_is_told_with_a_way_on(store: Store) -> None:
    with pytest.raises(InputError, match="no cutover or rollback plan 'c9'"):
        store.cutovers.header("c9")


# --- what was switched off, by SIM --------------------------------------------------------------------------------


def test_what_was_switched_off_tells_its_cutover_its_plan_and_what_the_sim_was(store: Store) -> None:
    before = {key(1): {"status": "Enabled"}, key(2): {"status": "Activated"}}
    ordered(store, store.journal.start_run("c1", "me", NOW), StepKind.SOURCE, before, sent=SENT, now=NOW)
    moved(store, E.CONFIRMED)
    found = store.cutovers.switched_off([key(1), key(2), key(3)])
    assert found == {key(n): SwitchedOff("c1", "p1", target_iccid(n), SourceStatus.ENABLED) for n in (1, 2)}


def test_what_a_sim_was_is_what_the_first_of_two_orders_met(store: Store) -> None:
    """The outcome of the first was not known, and the second met the SIM off already."""
    was = {key(1): {"status": "Enabled"}, key(2): {"status": "Enabled"}}
    ordered(store, store.journal.start_run("c1", "me", NOW), StepKind.SOURCE, was, sent=SENT, now=NOW)
    moved(store, E.LOST)
    added(store, "c2", now=NOW + 10)
    run_id = store.journal.start_run("c2", "me", NOW + 11)
    ordered(store, run_id, StepKind.SOURCE, {k: {"status": "Disabled"} for k in was}, sent=SENT, now=NOW + 11)
    moved(store, E.CONFIRMED, "c2")
    told = {(off.cutover_id, off.status_before) for off in store.cutovers.switched_off().values()}
    assert told == {("c2", SourceStatus.ENABLED)}


def test_once_a_rollback_switched_it_on_again_it_counts_as_1nce_says(store: Store) -> None:
    begun(store)
    moved(store, E.CONFIRMED)
    added(store, "r1", Direction.ROLLBACK, now=NOW + 10)
    begun(store, "r1", now=NOW + 11)
    assert {off.planned_by for off in store.cutovers.switched_off().values()} == {SourceStatus.ENABLED}
    moved(store, E.CONFIRMED, "r1")
    assert {off.planned_by for off in store.cutovers.switched_off().values()} == {None}


# --- what an operator skips ---------------------------------------------------------------------------------------


def test_a_skip_sets_the_first_open_step_of_a_sim_aside(store: Store) -> None:
    """In a rollback the pause of the new SIM, once the old one is on."""
    added(store, "r1", Direction.ROLLBACK, now=NOW + 10)
    run_id = store.journal.start_run("r1", "me", NOW + 10)
    ordered(store, run_id, StepKind.SOURCE, {key(1): {}}, sent=SENT, now=NOW + 10)
    store.journal.move("r1", StepKind.SOURCE, E.CONFIRMED, {key(1): ("", "")}, now=NOW + 11)
    assert store.cutovers.skip("r1", Selection(), now=NOW + 12, dry_run=True).sims == 2
    assert store.cutovers.skip("r1", Selection(wave="all"), now=NOW + 12).sims == 2
    first, second = store.cutovers.items("r1", "all")
    assert {kind: step.state for kind, step in first.steps.items()} == {
        StepKind.SOURCE: S.DONE,
        StepKind.PAUSE: S.SKIPPED,
    }
    assert {kind: step.state for kind, step in second.steps.items()} == {StepKind.SOURCE: S.SKIPPED}
    assert all(item.is_left_by_operator for item in (first, second))
    assert store.cutovers.skip("r1", Selection(), now=NOW + 13).sims == 0


def test_a_skip_knows_waves_and_sims_of_its_plan_only(store: Store) -> None:
    with pytest.raises(InputError, match="no wave 'first'"):
        store.cutovers.skip("c1", Selection(wave="first"), now=NOW)
    assert store.interventions.not_in_plan("c1", [key(1), key(9)]) == {key(9)}
    with pytest.raises(InputError, match="no cutover or rollback plan 'p1'"):
        store.cutovers.skip("p1", Selection(), now=NOW)
    with pytest.raises(InputError, match="no plan 'c1'"):
        store.interventions.skip("c1", Selection(), now=NOW)


def test_a_retry_forgets_no_order_of_an_old_sim(store: Store) -> None:
    begun(store)
    moved(store, E.REFUSED_FOR_GOOD, code="no")
    assert store.interventions.retry("c1", Selection(), now=NOW + 5).sims == 2
    assert {item.steps[StepKind.SOURCE].attempts for item in store.cutovers.items("c1", "all")} == {1}
    added(store, "r1", Direction.ROLLBACK, now=NOW + 10)
    assert store.cutovers.unsettled_elsewhere("r1", [key(1), key(2)]) == set(BOTH)
