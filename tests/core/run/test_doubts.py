"""Doubts and their settling."""

import pytest

from migrator.core.run.doubts import MAY_STILL_COME, SETTLING, Doubt, Patience, doubt_of
from migrator.core.run.states import CUTOVER_STEPS, MIGRATION_STEPS, StepKind, StepState
from migrator.core.run.steps import Step

CLAIM, LIMITS, STATE, TAG, UNTAG, NAME = MIGRATION_STEPS
SOURCE, PAUSE = CUTOVER_STEPS


def test_the_table_has_a_line_for_each_doubt() -> None:
    assert set(SETTLING) == {None, *Doubt}


def test_old_stores_keep_their_words() -> None:
    """These texts are in stores and in policies; a new one may be added, none may change."""
    assert [doubt.value for doubt in Doubt] == [
        "outcome_unknown",
        "unexpected",
        "process_died",
        "claimed_unseen",
        "not_in_reply",
        "claimed_elsewhere",
        "test_mode",
        "claim_refused",
        "unproven",
        "locked",
        "left_alone",
        "not_effective",
        "retried",
    ]


@pytest.mark.parametrize(
    ("code", "doubt"), [("unproven", Doubt.UNPROVEN), ("tag_refused", None), ("", None), ("UNPROVEN", None)]
)
def test_a_step_tells_its_doubt(code: str, doubt: Doubt | None) -> None:
    assert Step(TAG, StepState.UNCERTAIN, code=code).doubt is doubt
    assert doubt_of(code) is doubt


@pytest.mark.parametrize("doubt", [Doubt.CLAIMED_UNSEEN, Doubt.CLAIMED_ELSEWHERE, Doubt.TEST_MODE, Doubt.CLAIM_REFUSED])
def test_a_sim_that_was_named_is_never_claimed_again(doubt: Doubt) -> None:
    assert SETTLING[doubt].is_over(CLAIM, 0)
    assert SETTLING[doubt].ending(CLAIM, 1, doubt, "said")[0] == doubt


@pytest.mark.parametrize(
    ("doubt", "tries", "ends", "goes_on"),
    [
        (Doubt.NOT_IN_REPLY, 3, {CLAIM}, set()),
        (Doubt.UNPROVEN, 6, {LIMITS, TAG, UNTAG, NAME}, {STATE, SOURCE, PAUSE}),
        (Doubt.LEFT_ALONE, 6, {LIMITS, STATE, TAG, UNTAG, NAME}, set()),
        (Doubt.UNEXPECTED, 2, {TAG, UNTAG, NAME, SOURCE, PAUSE}, {CLAIM, LIMITS, STATE}),
        (Doubt.OUTCOME_UNKNOWN, 0, set(), set(StepKind)),
        (Doubt.PROCESS_DIED, 0, set(), set(StepKind)),
        (Doubt.RETRIED, 0, set(), set(StepKind)),
        (Doubt.LOCKED, 0, set(), {LIMITS, STATE, TAG, UNTAG, NAME}),
        (Doubt.NOT_EFFECTIVE, 0, set(), {SOURCE}),
        (None, 0, set(), set(StepKind)),
    ],
)
def test_a_step_is_tried_so_often(doubt: Doubt | None, tries: int, ends: set[StepKind], goes_on: set[StepKind]) -> None:
    settling = SETTLING[doubt]
    assert all(settling.is_over(kind, tries) and not settling.is_over(kind, tries - 1) for kind in ends)
    assert not any(settling.is_over(kind, 1000) for kind in goes_on)


def test_a_step_fails_with_words_of_its_own() -> None:
    told = SETTLING[Doubt.UNPROVEN].ending(TAG, 6, "unproven", "accepted")
    assert told == ("tag_not_applied", "ordered 6 times, and the record never showed it")
    assert SETTLING[Doubt.LEFT_ALONE].ending(NAME, 6, "left_alone", "{it} said") == ("name_ignored", "{it} said")
    assert SETTLING[Doubt.UNEXPECTED].ending(TAG, 2, "unexpected", "a defect") == ("unexpected", "a defect")


def test_only_unanswered_orders_may_still_be_worked_on() -> None:
    at_work = {doubt for doubt, settling in SETTLING.items() if settling.patience is Patience.AT_WORK}
    assert at_work == {Doubt.OUTCOME_UNKNOWN, Doubt.UNEXPECTED, Doubt.PROCESS_DIED}
    assert set(MAY_STILL_COME) == {Doubt.NOT_EFFECTIVE, Doubt.UNEXPECTED}
