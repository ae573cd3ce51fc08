"""A queue in memory, by a clock of the test's: what `ports.JobQueue` promises, and nothing more."""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import anyio

from migrator.ports.queue import Handler, QueuedJob

__all__ = ["MemoryQueue"]

POLL_S = 1.0


@dataclass
class MemoryQueue:
    """Jobs of one process; `epoch` is the UTC second at which anyio's clock stood at zero."""

    epoch: float = 1_000_000.0
    _waiting: dict[str, QueuedJob] = field(default_factory=dict, init=False)
    _at_work: list[QueuedJob] = field(default_factory=list, init=False)
    _heard: list[QueuedJob] = field(default_factory=list, init=False)  # what a worker knows that it has
    _seen: dict[str, float] = field(default_factory=dict, init=False)  # when each worker was last heard of

    def now(self) -> float:
        """UTC seconds."""
        return self.epoch + anyio.current_time()

    def enqueue(self, account: str, at: float, *, lock: str) -> None:
        """One job that waits for each account, at the earliest time."""
        old = self._waiting.get(account)
        self._waiting[account] = QueuedJob(account, lock, at if old is None else min(at, old.at))

    def cancel(self, account: str) -> bool:
        """Take back what waits."""
        return self._waiting.pop(account, None) is not None

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
        """Poll for jobs."""
        async with anyio.create_task_group() as tasks:
            while stop is None or not stop.is_set():
                self._seen[worker] = self.now()
                mine = sum(job.worker == worker for job in self._at_work)
                job = self._next(serves) if mine < slots else None
                if job is not None:
                    taken = self.hand_out(job.account, worker)
                    self._heard.append(taken)
                    tasks.start_soon(self._do, handler, taken)
                elif once and not mine and self._next(serves) is None:
                    return
                else:
                    await anyio.sleep(POLL_S)

    def overview(self) -> Sequence[QueuedJob]:
        """Under way first."""
        at = sorted(self._waiting.values(), key=lambda job: (job.at, job.account))
        return [*sorted(self._at_work, key=lambda job: (job.at, job.account)), *at]

    def rescue(self, silent_s: float) -> Sequence[str]:
        """Back into the queue."""
        since = self.now() - silent_s
        dead = [job for job in self._at_work if self._seen[job.worker or ""] < since or job not in self._heard]
        for job in dead:
            self._at_work.remove(job)
            self.enqueue(job.account, self.now(), lock=job.lock)
        return [job.account for job in dead]

    def hand_out(self, account: str, worker: str) -> QueuedJob:
        """Give what waits to a worker."""
        taken = replace(self._waiting.pop(account), worker=worker)
        self._at_work.append(taken)
        return taken

    def _next(self, serves: Callable[[], Collection[str]] | None) -> QueuedJob | None:
        locked, names = {job.lock for job in self._at_work}, None if serves is None else serves()
        mine = [job for job in self._waiting.values() if names is None or job.account in names]
        due = [job for job in mine if job.at <= self.now() and job.lock not in locked]
        return min(due, key=lambda job: (job.at, job.account), default=None)

    async def _do(self, handler: Handler, job: QueuedJob) -> None:
        with suppress(Exception):  # the job is over; whoever is due gets another
            await handler(job.account)
        if job in self._at_work:  # else it was taken for dead
            self._at_work.remove(job)
