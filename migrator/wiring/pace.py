"""Request rates of a run, and the orders that steer them.

Orders in the store reach a run by the gate before each request and by the ceiling of the rate. The store also keeps
what the run learned about the rate.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio

from migrator.core.run.control import Ceiling, Learned
from migrator.engine.run.context import Stopper
from migrator.errors import StoreError
from migrator.ports import Clock

if TYPE_CHECKING:
    from migrator.carriers.pacing import AdaptivePacer, Pacer
    from migrator.store import Store

__all__ = ["ceiling", "keeping_pace", "remember", "steer"]

LEARNED_FOR_S = 86_400.0
"""Seconds for which a learned limit is used.

An older limit may have changed.
"""

KEEP_EVERY_S = 10.0
TARGET = "hologram"


def steer(pacer: "Pacer", stopper: Stopper, store: "Store", carrier: str, setting: float) -> None:
    """Connect a pacer to the gate and the ceiling of a run.

    Before each request the pacer asks whether the request may leave, and how fast requests may go: never faster than
    `setting`, in requests per second. Both are of one look at the store. A write by an old look does not leave.
    """
    stopper.watch(store.signs)
    pacer.gate, pacer.leaving = stopper.checkpoint, stopper.look_if_old
    pacer.ceiling_now = lambda: _lower(setting, stopper.signs.ceilings.get(carrier))


def ceiling(store: "Store", carrier: str, setting: float) -> float:
    """Return the present ceiling of the rate, in requests per second.

    That is what an operator ordered, and never more than the setting.
    """
    return _lower(setting, store.steering.ceiling(carrier))


def _lower(setting: float, ordered: Ceiling | None) -> float:
    return setting if ordered is None else min(setting, ordered.per_second)


def remember(pacer: "AdaptivePacer", store: "Store", now: float) -> None:
    """Restore the request rate of an earlier process, if recent.

    `now` is in UTC seconds.
    """
    learned = store.steering.learned(TARGET)
    if learned is not None and 0 <= now - learned.at < LEARNED_FOR_S:
        pacer.restore(learned.values)


@asynccontextmanager
async def keeping_pace(pacer: "AdaptivePacer", store: "Store", clock: Clock) -> AsyncIterator[None]:
    """Save what the pacer learns in the store.

    The rate is saved now and then, and at the end.
    """
    kept = pacer.snapshot()

    def keep() -> None:
        nonlocal kept
        learned = pacer.snapshot()
        if learned != kept:
            with suppress(StoreError):  # no run should end for this
                store.steering.save_learned(TARGET, Learned(learned, clock.now().timestamp()))
                kept = learned

    async def now_and_then() -> None:
        while True:
            await anyio.sleep(KEEP_EVERY_S)
            keep()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(now_and_then)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()
            keep()
