"""Engine of a worker: Procrastinate's, made to outlive its database.

As it comes, it ends when PostgreSQL restarts, and may wait for ever where packets are lost. Here each of its calls has
a time limit, and one that fails is made again later.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from typing import Any, TypeVar

import anyio
import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import DeleteJobCondition, Job, Status
from procrastinate.manager import JobManager, NotificationCallback
from procrastinate.worker import Worker

from migrator.jobs.schema import SETTINGS
from migrator.ports import Handler
from migrator.store.database.postgresql.address import Address

__all__ = ["Engine"]

T = TypeVar("T")
CALL_S = 20.0
"""Most seconds for one call of the database."""

SILENT_S = 60.0
"""Seconds of calls that fail after which the engine ends."""

AGAIN_S = 2.0
"""Seconds until a call that failed is made again."""

PRUNED_S = 86_400.0
"""Seconds of silence after which a worker is forgotten.

Its jobs are rescued long before.
"""

_BEAT = "UPDATE procrastinate_workers SET last_heartbeat = clock_timestamp() WHERE id = %(worker_id)s RETURNING id"
_DISOWN = """
UPDATE procrastinate_jobs SET worker_id = NULL
WHERE status = 'doing' AND worker_id = %(worker_id)s AND NOT id = ANY(%(own)s)
"""
"""Makes jobs nobody's, which are rescued then: no worker is at them."""

_NAME = "INSERT INTO worker_names (worker_id, name) VALUES (%(worker_id)s, %(name)s)"
_QUIET = ("procrastinate", "psycopg.pool")
"""Logs that nobody reads.

They name users and hosts, and the worker tells by itself what failed.
"""


class Engine:
    """Run of the engine, with connections of its own.

    Args:
        address: of the database.
        handler: does the job of an account.
        worker: its name.
        slots: jobs at a time.
        once: whether to end when no job is due.
        serves: names of the accounts whose jobs may be fetched; None for all.
        beat_s: seconds between two signs of life.
        poll_s: seconds between two looks for jobs.
    """

    def __init__(
        self,
        address: Address,
        handler: Handler,
        *,
        worker: str,
        slots: int,
        once: bool,
        serves: Callable[[], Collection[str]] | None,
        beat_s: float,
        poll_s: float,
    ) -> None:
        for name in _QUIET:
            log = logging.getLogger(name)
            log.propagate = False
            log.handlers = [logging.NullHandler()]
        self.done = 0
        self._handler = handler
        connector = PsycopgConnector(
            min_size=1,
            max_size=3,
            timeout=CALL_S / 2,
            reconnect_timeout=AGAIN_S,
            kwargs={**address.parts, "client_encoding": "utf8", "application_name": f"migrator worker {worker}"},
            configure=_configured,
        )
        self._app = App(connector=connector)
        self._app.task(name="advance")(self._advance)
        self._worker = Worker(
            self._app,
            name=worker,
            concurrency=slots,
            wait=not once,
            fetch_job_polling_interval=poll_s,
            listen_notify=not once,
            delete_jobs=DeleteJobCondition.ALWAYS,
            install_signal_handlers=False,
            update_heartbeat_interval=beat_s,
            stalled_worker_timeout=PRUNED_S,
        )
        self._manager = _Steady(connector, self._worker, serves, must_work=once)
        self._app.job_manager = self._manager

    async def run(self, stop: anyio.Event) -> None:
        """Do jobs until cancelled, or stopped, or until none is due.

        Once `stop` is set, no job is taken any more, and those under way go on to their end.

        Raises: psycopg.Error, if the database is out of reach as it begins.
        """
        try:
            async with self._app.open_async():
                await self._run(stop)
        except ConnectorException as error:
            raise _driver_error(error) from None

    async def _run(self, stop: anyio.Event) -> None:
        work = asyncio.create_task(self._worker.run())  # type: ignore[no-untyped-call]
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
            self._worker.stop()  # type: ignore[no-untyped-call]
            await asyncio.wait({work})
        except asyncio.CancelledError:
            self._manager.is_left = True  # nothing more is written: the jobs are left to whoever rescues them
            with anyio.CancelScope(shield=True):
                self._worker.shutdown_graceful_timeout = 0.0
                self._worker.stop()  # type: ignore[no-untyped-call]
                await asyncio.wait({work})
            raise
        finally:
            stopped.cancel()
        work.result()

    async def _advance(self, account: str) -> None:
        self.done += 1
        with suppress(Exception):  # the job is over; whoever is due gets another
            await self._handler(account)


