"""Comparison of plan and record for one SIM.

The result is what differs, and what that means for the SIM. Verification and drift are both this comparison.
"""

from collections.abc import Iterable
from enum import StrEnum

from migrator.core.fleet.sims import LinkState, TargetLink
from migrator.core.plan.compare import Finding, FindingCode, differences
from migrator.core.plan.plan import Action, Change, DesiredState, Reason
from migrator.core.run.packing import allows_no_more
from migrator.core.run.states import UNSETTLED, StepKind, StepState
from migrator.core.run.steps import Item, Verdict, Verified

__all__ = [
    "Bucket",
    "beside_a_pause",
    "bucket",
    "is_paused_though_planned_live",
    "shows",
    "verify_item",
]


class Bucket(StrEnum):
    """Bucket of a source SIM in the report.

    Every SIM is in exactly one bucket.
    """

    VERIFIED = "verified"  # the record shows every planned value
    PENDING = "pending"  # not begun, or the carrier is still working
    MISMATCH = "mismatch"  # done, but the record differs from the plan
    FAILED = "failed"  # a step was refused for good, or ended in a conflict
    BLOCKED = "blocked"  # the plan says that a person must decide
    SKIPPED = "skipped"  # left behind by policy or by an operator
    EXCLUDED = "excluded"  # not part of this plan
    UNPAIRED = "unpaired"  # no target ICCID is known


_CODES_OF = {
    StepKind.LIMITS: {FindingCode.WRONG_OVERAGE_LIMIT, FindingCode.WRONG_SMS_LIMIT, FindingCode.NOT_TOLD},
    StepKind.STATE: {
        FindingCode.WRONG_STATE,
        FindingCode.STATE_PENDING,
        FindingCode.PAUSED_BY_SYSTEM,
        FindingCode.IN_TEST_MODE,
    },
    StepKind.TAG: {FindingCode.TAG_MISSING},
    StepKind.UNTAG: {FindingCode.TAG_LEFT},
    StepKind.NAME: {FindingCode.WRONG_NAME},
}


def shows(kind: StepKind, findings: Iterable[Finding]) -> bool:
    """True if the record shows the planned result of a step.

    The step has this kind, which is not a claim.
    """
    return not any(finding.code in _CODES_OF[kind] for finding in findings)


_KIND_OF = {code: kind for kind, codes in _CODES_OF.items() for code in codes}


def verify_item(item: Item, org_id: int, *, lag_s: float | None) -> Verified:
    """Judge one SIM by its last reading.

    A SIM is pending while the carrier or we still work on one of its differences (a name that was cut must not keep the
    SIM from being paused). A SIM is a mismatch once waiting will mend none of its differences. A SIM that is not there
    is pending while its claim may still come true, and missing when it should be there. A SIM that waits in Test Mode
    is staged.

    Args:
        item: the SIM, with its steps and its last reading.
        org_id: our organization.
        lag_s: how old the carrier's reads may be. A read that is younger than its step by less proves nothing against
            the step. None: the plan is finished, so that no step of ours is going to mend anything.
    """
    if item.target is None or not item.target.is_claimed or item.is_still_in_test:
        was_to_be = item.change.action is Action.CLAIM
        is_waiting = was_to_be and not _is_over(item, StepKind.CLAIM, lag_s)
        finding = Finding(FindingCode.NOT_CLAIMED, "claimed", "not on the organization")
        return Verified(item.key, Verdict.PENDING if is_waiting else Verdict.MISSING, (finding,))
    found = differences(item.change, item.target, org_id)
    if not found:
        return Verified(item.key, Verdict.OK)
    if item.target.state is LinkState.TEST and item.change.action in {Action.ADOPT, Action.UPDATE}:
        return Verified(item.key, Verdict.STAGED, found)
    lasting = [finding for finding in found if _lasts(item, item.target, finding.code, lag_s)]
    is_left_alone = lag_s is None or any(finding.code in _UNTOUCHABLE for finding in lasting)
    lasts = bool(lasting) if is_left_alone else len(lasting) == len(found)
    return Verified(item.key, Verdict.MISMATCH if lasts else Verdict.PENDING, found)


_UNTOUCHABLE = {FindingCode.WRONG_ORGANIZATION, FindingCode.WRONG_PLAN}
"""Findings with which a SIM takes no orders.

So nothing else of the SIM is going to be mended either.
"""


def _lasts(item: Item, target: TargetLink, code: FindingCode, lag_s: float | None) -> bool:
    """True if neither the carrier nor our steps will mend this difference."""
    if code is FindingCode.STATE_PENDING:
        return False
    kind = _KIND_OF.get(code)
    if kind is None or code is FindingCode.PAUSED_BY_SYSTEM:
        return True
    takes_orders = target.state in {LinkState.LIVE, LinkState.PAUSED_USER} or target.state.is_pending
    is_over = _is_over(item, kind, lag_s) or (kind is StepKind.STATE and _waits_for_refused_limits(item, target))
    return not takes_orders or is_over


def _waits_for_refused_limits(item: Item, target: TargetLink) -> bool:
    """True if a paused SIM waits for limits that were given up.

    Such a SIM is resumed only once its limits are narrow enough, so that it is never resumed.
    """
    step, change = item.steps.get(StepKind.LIMITS), item.change
    if target.state is not LinkState.PAUSED_USER or step is None or step.state is not StepState.FAILED:
        return False
    limits = ((change.overage_limit_bytes, target.overage_limit_bytes), (change.sms_limit, target.sms_limit))
    return not all(allows_no_more(observed, planned) for planned, observed in limits)


def _is_over(item: Item, kind: StepKind, lag_s: float | None) -> bool:
    """True if nothing more is to come of a step.

    The step was given up, or done long enough before the last read.
    """
    if lag_s is None or not item.takes_orders:
        return True
    step = item.steps.get(kind)
    if step is None or step.state in UNSETTLED:
        return False
    was_given_up = step.state in {StepState.FAILED, StepState.SKIPPED}
    return was_given_up or item.read_at is None or item.read_at >= step.since + lag_s


def is_paused_though_planned_live(change: Change, target: TargetLink | None) -> bool:
    """True if a new SIM is paused, as a rollback leaves it.

    The plan wants the SIM live.
    """
    is_paused = target is not None and target.state in {LinkState.PAUSED_USER, LinkState.PAUSED_SYSTEM}
    return is_paused and change.state is DesiredState.LIVE


def beside_a_pause(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the differences of a SIM beside the pause by a rollback."""
    return tuple(finding for finding in findings if finding.code not in _CODES_OF[StepKind.STATE])


def bucket(  # noqa: PLR0911 - a table of rules, the first that fits wins
    change: Change, steps: frozenset[StepState], verified: Verified | None, *, is_taken_back: bool = False
) -> Bucket:
    """Return the one bucket of a SIM; the first that fits wins.

    `is_taken_back`: all that differs is a rollback's pause.
    """
    if change.reason is Reason.NOT_SELECTED:
        return Bucket.EXCLUDED
    if change.reason is Reason.NO_PAIRING:
        return Bucket.UNPAIRED
    if change.action is Action.BLOCK:
        return Bucket.BLOCKED
    if change.action is Action.SKIP or StepState.SKIPPED in steps or is_taken_back:
        return Bucket.SKIPPED
    if verified is not None and verified.verdict is Verdict.OK:
        return Bucket.VERIFIED
    if StepState.FAILED in steps:
        return Bucket.FAILED
    if verified is not None and verified.verdict in {Verdict.MISMATCH, Verdict.MISSING}:
        return Bucket.MISMATCH
    return Bucket.PENDING
