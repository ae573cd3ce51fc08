"""What every queue of jobs must do, whatever database it lives in."""

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import anyio
import pytest

from migrator.ports import JobQueue

__all__ = ["QueueContract", "QueueKit"]

HOUR = 3600.0


class QueueKit(Protocol):
    """One queue under test, empty, within its event loop."""

    @property
    def queue(self) -> JobQueue:
        """The queue."""

    def now(self) -> float:
        """UTC seconds, by the queue's own clock."""

    async def pass_by(self, seconds: float) -> None:
        """Let so much time pass for the queue."""

    def hand_out(self, account: str, worker: str) -> None:
        """Give the waiting job of an account to a worker that never hears of it: the answer is lost."""


class QueueContract:
    """Tests of a queue; a subclass gives `live`, which runs a body with a kit."""

    live: Callable[..., None]
    pace: float = 1.0
    """Seconds by the clock of the queue for one second of a test's words."""

    def test_a_job_is_done_once_it_is_due(self) -> None:
        async def body(kit: QueueKit) -> None:
            kit.queue.enqueue("acme", kit.now() - 1.0, lock="81")
            kit.queue.enqueue("later", kit.now() + HOUR, lock="82")
            assert await done(kit) == ["acme"]
            assert [(job.account, job.worker) for job in kit.queue.overview()] == [("later", None)]
            await kit.pass_by(HOUR)
            assert await done(kit) == ["later"]
            assert list(kit.queue.overview()) == []

        self.live(body)

    def test_an_account_waits_once_and_for_the_earliest_time(self) -> None:
        async def body(kit: QueueKit) -> None:
            for at in (kit.now() + HOUR, kit.now() - 1.0, kit.now() + HOUR):
                kit.queue.enqueue("acme", at, lock="81")
            assert await done(kit) == ["acme"]
            assert list(kit.queue.overview()) == []

        self.live(body)

    def test_the_longest_due_goes_first(self) -> None:
        async def body(kit: QueueKit) -> None:
            for account, before in (("b", 2.0), ("a", 1.0), ("c", 3.0)):
                kit.queue.enqueue(account, kit.now() - before, lock=account)
            assert await done(kit) == ["c", "b", "a"]

        self.live(body)

    def test_a_job_that_was_taken_back_is_not_done(self) -> None:
        async def body(kit: QueueKit) -> None:
            kit.queue.enqueue("acme", kit.now() - 1.0, lock="81")
            assert kit.queue.cancel("acme")
            assert not kit.queue.cancel("acme")
            assert await done(kit) == []

        self.live(body)

    def test_a_job_may_ask_for_the_next_one_of_its_account(self) -> None:
        async def body(kit: QueueKit) -> None:
            calls: list[str] = []

            async def handler(account: str) -> None:
                calls.append(account)
                kit.queue.enqueue(account, kit.now() + (-1.0 if len(calls) == 1 else HOUR), lock="81")

            kit.queue.enqueue("acme", kit.now() - 1.0, lock="81")
            await kit.queue.run(handler, worker="w1", once=True)
            assert calls == ["acme", "acme"]
            assert [job.account for job in kit.queue.overview()] == ["acme"]

        self.live(body)

    def test_a_job_that_fails_is_over_and_the_next_one_begins(self) -> None:
        async def body(kit: QueueKit) -> None:
            async def handler(account: str) -> None:
                calls.append(account)
                if account == "a":
                    raise LookupError(account)

            calls: list[str] = []
            kit.queue.enqueue("a", kit.now() - 2.0, lock="81")
            kit.queue.enqueue("b", kit.now() - 1.0, lock="81")
            await kit.queue.run(handler, worker="w1", once=True)
            assert calls == ["a", "b"]
            assert list(kit.queue.overview()) == []

        self.live(body)

    @pytest.mark.parametrize("locks", [("81", "81"), ("81", "82")], ids=["one lock", "two locks"])
    def test_jobs_with_one_lock_are_never_under_way_together(self, locks: tuple[str, str]) -> None:
        """Neither by one worker with two slots, nor by a second worker."""

        async def body(kit: QueueKit) -> None:
            most = at_work = 0

            async def handler(_account: str) -> None:
                nonlocal most, at_work
                at_work += 1
                most = max(most, at_work)
                await anyio.sleep(3.0 * self.pace)
                at_work -= 1

            for account, lock in zip(("a", "b"), locks, strict=True):
                kit.queue.enqueue(account, kit.now() - 1.0, lock=lock)
            async with anyio.create_task_group() as tasks:
                for worker in ("w1", "w2"):
                    tasks.start_soon(lambda name: kit.queue.run(handler, worker=name, slots=2, once=True), worker)
            assert most == len(set(locks))
            assert list(kit.queue.overview()) == []

        self.live(body)

    def test_a_worker_has_no_more_jobs_than_slots(self) -> None:
        async def body(kit: QueueKit) -> None:
            seen: list[int] = []

            async def handler(_account: str) -> None:
                await anyio.sleep(2.0 * self.pace)
                seen.append(sum(job.worker == "w1" for job in kit.queue.overview()))

            for account in "abcde":
                kit.queue.enqueue(account, kit.now() - 1.0, lock=account)
            await kit.queue.run(handler, worker="w1", slots=2, once=True)
            assert max(seen) == 2
            assert len(seen) == 5

        self.live(body)

    def test_the_job_of_a_dead_worker_is_rescued_and_that_of_a_living_one_is_not(self) -> None:
        async def body(kit: QueueKit) -> None:
            async def for_ever(_account: str) -> None:
                await anyio.sleep_forever()

            kit.queue.enqueue("a", kit.now() - 1.0, lock="81")
            with anyio.move_on_after(5.0 * self.pace):
                await kit.queue.run(for_ever, worker="dead")
            assert [(job.account, job.worker) for job in kit.queue.overview()] == [("a", "dead")]
            assert list(kit.queue.rescue(60.0)) == [], "it was heard of a moment ago"
            assert await done(kit) == []
            kit.queue.enqueue("b", kit.now() - 1.0, lock="82")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: kit.queue.run(for_ever, worker="alive"))
                await kit.pass_by(90.0)
                assert list(kit.queue.rescue(60.0)) == ["a"]
                assert [(job.account, job.worker) for job in kit.queue.overview()] == [("b", "alive"), ("a", None)]
                assert await done(kit) == ["a"]
                tasks.cancel_scope.cancel()

        self.live(body)

    def test_a_job_that_its_living_worker_never_heard_of_is_rescued(self) -> None:
        async def body(kit: QueueKit) -> None:
            async def for_ever(_account: str) -> None:
                await anyio.sleep_forever()

            kit.queue.enqueue("b", kit.now() - 1.0, lock="82")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: kit.queue.run(for_ever, worker="alive", slots=2))
                await anyio.sleep(3.0 * self.pace)
                kit.queue.enqueue("a", kit.now() + HOUR, lock="81")
                kit.hand_out("a", "alive")
                assert {(job.account, job.worker) for job in kit.queue.overview()} == {("a", "alive"), ("b", "alive")}
                await anyio.sleep(10.0 * self.pace)
                assert list(kit.queue.rescue(60.0)) == ["a"]
                assert [job.account for job in kit.queue.overview() if job.worker is not None] == ["b"]
                tasks.cancel_scope.cancel()

        self.live(body)

    def test_a_queue_that_is_empty_is_waited_at(self) -> None:
        async def body(kit: QueueKit) -> None:
            calls: list[str] = []

            async def handler(account: str) -> None:
                calls.append(account)

            with suppress(TimeoutError), anyio.fail_after(10.0 * self.pace):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(lambda: kit.queue.run(handler, worker="w1"))
                    await anyio.sleep(3.0 * self.pace)
                    kit.queue.enqueue("acme", kit.now(), lock="81")
            assert calls == ["acme"]

        self.live(body)

    def test_a_worker_takes_jobs_of_the_accounts_that_it_serves_alone(self) -> None:
        async def body(kit: QueueKit) -> None:
            calls: list[str] = []

            async def handler(account: str) -> None:
                calls.append(account)

            longest = "z" * 40
            for account in ("a", "b", longest):
                kit.queue.enqueue(account, kit.now() - 1.0, lock=account)
            await kit.queue.run(handler, worker="w1", once=True, serves=lambda: ())
            assert calls == []
            await kit.queue.run(handler, worker="w1", once=True, serves=lambda: ["b", longest])
            assert calls == ["b", longest]
            assert [job.account for job in kit.queue.overview()] == ["a"]

        self.live(body)

    def test_a_worker_that_stops_ends_its_job_and_takes_no_other(self) -> None:
        async def body(kit: QueueKit) -> None:
            calls: list[str] = []
            stop = anyio.Event()

            async def handler(account: str) -> None:
                stop.set()
                await anyio.sleep(3.0 * self.pace)
                calls.append(account)

            for account, before in (("a", 2.0), ("b", 1.0)):
                kit.queue.enqueue(account, kit.now() - before, lock=account)
            await kit.queue.run(handler, worker="w1", stop=stop)
            assert calls == ["a"]
            assert [(job.account, job.worker) for job in kit.queue.overview()] == [("b", None)]

        self.live(body)


async def done(kit: QueueKit, *, worker: str = "w") -> list[str]:
    """Do all jobs that are due. Returns: their accounts, in order."""
    calls: list[str] = []

    async def handler(account: str) -> None:
        calls.append(account)

    await kit.queue.run(handler, worker=worker, once=True)
    return calls
