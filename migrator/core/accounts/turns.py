"""Turns of accounts: when a job is due, and what comes after.

A job brings one account as far as it goes now, in a process of its own. Only its exit code and its words come back.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from migrator.core.run.results import ExitCode

__all__ = ["AGAIN_S", "BUSY_S", "LEAST_S", "AccountState", "FreeAccount", "Turn", "after_job", "next_turns"]

AGAIN_S = 60.0
"""Seconds until the next try of a job that told no time."""

BUSY_S = 10.0
"""Seconds until the next try where the store was held."""

LEAST_S = 1.0
"""Least seconds until a try where the holder may be dead."""

_GOES_ON = {ExitCode.DONE, ExitCode.ATTENTION, ExitCode.HALTED, ExitCode.RESUMABLE}
"""Exit codes after which the time that a job told counts."""


class AccountState(StrEnum):
    """State of an account between two jobs."""

    READY = "ready"  # its next job has a time
    DONE = "done"  # all is as it should be; a person may ask for more
    ATTENTION = "attention"  # nobody tries again before a person spoke


@dataclass(frozen=True, slots=True)
class Turn:
    """Next turn of an account.

    Args:
        state: whether it has a next turn, and if not, why.
        at: when it is due (UTC seconds); None unless READY.
        words: what a person should read; empty for nothing.
    """

    state: AccountState
    at: float | None = None
    words: str = ""

    def is_due(self, now: float) -> bool:
        """True if a job may begin."""
        return self.state is AccountState.READY and self.at is not None and self.at <= now


@dataclass(frozen=True, slots=True)
class FreeAccount:
    """Account that a worker may take.

    Args:
        name: of the account.
        source: the carrier of its old SIMs, and its customer there, whose rate all accounts of that customer share.
        turn: its next turn.
    """

    name: str
    source: tuple[str, str]
    turn: Turn

    @property
    def lock(self) -> str:
        """Key of the lock that its job holds."""
        carrier, customer = self.source
        return f"{carrier}/{customer}"


def after_job(
    exit_code: int, *, now: float, again_at: float | None = None, words: str = "", is_crash: bool = False
) -> Turn:
    """Return the next turn of an account whose job ended.

    Args:
        exit_code: of the process; below zero if a signal ended it.
        now: UTC seconds.
        again_at: when the job wants to go on (UTC seconds), if it told that. A campaign does, also where some of its
            units need a person: the others go on, and so its words stay to be read. One that found the store held tells
            when the holder may be replaced: that try must not be late, as nothing is done for a dead machine's account
            until then.
        words: its last words.
        is_crash: whether it was killed, or interrupted while its worker was not told to stop.
    """
    if exit_code == ExitCode.INTERRUPTED and not is_crash:
        return Turn(AccountState.READY, now, words)
    if exit_code == ExitCode.BUSY:
        soon = now + BUSY_S if again_at is None else min(max(now + LEAST_S, again_at), now + AGAIN_S)
        return Turn(AccountState.READY, soon, words)
    if exit_code < 0 or is_crash:
        return Turn(AccountState.READY, now + AGAIN_S, words)
    if exit_code == ExitCode.RESUMABLE and again_at is None:
        again_at = now + AGAIN_S
    if again_at is not None and exit_code in _GOES_ON:
        return Turn(AccountState.READY, max(now, again_at), words)
    if exit_code == ExitCode.DONE:
        return Turn(AccountState.DONE, words=words)
    return Turn(AccountState.ATTENTION, words=words or f"its job ended with exit code {exit_code}")


def next_turns(accounts: Iterable[FreeAccount], now: float, *, is_served: Callable[[str], bool]) -> list[FreeAccount]:
    """Return the accounts that a worker can take now, longest due first.

    Of the accounts with one lock there is only the first.

    Args:
        accounts: of the store, with their turns.
        now: UTC seconds.
        is_served: whether this worker has the secrets of an account, by its name; asked only for accounts that are due.
    """
    due = sorted((one for one in accounts if one.turn.is_due(now)), key=lambda one: (one.turn.at or 0.0, one.name))
    first: dict[str, FreeAccount] = {}
    for one in due:
        if one.lock not in first and is_served(one.name):
            first[one.lock] = one
    return list(first.values())
