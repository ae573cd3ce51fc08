"""Parts of a worker, as a machine has them."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from anyio import to_thread

from migrator import wiring
from migrator.core.accounts.records import Account
from migrator.errors import MigratorError
from migrator.inputs.settings.account_names import ACCOUNT
from migrator.inputs.settings.settings import environment_of
from migrator.store import Store
from migrator.store.database.postgresql.faults import without_driver
from migrator.store.register import Register
from migrator.wiring.fleet.secrets_here import secrets_here
from migrator.wiring.withheld import withheld_of
from migrator.workflows.work.child import Child
from migrator.workflows.work.worker import Made

__all__ = ["COMMAND", "made_of"]

COMMAND = [sys.executable, "-m", "migrator"]
"""Command line of this tool."""

BEAT_S = 15.0
"""Seconds in which whoever holds a lease renews it."""


def made_of(
    url: str,
    config: Path | None,
    tell: Callable[[str, Mapping[str, Any]], None],
    *,
    only: Sequence[str] | None = None,
    loud: bool = False,
) -> Made:
    """Return the parts of a worker.

    Args:
        url: address of the database.
        config: the settings file; None for `migrator.toml` here, if there is one.
        tell: called with the name of each event and its values.
        only: names of accounts that must be registered; None for no matter which.
        loud: whether what the processes say on stderr is told, too.

    Raises: InputError, for an account that is not registered, and without Procrastinate or the queue; StoreLost.
    """
    with Register.open(url) as register:  # its errors come first: whoever has no register has no queue
        for name in only or ():
            register.account(name)
    try:
        from migrator.jobs.queue import PostgresQueue
    except ImportError:
        raise without_driver() from None

    def child(account: Account, *words: str) -> Child:
        options = [] if config is None else ["--config", str(config)]
        own = {"MIGRATOR_STATE": url, ACCOUNT: account.name}  # never among the arguments, which all users see

        def hear(line: str) -> None:
            if loud and line.strip():
                tell("said", {"account": account.name, "line": line})

        return Child(
            [*COMMAND, "advance", *words, "--events", "--no-input", *options],
            {**environment_of(account.name, os.environ), **own},
            partial(_is_alive, url, account.name),
            hear,
            lambda words: withheld_of(account.name, config).struck(words),
        )

    queue = PostgresQueue(url)
    return Made(
        open_register=lambda: Register.open(url),
        queue=queue,
        close=queue.close,
        child=child,
        teller=lambda account: child(account, "--tell"),
        secrets=lambda accounts: secrets_here(accounts, config),
        tell=tell,
    )


async def _is_alive(url: str, account: str) -> bool:
    """True if somebody renews the lease of an account.

    True also where nobody can tell.
    """

    def renewed_at() -> float | None:
        now = wiring.SystemClock().now().timestamp()
        with Store.open(url, account=account, now=now, create=False, upgrade=False) as store:
            held = store.lease.holder()
        return None if held is None else held[1]

    try:
        before = await to_thread.run_sync(renewed_at)
        await anyio.sleep(BEAT_S)
        return await to_thread.run_sync(renewed_at) != before
    except MigratorError:
        return True