class _Steady(JobManager):
    """Manager of jobs that outlives its database.

    Args:
        connector: the engine's connections.
        worker: whose manager it is.
        serves: as for `Engine`.
        must_work: whether a job that cannot be fetched is an error, as nobody looks again later.
    """

    def __init__(
        self,
        connector: PsycopgConnector,
        worker: Worker,
        serves: Callable[[], Collection[str]] | None,
        *,
        must_work: bool,
    ) -> None:
        super().__init__(connector)
        self.is_left = False
        self._heard_s = 0.0
        self._worker, self._serves, self._must_work = worker, serves, must_work
        self._own: set[int | None] = set()  # jobs under way
        self._fetching = asyncio.Lock()

    async def register_worker(self) -> int:
        """Note that the worker is there, with its name."""
        self._heard_s = asyncio.get_running_loop().time()
        number = await super().register_worker()
        await self.connector.execute_query_async(_NAME, worker_id=number, name=self._worker.worker_name)
        return number

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:  # noqa: ARG002 - the engine's
        """Take the next job of an account that is served.

        None also while the database is away.
        """
        names = None if self._serves is None else list(self._serves())
        if self.is_left or names == []:
            return None
        async with self._fetching:
            asked = super().fetch_job(queues=names, worker_id=worker_id)
            found = await (asked if self._must_work else self._tried(asked, None))
            if found is not None:
                self._own.add(found.id)
        return found

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:  # noqa: FBT001 - the engine's own
        """Note that a job is over.

        A job that was rescued meanwhile is another worker's. If the database is away, the job is rescued later.
        """
        if not self.is_left:
            await self._tried(super().finish_job(job, status, delete_job), None)
        self._own.discard(job.id)

    async def update_heartbeat(self, worker_id: int) -> None:
        """Give a sign of life, also after the worker was forgotten."""
        asked = self.connector.execute_query_all_async(_BEAT, worker_id=worker_id)
        if await self._tried(asked, [{}]) == []:
            self._worker.worker_id = await self._tried(self.register_worker(), worker_id)
        elif not self._fetching.locked():  # while a job may be on its way to us, nobody can tell
            await self._disown(worker_id)

    async def _disown(self, worker_id: int) -> None:
        """Give away jobs whose fetch or end had no answer.

        We give signs of life, so nobody would take them from us.
        """
        async with self._fetching:
            asked = self.connector.execute_query_async(_DISOWN, worker_id=worker_id, own=list(self._own))
            await self._tried(asked, None)

    async def unregister_worker(self, worker_id: int) -> None:
        """Note that the worker is gone."""
        if not self.is_left:
            await self._tried(super().unregister_worker(worker_id), None)

    async def list_jobs_to_abort_async(self, queue: str | None = None) -> Iterable[int]:  # noqa: ARG002 - the engine's
        """Return nothing.

        A job is ended by an order in its account's store.
        """
        return ()

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        """Listen for new jobs.

        A connection that broke is opened again.
        """
        while True:
            with suppress(ConnectorException, psycopg.Error, OSError):
                await super().listen_for_jobs(on_notification=on_notification, queues=queues)
            await asyncio.sleep(AGAIN_S)

    async def _tried(self, call: Awaitable[T], otherwise: T) -> T:
        """Return what a call gives, or `otherwise` if it fails.

        Once all calls failed for long, the engine ends: the next one has connections of its own.
        """
        now = asyncio.get_running_loop().time
        try:
            found = await asyncio.wait_for(call, CALL_S)
        except (ConnectorException, psycopg.Error, TimeoutError, OSError):
            if now() - self._heard_s > SILENT_S:
                self._worker.stop()  # type: ignore[no-untyped-call]
            return otherwise
        self._heard_s = now()
        return found


async def _configured(connection: "psycopg.AsyncConnection[Any]") -> None:
    await connection.set_autocommit(True)
    await connection.execute(SETTINGS)


def _driver_error(error: ConnectorException) -> psycopg.Error:
    cause = error.__cause__
    return cause if isinstance(cause, psycopg.Error) else psycopg.OperationalError()
