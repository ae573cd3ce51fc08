"""Refusing a plan that is not what was made, reviewed and approved: somebody wrote into the store."""

from typing import TYPE_CHECKING

from migrator.errors import StalePlan

if TYPE_CHECKING:
    from migrator.core.cutover.plan import SwitchHeader
    from migrator.core.plan.plan import PlanHeader
    from migrator.store import Store

__all__ = ["must_be_whole", "switch_must_be_whole"]

WHO = "find out who writes to the store: `migrator audit verify` looks at all of it"


def must_be_whole(store: "Store", header: "PlanHeader", *, lines: bool = True) -> None:
    """Raises: StalePlan, if a plan is not what was made.

    Args:
        store: where it is.
        header: its header.
        lines: whether to read every line, too; without them it takes no time.
    """
    if words := store.plans.edited(header.plan_id, lines=lines):
        raise _edited(header.plan_id, words, "make a new plan, which adopts SIMs that are claimed already")


def switch_must_be_whole(store: "Store", header: "SwitchHeader") -> None:
    """Raises: StalePlan, if a cutover or rollback plan, or the migration's plan behind it, is not what was made."""
    if words := store.switches.edited(header.switch_id):
        raise _edited(header.switch_id, words, f"run `migrator {header.direction} plan` again")
    must_be_whole(store, store.plans.header(header.plan_id))


def _edited(plan_id: str, words: str, remedy: str) -> StalePlan:
    return StalePlan(
        f"plan {plan_id} was changed in the store since it was made: {words}; nothing was sent",
        code="edited_plan",
        hint=f"{remedy}; {WHO}",
    )
