"""The queue in memory, which stands in for a database's, keeps the contract of queues."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio

from migrator.ports import JobQueue
from tests.ports.fake_queue import MemoryQueue
from tests.ports.queue_contract import QueueContract, QueueKit
from tests.support import run_virtual


@dataclass
class MemoryKit:
    """A queue by the virtual clock."""

    memory: MemoryQueue = field(default_factory=MemoryQueue)

    @property
    def queue(self) -> JobQueue:
        """The queue."""
        return self.memory

    def now(self) -> float:
        """UTC seconds."""
        return self.memory.now()

    async def pass_by(self, seconds: float) -> None:
        """The clock jumps."""
        await anyio.sleep(seconds)

    def hand_out(self, account: str, worker: str) -> None:
        """Nobody does it."""
        self.memory.hand_out(account, worker)


class TestMemoryQueue(QueueContract):
    """The contract, on a clock that jumps."""

    @staticmethod
    def live(body: Callable[[QueueKit], Awaitable[None]]) -> None:
        """Run a test's body with an empty queue."""
        run_virtual(lambda: body(MemoryKit()))
