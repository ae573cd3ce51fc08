"""Overview of all accounts: register, stores, and workers at one moment."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from migrator.core.accounts.records import Account, AccountStanding, KnownWorker, SecretsHere

__all__ = ["OVERDUE_S", "SILENT_S", "Line", "Overview", "Totals"]

SILENT_S = 15.0
"""Seconds of silence after which a worker counts as dead."""


OVERDUE_S = 60.0
"""Seconds that an account is due until somebody is told."""


@dataclass(frozen=True, slots=True)
class Line:
    """Line of one account.

    Args:
        account: as the register has it.
        standing: as its store has it.
        secrets: what this machine has of its secrets; None if nobody asked.
    """

    account: Account
    standing: AccountStanding
    secrets: SecretsHere | None = None

    def next_at(self, now: float) -> float | None:
        """Return when it is due (UTC seconds), not before `now`.

        None while it is held, a worker is at it, or its turn has no time.
        """
        turn = self.account.turn
        if self.account.is_held or self.account.worker is not None or turn.at is None:
            return None
        return max(now, turn.at)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all accounts; `states` counts accounts by their state's word."""

    accounts: int
    sims: int
    verified: int
    cut_over: int
    states: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Overview:
    """All accounts at one moment.

    Args:
        place: the register, without any password.
        now: by the server's clock (UTC seconds).
        lines: by name.
        workers: by name.
        at_work: names of all accounts that a worker is at, by the lock that it holds.
    """

    place: str
    now: float
    lines: Sequence[Line]
    workers: Sequence[KnownWorker]
    at_work: Mapping[str, str]

    @property
    def totals(self) -> Totals:
        """Sums over all lines."""
        told = [line.standing for line in self.lines]
        return Totals(
            len(told),
            sum(one.sims for one in told),
            sum(one.verified for one in told),
            sum(one.cut_over for one in told),
            dict(sorted(Counter(line.account.word for line in self.lines).items())),
        )

    def is_alive(self, worker: KnownWorker) -> bool:
        """True if a worker was heard of lately."""
        return self.now - worker.seen_at < SILENT_S

    def serving(self, name: str) -> list[KnownWorker]:
        """Return the workers that live and have the secrets of an account."""
        return [worker for worker in self.workers if name in worker.serves and self.is_alive(worker)]

    def waits_for(self, line: Line) -> str | None:
        """Return the account that one which is due waits for.

        A worker is at that one, and both are of one customer. None where it waits for none.
        """
        at = line.next_at(self.now)
        return None if at is None or at > self.now else self.at_work.get(line.account.lock)

    @property
    def unserved(self) -> list[str]:
        """Names of accounts that are due, and that no living worker serves."""
        return [
            line.account.name
            for line in self.lines
            if line.next_at(self.now) is not None
            and (line.account.turn.at or self.now) < self.now - OVERDUE_S
            and not self.serving(line.account.name)
        ]

    @property
    def lost(self) -> list[str]:
        """Names of accounts at a worker that gives no sign of life."""
        alive = {worker.name for worker in self.workers if self.is_alive(worker)}
        return [line.account.name for line in self.lines if line.account.worker not in {None, *alive}]
