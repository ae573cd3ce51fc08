"""Port to a queue of jobs for accounts.

One job brings one account as far as it goes now. The queue answers for it that an account gets its turn, and for
nothing else. It may give one job to two workers, after a pause of the first; that only one of them writes is the matter
of the lease. So a handler may be called again for the same account at any time.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import anyio

__all__ = ["Handler", "JobQueue", "QueuedJob"]

Handler = Callable[[str], Awaitable[None]]
"""Function that does the job of an account.

It enqueues the account's next job by itself, also while its own is under way.
"""


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """Job of one account, as the queue has it.

    Args:
        account: its name.
        lock: what no two jobs under way have in common.
        at: when it is due (UTC seconds).
        worker: the worker that is at it; None while it waits.
    """

    account: str
    lock: str
    at: float
    worker: str | None = None


class JobQueue(Protocol):
    """Queue of jobs in a database, for workers on several machines."""

    def enqueue(self, account: str, at: float, *, lock: str) -> None:
        """Let an account have a job at a time (UTC seconds).

        An account has at most one job that waits, due at the earliest time that was asked for. One that is under way
        does not count.
        """
        ...

    def cancel(self, account: str) -> bool:
        """Take back the job of an account that waits.

        A job under way goes on.

        Returns: whether there was one.
        """
        ...

    async def run(
        self,
        handler: Handler,
        *,
        worker: str,
        slots: int = 1,
        once: bool = False,
        serves: Callable[[], Collection[str]] | None = None,
        stop: anyio.Event | None = None,
    ) -> None:
        """Do jobs as they become due, the longest due first, until cancelled.

        Jobs with one lock are done one after the other, whatever worker takes them. A job whose handler raises is over,
        as any other; the next one begins. A worker that is cancelled leaves its jobs to `rescue`.

        Args:
            handler: does the job of an account.
            worker: its name.
            slots: jobs at a time.
            once: whether to end when no job is due.
            serves: names of the accounts whose jobs it takes, asked before each; None for all.
            stop: once it is set, no job is taken any more, and `run` returns when those under way are over.
        """
        ...

    def overview(self) -> Sequence[QueuedJob]:
        """Return all jobs, those under way first, then by their time."""
        ...

    def rescue(self, silent_s: float) -> Sequence[str]:
        """Give the jobs of dead workers back to the queue.

        They are due at once. So are those that a living worker has and never heard of, or has ended, where the answer
        of the database was lost: it says so within a few seconds.

        Args:
            silent_s: seconds without a sign of life after which a worker counts as dead.

        Returns: the accounts.
        """
        ...
