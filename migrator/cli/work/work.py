"""`work`: a worker, which takes accounts in turn."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import anyio
import click

from migrator import wiring
from migrator.cli.app import voice
from migrator.cli.app.common import Globals, Outcome, finish, global_options, say
from migrator.core.fleet.spelling import json_text
from migrator.errors import InputError
from migrator.reports.accounts.values import state_words
from migrator.wiring.fleet.bound import register_place
from migrator.workflows.work.team import made_of
from migrator.workflows.work.worker import Worker, worker_name

__all__ = ["work"]

MOST_SLOTS = 64
CODES = "0 ended in good order, 2 input, no register or no queue, 7 the database is out of reach."

WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "began": lambda told: f"{told['account']}: begun",
    "ended": lambda told: (
        f"{told['account']}: {_end(told['exit_code'])} after {told['seconds']:g} s"
        + (f", {told['words']}" if told["words"] else "")
        + (f"; {state_words(told['state'], told['due_at'])}" if told["state"] else "")
        + f", at {told['worker']}"
    ),
    "freed": lambda told: f"worker {told['worker']} is silent: {', '.join(told['accounts'])} may be taken by others",
    "draining": lambda told: (
        "told to stop: nothing new is taken"
        + (f"; waiting for {', '.join(told['accounts'])}" if told["accounts"] else "")
    ),
    "killing": lambda told: f"told to stop at once: {', '.join(told['accounts']) or 'nothing'} is killed",
    "said": lambda told: f"{told['account']}| {told['line']}",
}


@click.command("work", epilog=f"Exit codes: {CODES}")
@click.option(
    "--slots", type=click.IntRange(1, MOST_SLOTS), default=4, show_default=True, help="How many accounts at a time."
)
@click.option("--once", is_flag=True, help="Do what is due now, and end.")
@click.option("--accounts", metavar="NAME,...", help="Take these accounts alone [all whose secrets are here].")
@global_options
@click.pass_obj
def work(shared: Globals, /, *, slots: int, once: bool, accounts: str | None) -> int:
    """Take the accounts of a team in turn, beside other workers.

    Works on every account that `fleet add` registered, that is due and not held, and whose secrets are on this machine:
    one process each, which does what `advance` does. Other workers take over within 90 seconds where this machine dies.
    SIGTERM or Ctrl-C ends it in good order, once all processes are; a second one kills them, and nothing is lost.
    """
    return finish("work", shared, lambda: _work(shared, slots, accounts, once=once))


def _work(shared: Globals, slots: int, accounts: str | None, *, once: bool) -> Outcome:
    if wiring.account() is not None:
        hint = "leave --account (MIGRATOR_ACCOUNT) out; --accounts names those that it may take"
        raise InputError("a worker takes many accounts, and one was chosen", code="one_account", hint=hint)
    only = None if accounts is None else [name.strip() for name in accounts.split(",")]
    voice.last()
    tell = _as_json if shared.events else _unheard if shared.quiet else _in_words
    url = register_place(shared.config)
    worker = Worker(worker_name(), made_of(url, shared.config, tell, only=only, loud=bool(shared.verbose)), slots, only)
    tell("worker", {"message": f"worker {worker.name}, {slots} slots", "worker": worker.name, "slots": slots})
    try:
        anyio.run(lambda: worker.run(once=once))
    except BaseExceptionGroup as group:
        raise wiring.first_error(group) from None
    return Outcome({"worker": worker.name, "jobs": worker.jobs}, ())


def _end(exit_code: int) -> str:
    """Return how a process ended, for people."""
    return "killed" if exit_code < 0 else f"exit {exit_code}"


def _as_json(event: str, values: Mapping[str, Any]) -> None:
    voice.tell(json_text({"event": event, "at": _now(), **values}), err=False)


def _in_words(event: str, values: Mapping[str, Any]) -> None:
    words = WORDS[event](values) if event in WORDS else str(values["message"])
    say(f"{_now()} {words}")


def _unheard(_event: str, _values: Mapping[str, Any]) -> None:
    pass


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
