"""Plan against record."""

from typing import Any

import pytest

from migrator.core.plan.compare import FindingCode, differences
from migrator.core.plan.plan import Action, Change, Reason
from migrator.core.plan.planner import Planner
from migrator.core.run.states import StepKind, StepState
from migrator.core.run.steps import Item, Step, Verdict, Verified
from migrator.core.run.verify import Bucket, bucket, shows, verify_item
from tests.builders import ORG, candidate, policy, source_iccid, target


def planned() -> Change:
    (change,) = Planner(policy(), ORG).changes([candidate(1)])
    return change


def test_a_record_as_planned_has_no_finding() -> None:
    assert differences(planned(), target(1), ORG) == ()


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"org_id": 1}, FindingCode.WRONG_ORGANIZATION),
        ({"data_plan_id": 1}, FindingCode.WRONG_PLAN),
        ({"zone": "us"}, FindingCode.WRONG_PLAN),
        ({"state": "PAUSED-USER"}, FindingCode.WRONG_STATE),
        ({"state": "PAUSED-SYS"}, FindingCode.PAUSED_BY_SYSTEM),
        ({"state": "LIVE-PENDING"}, FindingCode.STATE_PENDING),
        ({"overage_limit_bytes": 1}, FindingCode.WRONG_OVERAGE_LIMIT),
        ({"overage_limit_bytes": None}, FindingCode.NOT_TOLD),
        ({"sms_limit": 1}, FindingCode.WRONG_SMS_LIMIT),
        ({"name": "unit "}, FindingCode.WRONG_NAME),
        ({"tags": frozenset()}, FindingCode.TAG_MISSING),
    ],
)
def test_each_planned_value_is_compared(values: dict[str, Any], code: FindingCode) -> None:
    assert [finding.code for finding in differences(planned(), target(1, **values), ORG)] == [code]


def test_a_record_that_leaves_tags_out_proves_nothing_about_them() -> None:
    assert differences(planned(), target(1, tags=None), ORG) == ()


def item(*steps: tuple[StepKind, StepState], **values: Any) -> Item:
    return Item(planned(), {kind: Step(kind, state) for kind, state in steps}, target(1, **values))


def test_a_pending_state_is_waited_for() -> None:
    assert verify_item(item(state="LIVE-PENDING"), ORG, lag_s=60).verdict is Verdict.PENDING


def test_a_difference_is_pending_until_its_own_step_is_through() -> None:
    """A run that was stopped between claim and name has work left, not a mismatch."""
    verdicts = {
        state: verify_item(item((StepKind.NAME, state), name="x"), ORG, lag_s=60).verdict for state in StepState
    }
    waiting = {StepState.PENDING, StepState.IN_FLIGHT, StepState.UNCERTAIN}
    assert {state for state, verdict in verdicts.items() if verdict is Verdict.PENDING} == waiting
    assert verify_item(item(name="x"), ORG, lag_s=60).verdict is Verdict.PENDING


def test_a_read_from_before_the_step_does_not_speak_against_it() -> None:
    """The name was just sent, and reads may be a minute old: only a later one that shows another name counts."""
    done = {StepKind.NAME: Step(StepKind.NAME, StepState.DONE, since=100.0)}
    before, after = (Item(planned(), done, target(1, name="x"), read_at=at) for at in (159.0, 160.0))
    assert verify_item(before, ORG, lag_s=60).verdict is Verdict.PENDING
    assert verify_item(after, ORG, lag_s=60).verdict is Verdict.MISMATCH


def test_once_the_plan_is_finished_every_difference_is_drift() -> None:
    assert verify_item(item(sms_limit=1), ORG, lag_s=None).verdict is Verdict.MISMATCH
    assert verify_item(item(state="LIVE-PENDING"), ORG, lag_s=None).verdict is Verdict.PENDING


