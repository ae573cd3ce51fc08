"""`fleet list` and `fleet show`."""

from typing import Any

import click

from migrator.cli.app.common import Globals, Outcome, finish, global_options, table
from migrator.cli.fleet import CODES
from migrator.cli.fleet.tables import accounts_table, workers_table
from migrator.core.accounts.overview import Line, Overview
from migrator.core.accounts.records import Event, TurnOrder
from migrator.reports.accounts.values import line_values, next_words, overview_values, share_of, worker_values
from migrator.reports.model import moment
from migrator.wiring.fleet.bound import register_place
from migrator.wiring.fleet.secrets_here import secrets_here
from migrator.workflows.fleet.overview import account_at, overview_at

__all__ = ["list_accounts", "show"]

EVENTS = 20


@click.command("list", epilog=CODES)
@global_options
@click.pass_obj
def list_accounts(shared: Globals, /) -> int:
    """List all accounts: state, phase, SIMs, next look, worker, last word.

    Their stores are only read. Whether this machine has an account's secrets is found by looking for each.
    """

    def body() -> Outcome:
        found = overview_at(register_place(shared.config), lambda accounts: dict(secrets_here(accounts, shared.config)))
        text: list[Any] = [accounts_table(found)] if found.lines else [f"No account is in {found.place} yet."]
        text += [workers_table(found)] if found.workers else []
        return Outcome(overview_values(found), [*text, *_steps(found)])

    return finish("fleet list", shared, body)


def _steps(found: Overview) -> list[str]:
    if not found.lines:
        return ["Next: `migrator fleet add NAME`."]
    steps = _troubles(found)
    waiting = [line.account.name for line in found.lines if line.account.word == "attention"]
    if waiting:
        name = waiting[0]
        steps.append(f"Next: `migrator fleet show {name}`; `migrator fleet go {name}` once its cause is gone.")
    if found.unserved:
        names = ", ".join(found.unserved)
        steps.append(
            f"Due, and no living worker serves them: {names}. `migrator work` takes them where their secrets are."
        )
    return steps


def _troubles(found: Overview) -> list[str]:
    """Name the first place of secrets that could not be asked."""
    troubled = [line for line in found.lines if line.secrets is not None and line.secrets.trouble]
    if not troubled:
        return []
    first, more = troubled[0], len(troubled) - 1
    rest = f" So it is for {more} more: `migrator fleet show NAME`." if more else ""
    return [f"Account {first.account.name}: {first.secrets.trouble if first.secrets else ''}.{rest}"]


@click.command("show", epilog=CODES)
@click.argument("name")
@global_options
@click.pass_obj
def show(shared: Globals, /, *, name: str) -> int:
    """Show how account NAME stands, and who works on it.

    Also what it is bound to, and what was done to it, by whom.
    """

    def body() -> Outcome:
        found, events = account_at(
            register_place(shared.config),
            name,
            lambda accounts: dict(secrets_here(accounts, shared.config)),
            most_events=EVENTS,
        )
        (line,) = found.lines
        data = line_values(line, found) | {
            "serving": [worker_values(worker) for worker in found.serving(name)],
            "events": [_event_values(event) for event in events],
        }
        facts = [(what, told) for what, told in _facts(line, found) if told != ""]
        rows = [(moment(one.at), one.kind, one.by, one.db_user, one.words) for one in events]
        text: list[Any] = [
            table(f"Account {name}", ("", ""), facts),
            table("What was done, newest first", ("at", "what", "by", "database user", "words"), rows),
            *_next(line, found),
        ]
        return Outcome(data, text)

    return finish("fleet show", shared, body)


def _facts(line: Line, found: Overview) -> list[tuple[str, object]]:
    account, standing = line.account, line.standing
    return [
        ("state", account.word + (", held" if account.is_held and account.word != "held" else "")),
        ("last word", account.turn.words),
        ("next look", next_words(line, found)),
        ("at work", f"{account.worker} since {moment(account.since)}" if account.worker else ""),
        ("last job", f"ended at {account.last_worker}, {moment(account.ended_at)}" if account.last_worker else ""),
        ("its receivers", "were not told yet that it stands" if account.is_untold else ""),
        ("notices", _notices(account.name, standing.notices)),
        ("order", "" if account.order is None else _order(account.order)),
        ("phase", standing.phase.value),
        ("trouble", standing.trouble),
        ("SIMs", standing.sims),
        ("verified", f"{standing.verified:,} ({share_of(standing.verified, standing.sims) or 'none'})"),
        ("old SIM off", f"{standing.cut_over:,}"),
        ("newest plan", standing.plan or ""),
        ("campaign", standing.campaign or ""),
        ("store held by", standing.holder or ""),
        ("source", account.carrier),
        ("customer", account.customer),
        ("organization", "" if account.organization is None else str(account.organization)),
        ("a campaign is called every", f"{account.every_s:g} s"),
        ("secrets here", "; ".join(line.secrets.missing if line.secrets else ()) or "yes"),
        ("workers that serve it", ", ".join(worker.name for worker in found.serving(account.name)) or "none"),
        ("added", f"{moment(account.added_at)} by {account.added_by}"),
    ]


def _notices(account: str, waiting: int) -> str:
    if not waiting:
        return ""
    return f"{waiting} {'waits' if waiting == 1 else 'wait'}: `migrator --account {account} notify list` says why"


def _order(order: TurnOrder) -> str:
    more = "".join(
        f", {name} {value}"
        for name, value in (("wave", order.wave), ("at most", order.max_sims), ("ref", order.ref or None))
        if value is not None
    )
    return f"begin plan {order.plan}{more}; by {order.by}, {moment(order.at)}"


def _event_values(event: Event) -> dict[str, Any]:
    return {
        "at": moment(event.at),
        "what": event.kind,
        "by": event.by,
        "database_user": event.db_user,
        "words": event.words,
    }


def _next(line: Line, found: Overview) -> list[str]:
    name, word = line.account.name, line.account.word
    if word in {"attention", "held"}:
        return [f"Next: `migrator fleet go {name}` lets it go on."]
    if word == "ready" and not found.serving(name):
        return ["No worker that is alive has its secrets: nobody takes it."]
    return []
