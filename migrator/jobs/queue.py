"""Queue of jobs in PostgreSQL, by Procrastinate.

Its queues are named by accounts, so that a worker fetches jobs of the accounts that it serves alone. A job with an
earlier time has a higher priority: the engine takes jobs by that, and lets no job pass another one with the same lock.
"""

import asyncio
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import anyio
import psycopg

from migrator.jobs.engine import Engine
from migrator.jobs.schema import must_be_made, opened
from migrator.ports import Handler, QueuedJob
from migrator.store.database.postgresql.address import address_of
from migrator.store.database.postgresql.faults import database_trouble

__all__ = ["PostgresQueue"]

BEAT_S, POLL_S = 3.0, 2.0
"""Seconds between two signs of life, and between two looks for jobs."""

TASK = "advance"
_STEP_S, _MIDDLE, _MOST = 0.25, 2_240_000_000, 2**31 - 1
"""Step of the priority, the time of zero, and its bound.

Seconds, and UTC seconds: 2040. So it tells times from 2023 to 2057.
"""

_WAITING = """
SELECT id, lock, extract(epoch FROM scheduled_at)::float8 FROM procrastinate_jobs
WHERE queueing_lock = %s AND status = 'todo'
"""
"""Nothing is locked by it.

A worker that fetches would pass by a job that somebody only looks at.
"""
_DEFER = """
SELECT procrastinate_defer_jobs_v1(ARRAY[
    ROW(%s, %s, %s, %s, %s, %s::jsonb, to_timestamp(%s))::procrastinate_job_to_defer_v1
])
"""
_CANCEL = "SELECT procrastinate_cancel_job_v1(%s, false, true)"
_OVERVIEW = """
SELECT job.queueing_lock, job.lock, extract(epoch FROM job.scheduled_at)::float8,
       CASE WHEN job.status = 'doing' THEN coalesce(named.name, 'worker ' || job.worker_id, 'nobody') END
FROM procrastinate_jobs job LEFT JOIN worker_names named ON named.worker_id = job.worker_id
WHERE job.status IN ('todo', 'doing') ORDER BY job.status = 'todo', job.scheduled_at, job.queueing_lock
"""
_STALLED = """
SELECT job.id, job.queueing_lock, job.lock, extract(epoch FROM clock_timestamp())::float8
FROM procrastinate_jobs job LEFT JOIN procrastinate_workers worker ON worker.id = job.worker_id
WHERE job.status = 'doing'
  AND (worker.id IS NULL OR worker.last_heartbeat < clock_timestamp() - make_interval(secs => %s))
ORDER BY job.id FOR UPDATE OF job SKIP LOCKED
"""
_GIVE_UP = "SELECT procrastinate_finish_job_v1(%s, 'aborted', true)"


class PostgresQueue:
    """Queue of jobs, for workers on several machines: see `ports.JobQueue`.

    Only one thread at a time uses it. A session that broke is replaced at the next call: nothing of the queue is in it.

    Args:
        url: address of the database.
        beat_s: seconds between two signs of life of a worker.
        poll_s: seconds between two looks for jobs that became due.

    Raises: InputError, also where `make_queue` was never called; StoreLost.
    """

    def __init__(self, url: str, *, beat_s: float = BEAT_S, poll_s: float = POLL_S) -> None:
        self._address = address_of(url)
        self.place = f"the queue in {self._address.shown}"
        self._beat_s, self._poll_s = beat_s, poll_s
        self._session = opened(self._address)
        try:
            must_be_made(self._session, self._address.shown)
        except BaseException:
            self._session.close()
            raise

    def close(self) -> None:
        """End the session."""
        self._session.close()

    # --- what others ask ------------------------------------------------------------------------------------------

    def enqueue(self, account: str, at: float, *, lock: str) -> None:
        """See `JobQueue`."""
        with self._asked() as session, session.transaction():
            self._put(session, account, at, lock)

    def cancel(self, account: str) -> bool:
        """See `JobQueue`."""
        with self._asked() as session, session.transaction():
            found = session.execute(_WAITING, (account,)).fetchone()
            return found is not None and session.execute(_CANCEL, (found[0],)).fetchone() != (None,)

    def overview(self) -> Sequence[QueuedJob]:
        """See `JobQueue`."""
        with self._asked() as session:
            return [QueuedJob(*row) for row in session.execute(_OVERVIEW).fetchall()]

    def rescue(self, silent_s: float) -> Sequence[str]:
        """See `JobQueue`."""
        with self._asked() as session, session.transaction():
            rows = session.execute(_STALLED, (silent_s,)).fetchall()
            for number, account, lock, now in rows:
                session.execute(_GIVE_UP, (number,))
                self._put(session, account, now, lock)
        return [account for _, account, _, _ in rows]

    def _put(self, session: "psycopg.Connection[Any]", account: str, at: float, lock: str) -> None:
        """Let an account have one job that waits, at the earliest time."""
        found = session.execute(_WAITING, (account,)).fetchone()
        if found is not None:
            number, its_lock, its_at = found
            if its_at <= at and its_lock == lock:
                return
            session.execute(_CANCEL, (number,))
            at = min(at, its_at)
        told = json.dumps({"account": account})
        try:
            with session.transaction():
                session.execute(_DEFER, (account, TASK, _priority(at), lock, account, told, at))
        except psycopg.errors.UniqueViolation:
            return  # another worker was as quick, and asked for the same

    @contextmanager
    def _asked(self) -> Iterator["psycopg.Connection[Any]"]:
        if self._session.closed:
            self._session = opened(self._address)
        try:
            yield self._session
        except psycopg.Error as error:
            raise database_trouble(error, self.place) from None

    # --- what a worker does ---------------------------------------------------------------------------------------

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
        """See `JobQueue`.

        Raises: StoreLost, StoreError, if the engine cannot go on.
        """
        while True:
            engine = Engine(
                self._address,
                handler,
                worker=worker,
                slots=slots,
                once=once,
                serves=serves,
                beat_s=self._beat_s,
                poll_s=self._poll_s,
            )
            try:
                await engine.run(stop or anyio.Event())
            except psycopg.Error as error:
                raise database_trouble(error, self.place) from None
            if not once or not engine.done or (stop is not None and stop.is_set()):
                return
            await asyncio.sleep(0)


def _priority(at: float) -> int:
    return max(-_MOST, min(_MOST, round((_MIDDLE - at) / _STEP_S)))
