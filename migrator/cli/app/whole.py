"""Refusal of a plan that somebody changed in the store.

Such a plan is not the plan that was made, reviewed and approved.
"""

from migrator.core.cutover.plan import SwitchHeader
from migrator.core.plan.plan import PlanHeader
from migrator.errors import StalePlan
from migrator.store import Store

__all__ = ["must_be_whole", "switch_must_be_whole"]

WHO = "find out who writes to the store: `migrator audit verify` looks at all of it"


def must_be_whole(store: Store, header: PlanHeader, *, lines: bool = True) -> None:
    """Refuse a plan that was changed in the store.

    Args:
        store: the store of the plan.
        header: the header of the plan.
        lines: whether to read every line, too; without the lines the check takes no time.

    Raises: StalePlan, if the plan is not what was made.
    """
    if words := store.plans.edited(header.plan_id, lines=lines):
        raise _edited(header.plan_id, words, "make a new plan, which adopts SIMs that are claimed already")


def switch_must_be_whole(store: Store, header: SwitchHeader) -> None:
    """Refuse a cutover or rollback plan that was changed in the store.

    Raises: StalePlan, if that plan, or the migration's plan behind it, is not what was made.
    """
    if words := store.switches.edited(header.switch_id):
        raise _edited(header.switch_id, words, f"run `migrator {header.direction} plan` again")
    must_be_whole(store, store.plans.header(header.plan_id))


def _edited(plan_id: str, words: str, remedy: str) -> StalePlan:
    return StalePlan(
        f"plan {plan_id} was changed in the store since it was made: {words}; nothing was sent",
        code="edited_plan",
        hint=f"{remedy}; {WHO}",
    )
