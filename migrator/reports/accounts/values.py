"""Accounts and workers as JSON values."""

from typing import Any

from migrator.core.accounts.overview import Line, Overview
from migrator.core.accounts.records import Account, AccountStanding, KnownWorker, TurnOrder
from migrator.reports.model import moment

__all__ = [
    "account_values",
    "line_values",
    "next_words",
    "overview_values",
    "share_of",
    "state_words",
    "worker_values",
]


def account_values(account: Account) -> dict[str, Any]:
    """Return an account of the register as JSON values."""
    return {
        "account": account.name,
        "source": account.carrier,
        "customer": account.customer,
        "organization": account.organization,
        "state": account.word,
        "is_held": account.is_held,
        "next_at": None if account.is_held or account.worker else moment(account.turn.at),
        "words": account.turn.words,
        "order": None if account.order is None else _order_values(account.order),
        "every_s": account.every_s,
        "worker": account.worker,
        "since": moment(account.since),
        "last_worker": account.last_worker,
        "ended_at": moment(account.ended_at),
        "added_at": moment(account.added_at),
        "added_by": account.added_by,
    }


def _order_values(order: TurnOrder) -> dict[str, Any]:
    return {
        "plan": order.plan,
        "confirm": order.confirm,
        "confirm_pauses": order.confirm_pauses,
        "wave": order.wave,
        "max_sims": order.max_sims,
        "ref": order.ref,
        "by": order.by,
        "at": moment(order.at),
    }


def _standing_values(standing: AccountStanding) -> dict[str, Any]:
    return {
        "phase": standing.phase.value,
        "sims": standing.sims,
        "verified": standing.verified,
        "cut_over": standing.cut_over,
        "campaign": standing.campaign,
        "plan": standing.plan,
        "held_by": standing.holder,
        "trouble": standing.trouble,
        "notices_waiting": standing.notices,
    }


def next_words(line: Line, overview: Overview) -> str:
    """Return when an account is due, or after which other one."""
    at, other = line.next_at(overview.now), overview.waits_for(line)
    if at is None:
        return ""
    return (moment(at) or "") if at > overview.now else ("now" if other is None else f"after {other}")


def state_words(state: str, due_at: str | None) -> str:
    """Return an account's state, and the moment when it is due."""
    return state if due_at is None else f"{state}, due {due_at}"


def line_values(line: Line, overview: Overview) -> dict[str, Any]:
    """Return the line of an account as JSON values."""
    missing = {} if line.secrets is None else {"secrets_missing": list(line.secrets.missing)}
    waits = {"waits_for": overview.waits_for(line)}
    return account_values(line.account) | waits | _standing_values(line.standing) | missing


def worker_values(worker: KnownWorker) -> dict[str, Any]:
    """Return a worker as JSON values."""
    return {
        "worker": worker.name,
        "host": worker.host,
        "version": worker.version,
        "slots": worker.slots,
        "started_at": moment(worker.started_at),
        "seen_at": moment(worker.seen_at),
        "serves": list(worker.serves),
        "at_work_on": list(worker.takes),
    }


def overview_values(overview: Overview) -> dict[str, Any]:
    """Return accounts, their sums and the workers as JSON values."""
    total = overview.totals
    return {
        "place": overview.place,
        "at": moment(overview.now),
        "accounts": [line_values(line, overview) for line in overview.lines],
        "total": {
            "accounts": total.accounts,
            "sims": total.sims,
            "verified": total.verified,
            "cut_over": total.cut_over,
            "states": dict(total.states),
        },
        "workers": [worker_values(worker) | {"is_alive": overview.is_alive(worker)} for worker in overview.workers],
    }


def share_of(part: int, whole: int) -> str:
    """Return a share in percent, which says 100 only for all."""
    return "" if not whole else f"{part * 1000 // whole / 10:.1f} %"
