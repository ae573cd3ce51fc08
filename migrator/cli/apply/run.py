"""`run`: steer a run from another terminal.

Orders stand in the store until they are withdrawn.
"""

from typing import Any

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options
from migrator.core.run.control import CEILING_SETTINGS, Order, OrderKind
from migrator.inputs.settings.settings import rate_of
from migrator.reports.model import moment
from migrator.workflows.journal.steer import GivenOrder, give_order, withdraw_order

__all__ = ["abort", "pause", "rate", "resume"]

EPILOG = "Exit codes: 0 done, 2 no plan yet, or input."


@click.command("pause", epilog=EPILOG)
@click.argument("plan", required=False)
@global_options
@click.pass_obj
def pause(shared: Globals, /, *, plan: str | None) -> int:
    """Hold the run of PLAN after the request in flight.

    PLAN is by default the one in use, and may be a cutover's or a rollback's, too. The order outlives the process:
    until `run resume`, nothing of this plan and of its cutover goes out, and their commands end with exit 6.
    """
    return finish("run pause", shared, lambda: _give(shared, plan, OrderKind.PAUSE))


@click.command("abort", epilog=EPILOG)
@click.argument("plan", required=False)
@global_options
@click.pass_obj
def abort(shared: Globals, /, *, plan: str | None) -> int:
    """End the run of PLAN after the request in flight (exit 6).

    PLAN is by default the one in use, and may be a cutover's or a rollback's, too. The order outlives the process:
    until `run resume`, nothing of this plan and of its cutover goes out, and their commands end with exit 6.
    """
    return finish("run abort", shared, lambda: _give(shared, plan, OrderKind.ABORT))


def _give(shared: Globals, plan: str | None, kind: OrderKind) -> Outcome:

    with wiring.store_of(shared.state, shared.config) as store:
        given = give_order(store, plan, kind)
    named, holder = given.meant.named, given.holder
    if holder is None:
        told = "No run of it is alive: the order holds the next one."
    elif kind is OrderKind.PAUSE:
        told = f"{holder} stands still after the request in flight."
    else:
        told = f"{holder} ends after the request in flight."
    data = _data(given) | {"order": None if given.order is None else order_values(given.order)}
    return Outcome(data, [f"Plan {named} is {given.order}. {told}", f"Next: `migrator run resume {named}`."])


def _data(given: GivenOrder) -> dict[str, Any]:
    meant = given.meant
    return {
        "plan_id": meant.plan_id,
        "switch_id": None if meant.named == meant.plan_id else meant.named,
        "running": given.holder,
    }


def order_values(order: Order) -> dict[str, Any]:
    """Return an order as JSON values."""
    return {"kind": order.kind.value, "by": order.given_by, "at": moment(order.given_at)}


@click.command("resume", epilog=EPILOG)
@click.argument("plan", required=False)
@global_options
@click.pass_obj
def resume(shared: Globals, /, *, plan: str | None) -> int:
    """Withdraw `run pause` or `run abort` of PLAN.

    PLAN is by default the one that was ordered last. A paused run that is alive goes on by itself; otherwise `apply`
    goes on.
    """
    return finish("run resume", shared, lambda: _resume(shared, plan))


def _resume(shared: Globals, plan: str | None) -> Outcome:

    with wiring.store_of(shared.state, shared.config) as store:
        given = withdraw_order(store, plan)
    order, holder, named = given.order, given.holder, given.meant.named
    data = _data(given) | {"withdrawn": None if order is None else order_values(order)}
    first = f"Plan {named} had no order in force." if order is None else f"Plan {named} may go on: it was {order}."
    then = f"{holder} goes on." if holder is not None else f"Next: `migrator {given.meant.command} {named}`."
    return Outcome(data, [first, then])


@click.command("rate", epilog=EPILOG)
@click.argument("per_second", metavar="N|auto")
@click.option(
    "--carrier", type=click.Choice(list(CEILING_SETTINGS)), default="hologram", show_default=True, help="Which one."
)
@global_options
@click.pass_obj
def rate(shared: Globals, /, *, per_second: str, carrier: str) -> int:
    """Send at most N requests per second to a carrier.

    `auto` leaves the rate to the settings again. The rate counts for a run that is under way from its next request on,
    and for every later run. It never goes above the setting, such as HOLOGRAM_MAX_RPS.
    """
    return finish("run rate", shared, lambda: _rate(shared, per_second, carrier))


def _rate(shared: Globals, per_second: str, carrier: str) -> Outcome:

    chosen = wiring.settings(shared.config)
    setting = chosen.max_rps(CEILING_SETTINGS[carrier])
    asked = None if per_second.lower() == "auto" else rate_of(per_second)
    with wiring.open_store(shared.state or chosen.state) as store:
        now = wiring.SystemClock().now().timestamp()
        store.steering.set_ceiling(carrier, asked, by=wiring.operator(), now=now)
    effective = setting if asked is None else min(asked, setting)
    data = {"carrier": carrier, "ordered": asked, "setting": setting, "effective": effective}
    text = [f"{carrier}: at most {effective:g} requests a second."]
    if asked is not None and asked > setting:
        text.append(
            f"{CEILING_SETTINGS[carrier]} is {setting:g}, and no order goes above it: change the setting first."
        )
    return Outcome(data, text)
