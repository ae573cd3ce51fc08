"""The queue in PostgreSQL keeps the contract of queues."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import anyio
import pytest

from migrator.errors import InputError, StoreLost
from migrator.jobs import engine
from migrator.jobs.queue import PostgresQueue
from migrator.jobs.schema import make_queue
from migrator.ports import JobQueue
from tests.ports.queue_contract import QueueContract, QueueKit
from tests.server import MISSING, running, sql

pytestmark = [pytest.mark.server, pytest.mark.skipif(running() is None, reason=MISSING)]

BEAT_S = 0.2


def _address() -> str:
    """The address of a database for this module, made at the first use."""
    server = running()
    assert server is not None
    if not sql(server.url(), "SELECT 1 FROM pg_database WHERE datname = 'queues'"):
        sql(server.url(), "CREATE DATABASE queues")
    return server.url("queues")


@dataclass
class PostgresKit:
    """A queue by the server's clock; time passes by moving what was noted."""

    postgres: PostgresQueue
    url: str

    @property
    def queue(self) -> JobQueue:
        """The queue."""
        return self.postgres

    def now(self) -> float:
        """UTC seconds."""
        ((now,),) = sql(self.url, "SELECT extract(epoch FROM clock_timestamp())::float8")
        return float(now)

    async def pass_by(self, seconds: float) -> None:
        """Everything was noted so much earlier, and whoever lives gives a sign of it."""
        by = f"make_interval(secs => {seconds})"
        beats = f"UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - {by}"  # noqa: S608 - our own
        times = f"UPDATE procrastinate_jobs SET scheduled_at = scheduled_at - {by}"  # noqa: S608 - our own
        sql(self.url, "SET search_path TO queue", beats, times)
        await anyio.sleep(3 * BEAT_S)

    def hand_out(self, account: str, worker: str) -> None:
        """As the fetch of the engine does."""
        number = f"(SELECT worker_id FROM worker_names WHERE name = '{worker}')"  # noqa: S608 - our own
        taken = f"UPDATE procrastinate_jobs SET status = 'doing', worker_id = {number}"  # noqa: S608 - our own
        sql(self.url, "SET search_path TO queue", f"{taken} WHERE queueing_lock = '{account}'")


class TestPostgresQueue(QueueContract):
    """The contract, over a real server."""

    pace = 0.2

    @staticmethod
    def live(body: Callable[[QueueKit], Awaitable[None]]) -> None:
        """Run a test's body with an empty queue."""
        url = _address()
        make_queue(url)
        sql(url, "TRUNCATE queue.procrastinate_jobs, queue.procrastinate_workers CASCADE")
        queue = PostgresQueue(url, beat_s=BEAT_S, poll_s=0.05)
        try:
            anyio.run(body, PostgresKit(queue, url))
        finally:
            queue.close()


def test_a_queue_is_made_once_and_anew_where_another_release_made_it() -> None:
    url = _address()
    make_queue(url)
    assert not make_queue(url)
    sql(url, "COMMENT ON SCHEMA queue IS 'Procrastinate, tables of another release'")
    with pytest.raises(InputError, match="another release"):
        PostgresQueue(url)
    assert make_queue(url)
    sql(url, "DROP SCHEMA queue CASCADE")
    with pytest.raises(InputError, match="there is no queue") as refused:
        PostgresQueue(url)
    assert "fleet init" in refused.value.hint


def test_a_worker_outlives_its_connections_and_its_own_row() -> None:
    """As after a restart of the server, or a queue that was made anew: jobs are done as before."""
    url = _address()
    make_queue(url)
    calls: list[str] = []

    async def body(queue: PostgresQueue) -> None:
        stop = anyio.Event()
        called = {name: anyio.Event() for name in "ab"}

        async def handler(account: str) -> None:
            calls.append(account)
            called[account].set()
            others = "SELECT pid FROM pg_stat_activity WHERE datname = 'queues' AND pid <> pg_backend_pid()"
            sql(url, f"SELECT pg_terminate_backend(pid) FROM ({others}) other")  # noqa: S608 - our own
            sql(url, "DELETE FROM queue.procrastinate_workers")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: queue.run(handler, worker="w1", stop=stop))
            for name, begun in called.items():
                put = partial(queue.enqueue, name, 1.0, lock=name)
                await _until(put)
                with anyio.fail_after(15.0):
                    await begun.wait()
            stop.set()

    queue = PostgresQueue(url, beat_s=BEAT_S, poll_s=0.05)
    try:
        anyio.run(body, queue)
    finally:
        queue.close()
    assert calls == ["a", "b"]


def test_a_job_whose_end_was_lost_holds_up_nobody() -> None:
    """The worker lives on, so nobody takes it for dead; the other accounts of the customer must have their turns."""
    url = _address()
    make_queue(url)
    sql(url, "TRUNCATE queue.procrastinate_jobs, queue.procrastinate_workers CASCADE")
    finish = "procrastinate_finish_job_v1"
    calls: list[str] = []

    async def body(queue: PostgresQueue) -> None:
        async def handler(account: str) -> None:
            calls.append(account)
            if calls == ["a"]:
                sql(url, f"ALTER FUNCTION queue.{finish} RENAME TO out_of_reach")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: queue.run(handler, worker="w1"))
            queue.enqueue("a", 1.0, lock="81")
            await anyio.sleep(5 * BEAT_S)
            sql(url, f"ALTER FUNCTION queue.out_of_reach RENAME TO {finish}")
            queue.enqueue("b", 2.0, lock="81")
            assert list(queue.rescue(60.0)) == ["a"]
            await anyio.sleep(5 * BEAT_S)
            tasks.cancel_scope.cancel()

    queue = PostgresQueue(url, beat_s=BEAT_S, poll_s=0.05)
    try:
        anyio.run(body, queue)
    finally:
        queue.close()
    assert calls == ["a", "b", "a"]


async def _until(call: Callable[[], None]) -> None:
    """Call until the connection is there again."""
    with suppress(StoreLost):
        return call()
    await anyio.sleep(0.05)
    return call()


def test_an_engine_that_hears_nothing_for_long_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one has new connections: whatever is wrong with these, it is over then."""
    url = _address()
    make_queue(url)
    monkeypatch.setattr(engine, "SILENT_S", 0.5)

    async def handler(_account: str) -> None:
        raise AssertionError

    async def body(queue: PostgresQueue) -> None:
        with anyio.fail_after(15.0):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: queue.run(handler, worker="w1"))
                await anyio.sleep(3 * BEAT_S)
                sql(url, "DROP SCHEMA queue CASCADE")

    queue = PostgresQueue(url, beat_s=BEAT_S, poll_s=0.05)
    try:
        anyio.run(body, queue)
    finally:
        queue.close()
