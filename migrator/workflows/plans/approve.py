"""Approvals of a plan."""

from collections.abc import Callable, Sequence
from typing import Any

from migrator import wiring
from migrator.core.plan.approvals import Approval, approvers
from migrator.core.plan.plan import PlanHeader
from migrator.errors import InputError
from migrator.inputs.policy.file import stored_policy
from migrator.reports.model import moment
from migrator.store import Store
from migrator.workflows.lookups.looks import shown_plan
from migrator.workflows.lookups.plans import plan_or_file
from migrator.workflows.plans.refusals import must_be_whole, must_know_users, refuse_stale

__all__ = ["approvable", "approval_values", "approve_plan"]


def approvable(store: Store, given: str | None, warn: Callable[[Sequence[str]], None]) -> tuple[PlanHeader, list[str]]:
    """Return the plan that is to be approved, and warnings.

    The plan is as the store holds it, and as fresh as when it was made.

    Args:
        store: with the plan.
        given: an id or a plan file; None for the newest.
        warn: called with the warnings at once.

    Raises: InputError, if there is none, a used one or an edited file; StalePlan, also if it was changed in the store.
    """
    header = store.plans.header(plan_or_file(store, given))
    if store.plans.state(header.plan_id) == "finished":
        hint = "a plan is used once: make a new one with `migrator plan create`"
        raise InputError(f"plan {header.plan_id} is used up: there is nothing to approve", code="plan_used", hint=hint)
    warn(warnings := refuse_stale(store, header, "make a new plan, and approve that"))
    must_be_whole(store, header)
    return header, warnings


def approve_plan(store: Store, header: PlanHeader, who: str, *, note: str, ref: str) -> tuple[dict[str, Any], bool]:
    """Note that somebody approved a plan.

    Returns: all approvals as JSON values, and whether this one was known and counts once.
    Raises: InputError, where users of the database are asked for and there are none.
    """
    must_know_users(store, stored_policy(store.plans.policy_text(header.plan_id), name=header.plan_id))
    before = approval_values(store, header)
    now = wiring.SystemClock().now().timestamp()
    store.approvals.add(header.plan_id, Approval(who, now, header.fingerprints.changes, note, ref))
    values = approval_values(store, header)
    shown_plan(store, header.plan_id)
    return values, len(values["approvers"]) == len(before["approvers"])


def approval_values(store: Store, header: PlanHeader) -> dict[str, Any]:
    """Return the approvals of a plan as JSON values.

    These are the number of people needed, the people who approved, and every approval.
    """
    given = store.approvals.of(header.plan_id)
    users = store.plans.policy_json(header.plan_id).get("database_users") is True
    return {
        "required": header.summary.get("approvals_required", 0),
        "database_users": users,
        "approvers": list(approvers(given, header.fingerprints.changes, database_users=users)),
        "given": [
            {
                "approved_by": one.approved_by,
                "approved_at": moment(one.approved_at),
                "changes_sha256": one.changes_sha256,
                "note": one.note,
                "ref": one.ref,
                "database_user": one.db_user,
            }
            for one in given
        ],
    }
