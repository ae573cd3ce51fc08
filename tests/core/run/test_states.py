"""The transition tables: every move that is allowed, and no other."""

from itertools import product

import pytest

from migrator.core.run.states import (
    RUN_TRANSITIONS,
    STEP_TRANSITIONS,
    RunEvent,
    RunState,
    StepEvent,
    StepState,
    advance,
)
from migrator.errors import IllegalTransition

MOVES = """
    pending   begin            in_flight
    pending   pair_changed     failed
    in_flight more             pending
    in_flight confirmed        done
    in_flight refused_for_now  pending
    in_flight refused_for_good failed
    in_flight lost             uncertain
    uncertain probed_present   done
    uncertain probed_absent    pending
    uncertain probed_conflict  failed
    failed    operator_retry   uncertain
    failed    operator_skip    skipped
    pending   operator_skip    skipped
"""
ALLOWED = {
    (StepState(was), StepEvent(event)): StepState(to) for was, event, to in map(str.split, MOVES.split("\n")[1:-1])
}


@pytest.mark.parametrize(("state", "event"), list(product(StepState, StepEvent)))
def test_each_state_and_event_moves_as_the_design_says_or_raises(state: StepState, event: StepEvent) -> None:
    if (state, event) in ALLOWED:
        assert advance(state, event) is ALLOWED[state, event]
    else:
        with pytest.raises(IllegalTransition, match=f"{state} cannot take the event {event}"):
            advance(state, event)


def reachable(start: StepState) -> set[StepState]:
    seen, todo = {start}, [start]
    while todo:
        state = todo.pop()
        new = {to for (was, _), to in STEP_TRANSITIONS.items() if was is state} - seen
        seen |= new
        todo += new
    return seen


def test_every_state_can_be_reached_from_pending() -> None:
    assert reachable(StepState.PENDING) == set(StepState)


def test_every_event_is_of_use_somewhere() -> None:
    assert {event for _, event in STEP_TRANSITIONS} == set(StepEvent)


def test_a_request_leaves_only_from_pending() -> None:
    """What may have happened is never sent again before it was looked up."""
    to_the_wire = {was for (was, _), to in STEP_TRANSITIONS.items() if to is StepState.IN_FLIGHT}
    assert to_the_wire == {StepState.PENDING}


def test_done_and_skipped_are_ends() -> None:
    assert not {was for was, _ in STEP_TRANSITIONS} & {StepState.DONE, StepState.SKIPPED}


def test_every_other_state_has_a_way_to_an_end() -> None:
    for state in StepState:
        assert reachable(state) & {StepState.DONE, StepState.SKIPPED}, state


def test_a_run_ends_once_and_every_end_has_its_event() -> None:
    assert {was for was, _ in RUN_TRANSITIONS} == {RunState.RUNNING}
    assert {event for _, event in RUN_TRANSITIONS} == set(RunEvent)
    assert set(RUN_TRANSITIONS.values()) == set(RunState) - {RunState.RUNNING}
