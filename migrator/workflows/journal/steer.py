"""Orders for a run, given from another terminal."""

from dataclasses import dataclass

from migrator import wiring
from migrator.core.run.control import Order, OrderKind
from migrator.errors import InputError
from migrator.store import Store
from migrator.workflows.lookups.plans import plan_in_use
from migrator.workflows.site import living_holder

__all__ = ["GivenOrder", "Steered", "give_order", "steered", "withdraw_order"]


@dataclass(frozen=True, slots=True)
class Steered:
    """Target of an order: a migration's plan, or its cutover or rollback.

    The store keeps the order with the migration's plan in each case.

    Args:
        plan_id: the migration's plan.
        named: the id of that plan, or of the cutover or rollback.
        command: the command that carries the plan out.
        is_running: whether the journal knows of a run that has not ended; the process of the run may be dead.
        is_over: whether the plan is finished.
    """

    plan_id: str
    named: str
    command: str
    is_running: bool
    is_over: bool


def steered(store: Store, given: str | None) -> Steered:
    """Return the target of an order.

    That is `given`, or the cutover or rollback that is at work, or the plan in use.
    """
    cutover_id = _cutover_at_work(store) if given is None else given if store.cutovers.exists(given) else None
    if cutover_id is not None:
        header = store.cutovers.header(cutover_id)
        return Steered(
            plan_id=header.plan_id,
            named=cutover_id,
            command=f"{header.direction} apply",
            is_running=_is_cutover_running(store, cutover_id),
            is_over=store.cutovers.state(cutover_id) == "finished",
        )
    plan_id = plan_in_use(store, given)
    return Steered(
        plan_id=plan_id,
        named=plan_id,
        command="apply",
        is_running=any(run.state == "running" for run in store.journal.runs(plan_id)),
        is_over=store.plans.state(plan_id) == "finished",
    )


def _cutover_at_work(store: Store) -> str | None:
    """Return the cutover or rollback of a living process, or None."""
    newest = store.cutovers.newest()
    plans = [] if newest is None else store.cutovers.of_plan(store.cutovers.header(newest).plan_id)
    running = [str(one["switch_id"]) for one in plans if _is_cutover_running(store, one["switch_id"])]
    return running[-1] if running and living_holder(store) is not None else None


def _is_cutover_running(store: Store, cutover_id: str) -> bool:
    return any(run.state == "running" for run in store.journal.runs(cutover_id))


@dataclass(frozen=True, slots=True)
class GivenOrder:
    """Order that was given, or withdrawn.

    Args:
        meant: the plan.
        order: the order; None where there was none to withdraw.
        holder: the living process that heeds it; None for none.
    """

    meant: Steered
    order: Order | None
    holder: str | None


def give_order(store: Store, given: str | None, kind: OrderKind) -> GivenOrder:
    """Order the run of a plan to pause or to end.

    The order outlives the process, until it is withdrawn.

    Args:
        store: with the plan.
        given: a plan of any kind; None for the one in use.
        kind: the order.

    Raises: InputError, if there is no such plan, or it is finished.
    """
    meant = steered(store, given)
    if meant.is_over:
        hint = "name the plan that is meant; `migrator plan list` and `migrator status` show them"
        words = f"plan {meant.named} is finished: there is no run of it to {kind}"
        raise InputError(words, code="finished", hint=hint)
    order = Order(kind, wiring.operator(), wiring.SystemClock().now().timestamp())
    store.steering.give(meant.plan_id, order)
    return GivenOrder(meant, order, _holder(store, meant))


def withdraw_order(store: Store, given: str | None) -> GivenOrder:
    """Withdraw the order for a plan.

    `given` is a plan of any kind; None for the one that was ordered last.

    Raises: InputError, if there is no such plan.
    """
    ordered = store.steering.ordered_plans()
    meant = steered(store, given)
    if given is None and ordered and meant.plan_id != ordered[0]:
        meant = steered(store, ordered[0])
    now = wiring.SystemClock().now().timestamp()
    order = store.steering.withdraw(meant.plan_id, by=wiring.operator(), now=now)
    return GivenOrder(meant, order, _holder(store, meant))


def _holder(store: Store, meant: Steered) -> str | None:
    holder = living_holder(store) if meant.is_running else None
    return None if holder is None else str(holder)
