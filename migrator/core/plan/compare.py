"""Comparison of planned values with a target record."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from migrator.core.fleet.sims import LinkState, TargetLink
from migrator.core.plan.plan import Change

__all__ = ["STOCK_TAG", "Finding", "FindingCode", "differences", "same_zone", "stock_tag_left"]

STOCK_TAG = "stock_tag"
"""Name of the stock's tag among the values of before a plan."""


class FindingCode(StrEnum):
    """Kind of difference between a plan and a target record."""

    NOT_CLAIMED = "not_claimed"  # no device for the target ICCID
    WRONG_ORGANIZATION = "wrong_organization"  # it is somebody else's
    WRONG_PLAN = "wrong_plan"  # another data plan or zone
    WRONG_STATE = "wrong_state"  # settled in a state that was not planned
    STATE_PENDING = "state_pending"  # the carrier is still moving it
    PAUSED_BY_SYSTEM = "paused_by_system"  # balance or a limit; no order of ours can resume it
    IN_TEST_MODE = "in_test_mode"  # not live yet
    WRONG_OVERAGE_LIMIT = "wrong_overage_limit"  # another data limit than planned
    WRONG_SMS_LIMIT = "wrong_sms_limit"  # another SMS limit than planned
    WRONG_NAME = "wrong_name"  # cut, replaced or changed since
    TAG_MISSING = "tag_missing"  # the migration's tag, or one of the old SIM's, is not on it
    TAG_LEFT = "tag_left"  # the stock's tag is still on it, though it has a unit now
    NOT_TOLD = "not_told"  # the carrier's record leaves this value out


@dataclass(frozen=True, slots=True)
class Finding:
    """Difference between the planned and the observed value, both as text."""

    code: FindingCode
    planned: str
    observed: str


def differences(change: Change, target: TargetLink, org_id: int) -> tuple[Finding, ...]:
    """Return every planned value that the record does not show.

    The order is stable. Pending states are findings too.
    """
    return tuple(_differences(change, target, org_id))


def _differences(change: Change, target: TargetLink, org_id: int) -> Iterator[Finding]:
    if target.org_id not in {None, org_id}:
        yield Finding(FindingCode.WRONG_ORGANIZATION, str(org_id), str(target.org_id))
    yield from _plan_difference(change, target)
    yield from _state_difference(change, target)
    limits = (
        (FindingCode.WRONG_OVERAGE_LIMIT, change.overage_limit_bytes, target.overage_limit_bytes),
        (FindingCode.WRONG_SMS_LIMIT, change.sms_limit, target.sms_limit),
    )
    for code, planned, observed in limits:
        if planned is not None and planned != observed:
            yield Finding(code if observed is not None else FindingCode.NOT_TOLD, str(planned), str(observed))
    if change.name is not None and change.name != target.name:
        yield Finding(FindingCode.WRONG_NAME, change.name, target.name or "")
    if target.tags is not None and (missing := [tag for tag in change.all_tags if tag not in target.tags]):
        yield Finding(FindingCode.TAG_MISSING, ", ".join(missing), ", ".join(sorted(target.tags)))
    if (left := stock_tag_left(change, target)) is not None:
        yield Finding(FindingCode.TAG_LEFT, f"without {left}", ", ".join(sorted(target.tags or ())))


def _plan_difference(change: Change, target: TargetLink) -> Iterator[Finding]:
    same_plan = target.data_plan_id in {None, change.data_plan_id}
    if not (same_plan and same_zone(target.zone, change.zone)):
        planned = f"{change.data_plan_id} {change.zone}"
        yield Finding(FindingCode.WRONG_PLAN, planned, f"{target.data_plan_id} {target.zone}")


def stock_tag_left(change: Change, target: TargetLink) -> str | None:
    """Return the stock's tag that is to go, or None.

    Only the tag that the card bore at planning counts, and only while the record shows it.
    """
    left: str | None = change.before.get(STOCK_TAG)
    return left if left is not None and left in (target.tags or ()) else None


def same_zone(observed: str | None, planned: str | None) -> bool:
    """True if the zone of a record is the planned zone.

    A record that names no zone does not contradict.

    Source: plan pages show `global` and `Global` for one zone (reference, 10.1); its case sensitivity is unknown.
    """
    return observed is None or planned is None or observed.casefold() == planned.casefold()


def _state_difference(change: Change, target: TargetLink) -> Iterator[Finding]:
    if change.state is None or target.state is change.state.reached_as:
        return
    if target.state.is_pending:
        code = FindingCode.STATE_PENDING
    elif target.state is LinkState.PAUSED_SYSTEM:
        code = FindingCode.PAUSED_BY_SYSTEM
    elif target.state is LinkState.TEST:
        code = FindingCode.IN_TEST_MODE
    else:
        code = FindingCode.WRONG_STATE
    yield Finding(code, change.state.reached_as.name.replace("_", "-"), target.state_word)
