"""Accounts and workers as tables."""

from typing import Any

from migrator.cli.app.common import table
from migrator.core.accounts.overview import Overview
from migrator.reports.accounts.values import next_words, share_of
from migrator.reports.model import moment

__all__ = ["accounts_table", "workers_table"]


def accounts_table(overview: Overview) -> Any:
    """Return a line for each account, and their sum."""
    rows = [
        (
            line.account.name,
            line.account.word,
            line.standing.phase.value,
            line.standing.sims,
            share_of(line.standing.verified, line.standing.sims),
            next_words(line, overview),
            line.account.worker or ("" if line.account.last_worker is None else f"last {line.account.last_worker}"),
            "" if line.secrets is None else ("no" if line.secrets.missing else "yes"),
            line.standing.trouble or line.account.turn.words,
        )
        for line in overview.lines
    ]
    total = overview.totals
    states = ", ".join(f"{count} {state}" for state, count in total.states.items())
    share = share_of(total.verified, total.sims)
    rows.append((f"{total.accounts} in all", "", "", total.sims, share, "", "", "", states))
    columns = ("account", "state", "phase", "SIMs", "verified", "next look", "worker", "secrets here", "last word")
    return table("", columns, rows)


def workers_table(overview: Overview) -> Any:
    """Return a line for each worker."""
    since = {line.account.name: line.account.since for line in overview.lines}
    rows = [
        (
            worker.name,
            f"{max(0.0, overview.now - worker.seen_at):.0f} s ago" + ("" if overview.is_alive(worker) else ", silent"),
            worker.slots,
            len(worker.serves),
            ", ".join(f"{name} since {moment(since.get(name))}" for name in worker.takes),
            worker.version,
        )
        for worker in overview.workers
    ]
    return table("Workers", ("worker", "heard of", "slots", "accounts it serves", "at work on", "version"), rows)
