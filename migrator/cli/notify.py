"""`notify`: notices that were sent, wait, or failed."""

from pathlib import Path
from typing import Any

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options, table
from migrator.core.campaign.notices import Delivery, DeliveryState
from migrator.core.fleet.units import counted
from migrator.core.run.results import ExitCode
from migrator.errors import InputError, Problem
from migrator.inputs.policy.file import read_policy, stored_policy
from migrator.reports.model import moment
from migrator.workflows.lookups.plans import plan_id_of
from migrator.workflows.notices.deliver import deliver as deliver_notices
from migrator.workflows.notices.test import send_test
from migrator.workflows.site import open_site

__all__ = ["deliver", "show", "test"]

MOST_S = 120.0
COLUMNS = ("notice", "made", "event", "plan", "receiver", "state", "tries", "next try", "last error")


@click.command("deliver", epilog="Exit codes: 0 all that was due is delivered, 2 no store, 3 some receiver failed.")
@global_options
@click.pass_obj
def deliver(shared: Globals, /) -> int:
    """Deliver what waits in the outbox, for cron.

    Each run does the same at its end; this is for what failed then.
    """
    return finish("notify deliver", shared, lambda: _deliver(shared))


def _deliver(shared: Globals) -> Outcome:

    with open_site(shared.state, config=shared.config) as site:
        done = deliver_notices(site, most_s=MOST_S)
        left = len(site.store.outbox.open())
    data = {**{state.value: done[state] for state in DeliveryState}, "open": left}
    text = [f"Delivered: {done[DeliveryState.DELIVERED]}. Still waiting: {left}."]
    failed = done[DeliveryState.WAITING] + done[DeliveryState.GAVE_UP]
    if not failed:
        return Outcome(data, text)
    given_up = f", {done[DeliveryState.GAVE_UP]} of them given up" if done[DeliveryState.GAVE_UP] else ""
    words = f"{counted(failed, 'notice')} failed{given_up}"
    return Outcome(data, text, ExitCode.ATTENTION, (Problem("attention", words, "`migrator notify list` says why"),))


@click.command("list", epilog="Exit codes: 0 done, 2 no store.")
@click.option("--newest", type=click.IntRange(1, 10_000), default=20, show_default=True, help="So many notices.")
@click.option("--open", "only_open", is_flag=True, help="Only what is not delivered, and not given up, however old.")
@global_options
@click.pass_obj
def show(shared: Globals, /, *, newest: int, only_open: bool) -> int:
    """List notices with their receivers, and what became of each."""
    return finish("notify list", shared, lambda: _list(shared, newest, only_open=only_open))


def _list(shared: Globals, newest: int, *, only_open: bool) -> Outcome:

    with wiring.store_of(shared.state, shared.config) as store:
        shown = store.outbox.open() if only_open else store.outbox.newest(newest)
        counts = store.outbox.counts()
    rows = [tuple(_values(one).values()) for one in shown]
    data = {"counts": {state.value: counts.get(state, 0) for state in DeliveryState}}
    data_rows = [{**_values(one), "told": one.told} for one in shown]
    summary = ", ".join(f"{counts.get(state, 0)} {state.value.replace('_', ' ')}" for state in DeliveryState)
    text: list[Any] = [table("Notices", COLUMNS, rows)] if rows else []
    return Outcome({**data, "deliveries": data_rows}, [*text, f"Deliveries in the store: {summary}."])


def _values(one: Delivery) -> dict[str, Any]:
    is_open = one.state in {DeliveryState.WAITING, DeliveryState.SENDING}
    return {
        "notice": one.number,
        "made_at": moment(one.made_at),
        "event": one.event.value,
        "plan_id": one.plan_id,
        "receiver": f"{one.name} {one.receiver}".replace(f"{one.receiver.to} (", "(", 1),
        "state": one.state.value,
        "tries": one.tries,
        "next_at": moment(one.next_at) if is_open else None,
        "last_error": one.last_error,
    }


@click.command("test", epilog="Exit codes: 0 each receiver took it, 2 no receiver, or input, 3 some did not.")
@click.argument("plan", required=False)
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(path_type=Path, exists=True),
    help="The receivers of this policy file, not those of a plan.",
)
@click.option("--to", "only", type=click.IntRange(1), metavar="N", help="Only the N-th [[notify]].")
@global_options
@click.pass_obj
def test(shared: Globals, /, *, plan: str | None, policy_file: Path | None, only: int | None) -> int:
    """Send a test notice to each receiver of PLAN.

    PLAN is by default the newest. Tells what each receiver answered. Nothing is kept.
    """
    return finish("notify test", shared, lambda: _test(shared, plan, policy_file, only))


def _test(shared: Globals, plan: str | None, policy_file: Path | None, only: int | None) -> Outcome:

    if policy_file is not None:
        if plan is not None:
            raise InputError("a plan and --policy do not go together", code="bad_options", hint="leave one out")
        named, policy = str(policy_file), read_policy(policy_file).policy
    else:
        with wiring.store_of(shared.state, shared.config) as store:
            plan_id = plan_id_of(store, plan)
            named = f"the policy of plan {plan_id}"
            policy = stored_policy(store.plans.policy_text(plan_id), name=named)
    tried = send_test(policy.notify, named=named, only=only)
    rows = [(one.number, str(one.receiver), one.trouble or "took it") for one in tried]
    data = {
        "receivers": [
            {"number": one.number, "to": one.receiver.to.value, "ok": not one.trouble, "trouble": one.trouble}
            for one in tried
        ]
    }
    text = [table("Receivers", ("number", "receiver", "answer"), rows)]
    failed = sum(bool(one.trouble) for one in tried)
    if not failed:
        return Outcome(data, text)
    words = f"{failed} of {len(tried)} receivers did not take the test"
    hint = "a secret is a variable, a file that NAME_FILE names, or an entry of the keyring: docs/notifications.md"
    return Outcome(data, text, ExitCode.ATTENTION, (Problem("attention", words, hint),))
