"""`run`: steer a run from another terminal. Orders stand in the store until they are withdrawn."""

from typing import TYPE_CHECKING, Any

import click

from migrator.cli.common import Globals, Outcome, finish, global_options
from migrator.core.orders import CEILING_SETTINGS, Order, OrderKind
from migrator.errors import InputError

if TYPE_CHECKING:
    from migrator.store import Store

__all__ = ["abort", "pause", "rate", "resume"]

EPILOG = "Exit codes: 0 done, 2 no plan yet, or input."


@click.command("pause", epilog=EPILOG)
@click.argument("plan", required=False)
@global_options
@click.pass_obj
def pause(shared: Globals, /, *, plan: str | None) -> int:
    """Hold the run of PLAN (default the one in use) where it stands, after the request in flight.

    The order outlives the process: until `run resume`, `apply` of this plan sends nothing and ends with exit 6.
    """
    return finish("run pause", shared, lambda: _give(shared, plan, OrderKind.PAUSE))


@click.command("abort", epilog=EPILOG)
@click.argument("plan", required=False)
@global_options
@click.pass_obj
def abort(shared: Globals, /, *, plan: str | None) -> int:
    """End the run of PLAN (default the one in use) after the request in flight, with exit 6.

    The order outlives the process: until `run resume`, `apply` of this plan sends nothing and ends with exit 6.
    """
    return finish("run abort", shared, lambda: _give(shared, plan, OrderKind.ABORT))


def _give(shared: Globals, plan: str | None, kind: OrderKind) -> Outcome:
    from migrator import bootstrap
    from migrator.cli.lookups import living_holder, plan_in_use

    with bootstrap.store_of(shared.state, shared.config) as store:
        plan_id = plan_in_use(store, plan)
        if store.plans.state(plan_id) == "finished":
            hint = "name the plan that is meant; `migrator plan list` shows them"
            raise InputError(f"plan {plan_id} is finished: there is no run of it to {kind}", code="finished", hint=hint)
        order = Order(kind, bootstrap.operator(), bootstrap.SystemClock().now().timestamp())
        store.steering.give(plan_id, order)
        holder = living_holder(store) if _is_running(store, plan_id) else None
    if holder is None:
        told = "No run of it is alive: the order holds the next one."
    elif kind is OrderKind.PAUSE:
        told = f"{holder} stands still after the request in flight."
    else:
        told = f"{holder} ends after the request in flight."
    data = {"plan_id": plan_id, "order": order_values(order), "running": None if holder is None else str(holder)}
    return Outcome(data, [f"Plan {plan_id} is {order}. {told}", f"Next: `migrator run resume {plan_id}`."])


def _is_running(store: "Store", plan_id: str) -> bool:
    """Whether the journal knows of a run of this plan that has not ended; its process may be dead."""
    return any(run.state == "running" for run in store.journal.runs(plan_id))


def order_values(order: Order) -> dict[str, Any]:
    """An order as JSON values."""
    from migrator.reports.model import moment

    return {"kind": order.kind.value, "by": order.given_by, "at": moment(order.given_at)}


@click.command("resume", epilog=EPILOG)
@click.argument("plan", required=False)
@global_options
@click.pass_obj
def resume(shared: Globals, /, *, plan: str | None) -> int:
    """Withdraw `run pause` or `run abort` of PLAN (default the one that was ordered last).

    A paused run that is alive goes on by itself; otherwise `apply` does.
    """
    return finish("run resume", shared, lambda: _resume(shared, plan))


def _resume(shared: Globals, plan: str | None) -> Outcome:
    from migrator import bootstrap
    from migrator.cli.lookups import living_holder, plan_in_use

    with bootstrap.store_of(shared.state, shared.config) as store:
        ordered = store.steering.ordered_plans()
        plan_id = ordered[0] if plan is None and ordered else plan_in_use(store, plan)
        order = store.steering.withdraw(plan_id, by=bootstrap.operator(), now=bootstrap.SystemClock().now().timestamp())
        holder = living_holder(store) if _is_running(store, plan_id) else None
    data = {
        "plan_id": plan_id,
        "withdrawn": None if order is None else order_values(order),
        "running": None if holder is None else str(holder),
    }
    first = f"Plan {plan_id} had no order in force." if order is None else f"Plan {plan_id} may go on: it was {order}."
    then = f"{holder} goes on." if holder is not None else f"Next: `migrator apply {plan_id}`."
    return Outcome(data, [first, then])


@click.command("rate", epilog=EPILOG)
@click.argument("per_second", metavar="N|auto")
@click.option(
    "--carrier", type=click.Choice(list(CEILING_SETTINGS)), default="hologram", show_default=True, help="Which one."
)
@global_options
@click.pass_obj
def rate(shared: Globals, /, *, per_second: str, carrier: str) -> int:
    """Send at most N requests per second to a carrier; `auto` leaves it to the settings again.

    It counts for a run that is under way from its next request on, and for every later one. It never goes above
    HOLOGRAM_MAX_RPS or ONENCE_MAX_RPS.
    """
    return finish("run rate", shared, lambda: _rate(shared, per_second, carrier))


def _rate(shared: Globals, per_second: str, carrier: str) -> Outcome:
    from migrator import bootstrap
    from migrator.inputs.settings import rate_of

    chosen = bootstrap.settings(shared.config)
    setting = chosen.max_rps(CEILING_SETTINGS[carrier])
    asked = None if per_second.lower() == "auto" else rate_of(per_second)
    with bootstrap.open_store(shared.state or chosen.state) as store:
        now = bootstrap.SystemClock().now().timestamp()
        store.steering.set_ceiling(carrier, asked, by=bootstrap.operator(), now=now)
    effective = setting if asked is None else min(asked, setting)
    data = {"carrier": carrier, "ordered": asked, "setting": setting, "effective": effective}
    text = [f"{carrier}: at most {effective:g} requests a second."]
    if asked is not None and asked > setting:
        text.append(
            f"{CEILING_SETTINGS[carrier]} is {setting:g}, and no order goes above it: change the setting first."
        )
    return Outcome(data, text)
