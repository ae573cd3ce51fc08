"""What a turn costs beside the work in it: queue and register. Nothing where there is no server."""

import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import anyio
from anyio import to_thread

from bench.measures import Measure
from migrator.core.accounts.turns import AccountState, Turn
from migrator.jobs.queue import PostgresQueue
from migrator.jobs.schema import make_queue
from migrator.ports import Handler
from migrator.store.register import Register
from tests.server import MISSING, made, running

__all__ = ["turns"]

TURNS, MOST_S = 200, 0.050


def turns(_folder: Path) -> Iterator[Measure]:
    """200 turns, one after the other, on disk: queued, fetched, given, ended, finished."""
    if running() is None:
        print(MISSING, file=sys.stderr)
        return
    with made(fsync="on", full_page_writes="on", autovacuum="on") as server:
        url = server.url()
        Register.make(url, time.time())
        make_queue(url)
        queue = PostgresQueue(url)
        with Register.open(url) as register:
            names = [f"a{number}" for number in range(TURNS)]
            for name in names:
                register.add(name, carrier="1nce", customer=name, organization=1, by="bench")

            async def alone(_name: str) -> None:
                pass

            async def given(name: str) -> None:
                assert await to_thread.run_sync(register.began, name, "w1") is not None
                turn = Turn(AccountState.READY, 0.0)
                await to_thread.run_sync(partial(register.ended, name, "w1", turn))

            took = {what: _took(queue, names, handler) for what, handler in (("queue", alone), ("register", given))}
        queue.close()
    yield Measure(what="a turn in the queue: queued, fetched, finished", value=took["queue"], unit="ms", most=MOST_S)
    yield Measure(what="the same, given and ended in the register", value=took["register"], unit="ms", most=MOST_S)


def _took(queue: PostgresQueue, names: list[str], handler: Handler) -> float:
    """Returns: seconds of one turn."""
    began = time.perf_counter()
    for name in names:
        queue.enqueue(name, 1.0, lock=name)
    anyio.run(lambda: queue.run(handler, worker="w1", once=True))
    return (time.perf_counter() - began) / TURNS
