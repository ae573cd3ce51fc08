"""`advance`: one account, as far as it goes now."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options, table, warned
from migrator.cli.app.progress import watching
from migrator.core.accounts.records import EVERY_S, TurnOrder
from migrator.core.fleet.units import counted
from migrator.core.run.results import ExitCode
from migrator.errors import NoStore, OtherSchema, Problem, StoreBusy, StoreMoved
from migrator.ports import Progress
from migrator.programs import end_with_parent
from migrator.reports.model import moment
from migrator.workflows.notices.deliver import deliver, next_delivery_s
from migrator.workflows.notices.stopped import Standstill, telling_failure
from migrator.workflows.site import Site
from migrator.workflows.work.advance import Advanced, advance, registered, tell_standstill, tell_turn

__all__ = ["advance_account"]

CODES = (
    "0 done, or nothing is due, 2 input, 3 some SIMs need attention, 4 refused, 5 stale, 6 a gate, cap or order, 7 the "
    "next call goes on, 9 another run holds the store, 130 interrupted."
)


@click.command("advance", epilog=f"Exit codes: {CODES}")
@click.option("--tell", is_flag=True, help="Only tell why the account stands, and deliver what is due, for workers.")
@global_options
@click.pass_obj
def advance_account(shared: Globals, /, *, tell: bool) -> int:
    """Bring the account as far as it goes now.

    Does what is due of its campaign; without one, begins what `fleet go` ordered, or goes on with the plans, cutovers
    and rollbacks that were ordered before. What was begun by hand is left alone. What is only pending is left to the
    next call after five minutes. `migrator work` calls this for each account; without PostgreSQL, cron may, for
    campaigns.
    """
    return finish("advance", shared, lambda: _unless_another_schema(shared, _tell if tell else _advance))


def _unless_another_schema(shared: Globals, body: Callable[[Globals], Outcome]) -> Outcome:
    """Leave a store of another schema to the next call.

    While a team changes to another release, its accounts need no person each.
    """
    try:
        return body(shared)
    except OtherSchema as error:
        return Outcome({"words": error.message}, (), ExitCode.RESUMABLE, error.problems)


def _advance(shared: Globals) -> Outcome:
    end_with_parent(os.environ)
    with ExitStack() as opened:
        progress = opened.enter_context(watching(shared))
        with telling_failure(shared.config, partial(_tell_failure, progress), registered):
            chosen = wiring.settings(shared.config)
            account = registered(chosen.state)
            store = opened.enter_context(wiring.open_store(chosen.state))
        site = Site(store, chosen, progress, warn=warned, turn_of=account)
        order, every_s = (None, EVERY_S) if account is None else (account.order, account.every_s)
        try:
            result = advance(site, order, every_s=every_s)
        except StoreBusy as error:
            return _held(error, site.now())
    return _told(result, order)


def _tell_failure(progress: Progress, site: Site, stop: Standstill) -> None:
    """Tell by the store alone that the settings cannot be used."""
    order = None if site.turn_of is None else site.turn_of.order
    tell_turn(replace(site, progress=progress), order, stop)


def _tell(shared: Globals) -> Outcome:
    """Tell why the account stands, and deliver what is due.

    Where its turn told nothing it is told by the words that the register has. The settings may be what is wrong, and
    are not asked for more than the store and the secrets that no word may have. While a receiver is away the outbox
    says when it is tried again, and when it is given up.
    """
    end_with_parent(os.environ)
    least = wiring.least_settings(shared.config)
    account = registered(least.state)
    if account is None:
        return Outcome({"told": False}, ("Nothing is to be told.",))
    try:
        with watching(shared) as progress, wiring.open_store(least.state) as store:
            site = Site(store, least, progress, turn_of=replace(account, worker=account.last_worker))
            if account.is_untold:
                hint = f"`migrator fleet show {account.name}` tells what was done"
                tell_standstill(site, account.order, Standstill(ExitCode.ERROR, account.turn.words, hint))
            deliver(site)
            waiting = store.outbox.open()
            again_at = next_delivery_s(site, waiting)
    except NoStore:
        return Outcome({"told": False}, ("Nothing is to be told: the account has no store.",))
    except StoreMoved:
        return Outcome({"told": False}, ("Nothing is to be told here: the store moved.",))
    if waiting:
        words = f"not delivered yet: {counted(len(waiting), 'notice')}"
        problem = Problem("waits", words, "`migrator notify list` says why")
        return Outcome({"told": False, "again_at": moment(again_at)}, (), ExitCode.RESUMABLE, (problem,))
    return Outcome({"told": True}, ("Whoever is a receiver is told.",))


def _held(error: StoreBusy, now: float) -> Outcome:
    """Return the outcome where another process holds the store.

    It tells when that process may be replaced.
    """
    again_at = None if error.free_in_s is None else now + error.free_in_s + 1.0
    return Outcome({"words": error.message, "again_at": moment(again_at)}, (), error.exit_code, error.problems)


def _told(result: Advanced, order: TurnOrder | None) -> Outcome:
    data: dict[str, Any] = {
        "words": result.words,
        "again_at": moment(result.again_at),
        "order_done": order.at if result.is_order_done and order is not None else None,
        "not_ordered": [one.plan_id for one in result.left],
        "did": [{"what": one.what, "exit_code": int(one.exit_code), "words": one.words} for one in result.did],
    }
    rows = [(one.what, int(one.exit_code), one.words) for one in result.did]
    text: list[Any] = [table("", ("", "exit code", ""), rows)] if rows else ["Nothing is due."]
    text += [one.words(wiring.account()) for one in result.left]
    if result.again_at is not None:
        text.append(f"Next: the same command again at {moment(result.again_at)}.")
    if result.exit_code is ExitCode.DONE:
        return Outcome(data, text)
    codes = {ExitCode.ATTENTION: "attention", ExitCode.RESUMABLE: "waits"}
    problem = Problem(codes.get(result.exit_code, "stopped"), result.words, result.hint)
    return Outcome(data, text, result.exit_code, (problem,))
