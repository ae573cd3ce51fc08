"""Receivers whom a worker may tell."""

from migrator.core.campaign.notices import Delivery
from migrator.core.policy.outside import NoticeEvent
from migrator.errors import Halted
from migrator.store import PlanState, Store
from migrator.workflows.plans.refusals import require_approvals

__all__ = ["may_deliver", "may_tell", "migration_of"]


def may_tell(store: Store, plan_id: str) -> bool:
    """True if a plan's receivers may be told by a worker.

    A receiver may be a program, and a worker has the account's store: only a plan that was begun, or that as many
    people approved as its policy asks for, names one. Of a cutover or rollback it is the plan behind it.
    """
    named = migration_of(store, plan_id)
    state = store.plans.exists(named)
    if state is None or state is PlanState.DRAFT:
        return False
    if state is not PlanState.CREATED:
        return True
    try:
        require_approvals(store, store.plans.header(named))
    except Halted:
        return False
    return True


def may_deliver(store: Store, one: Delivery) -> bool:
    """True if a worker may deliver a notice.

    What a person found with `verify` is told to receivers of any plan, also of one that may not tell: that notice is
    left to the commands of persons.
    """
    is_found = one.event in {NoticeEvent.DRIFT, NoticeEvent.SILENT}
    if not is_found or one.plan_id is None or store.plans.exists(one.plan_id) is None:
        return True
    return may_tell(store, one.plan_id)


def migration_of(store: Store, plan_id: str) -> str:
    """Return the plan behind a cutover or rollback, or the plan itself."""
    return plan_id if store.cutovers.exists(plan_id) is None else store.cutovers.header(plan_id).plan_id