def test_one_lasting_difference_does_not_keep_the_others_from_being_mended() -> None:
    """A SIM whose verdict is final takes no orders: a name that was cut must not leave it live, or without limits."""
    failed = (StepKind.NAME, StepState.FAILED)
    assert verify_item(item(failed, name="x", state="LIVE-PENDING"), ORG, lag_s=60).verdict is Verdict.PENDING
    assert verify_item(item(failed, name="x", overage_limit_bytes=1), ORG, lag_s=60).verdict is Verdict.PENDING
    assert verify_item(item(failed, name="x", state="LIVE-PENDING"), ORG, lag_s=None).verdict is Verdict.MISMATCH
    assert verify_item(item(failed, name="x", data_plan_id=1, sms_limit=1), ORG, lag_s=60).verdict is Verdict.MISMATCH


@pytest.mark.parametrize("state", ["PAUSED-SYS", "DEAD", "TEST-ACTIVATE", "WEIRD"])
def test_a_link_that_takes_no_orders_is_a_mismatch(state: str) -> None:
    assert verify_item(item(state=state, name="x"), ORG, lag_s=60).verdict is Verdict.MISMATCH


@pytest.mark.parametrize("values", [{"org_id": 1}, {"data_plan_id": 1}])
def test_what_no_step_of_ours_can_mend_is_a_mismatch(values: dict[str, Any]) -> None:
    assert verify_item(item(**values), ORG, lag_s=60).verdict is Verdict.MISMATCH


def test_a_sim_that_is_not_there_is_missing_once_its_claim_was_done() -> None:
    done = {StepKind.CLAIM: Step(StepKind.CLAIM, StepState.DONE)}
    assert verify_item(Item(planned(), done, None), ORG, lag_s=60).verdict is Verdict.MISSING
    assert verify_item(Item(planned(), {}, None), ORG, lag_s=60).verdict is Verdict.PENDING


def test_a_step_is_shown_when_none_of_its_findings_is_there() -> None:
    findings = differences(planned(), target(1, sms_limit=1), ORG)
    assert not shows(StepKind.LIMITS, findings)
    assert shows(StepKind.NAME, findings)


def change(action: Action, reason: Reason) -> Change:
    base = planned()
    return Change(base.source_iccid, base.target_iccid, action, reason)


OK, MISMATCH = (Verified("k", verdict) for verdict in (Verdict.OK, Verdict.MISMATCH))


@pytest.mark.parametrize(
    ("action", "reason", "steps", "verified", "expected"),
    [
        (Action.BLOCK, Reason.NO_PAIRING, set(), None, Bucket.UNPAIRED),
        (Action.BLOCK, Reason.LIMIT_ZERO, set(), None, Bucket.BLOCKED),
        (Action.SKIP, Reason.STATUS_SKIPPED, set(), None, Bucket.SKIPPED),
        (Action.CLAIM, Reason.READY, {StepState.SKIPPED}, None, Bucket.SKIPPED),
        (Action.CLAIM, Reason.READY, set(), None, Bucket.PENDING),
        (Action.CLAIM, Reason.READY, {StepState.DONE}, OK, Bucket.VERIFIED),
        (Action.CLAIM, Reason.READY, {StepState.FAILED}, OK, Bucket.VERIFIED),
        (Action.CLAIM, Reason.READY, {StepState.FAILED}, MISMATCH, Bucket.FAILED),
        (Action.CLAIM, Reason.READY, {StepState.DONE}, MISMATCH, Bucket.MISMATCH),
    ],
)
def test_each_sim_has_one_bucket(
    action: Action, reason: Reason, steps: set[StepState], verified: Verified | None, expected: Bucket
) -> None:
    assert bucket(change(action, reason), frozenset(steps), verified) is expected


def test_a_sim_that_a_plan_was_told_to_leave_out_is_excluded() -> None:
    left_out = Change(source_iccid(1), None, Action.SKIP, Reason.NOT_SELECTED)
    assert bucket(left_out, frozenset(), None) is Bucket.EXCLUDED
