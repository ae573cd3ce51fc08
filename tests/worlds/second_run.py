"""A second run, drawn for a schedule: it takes the lease from one that is alive, and works on beside it."""

import random
from dataclasses import dataclass, field, replace

import anyio
import httpx

from migrator.carriers.simulation import InProcessTransport
from tests.simulation.invariants import Run
from tests.worlds.world import World

__all__ = ["SecondRun"]


class CountingTransport(InProcessTransport):
    """A way to the carrier that counts what left by it."""

    sent = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer `request`, and count it."""
        self.sent += 1
        return await InProcessTransport.handle_async_request(self, request)


@dataclass(slots=True)
class SecondRun:
    """Comes in the midst of a run, which was taken for dead.

    Has a chance of its own, as older seeds are to draw what they always drew.
    """

    world: World
    chance: random.Random
    run: Run | None = field(default=None, init=False)
    """The second run, once it has come."""
    error: BaseException | None = field(default=None, init=False)
    """What ended it that should not have."""

    async def at_work(self) -> None:
        """Beside one run: wait, take its lease, and do all there is to do, whatever becomes of the first one."""
        await anyio.sleep(self.chance.choice([0.3, 3.0, 20.0, 300.0]) * self.chance.random())
        with anyio.CancelScope(shield=True):
            try:
                await self._take_over()
            except Exception as error:  # noqa: BLE001 - it would be lost among those of the run that it ended
                self.error = error

    async def _take_over(self) -> None:
        target, options = self.world.target, replace(self.world.options, wave=None)
        way = CountingTransport(target)
        run = self.run = Run(
            began_s=target._clock.now_s(),
            first=len(target.ledger.entries),
            claimed_before=len(target.ledger.charges),
            max_sims=options.max_sims,
        )
        try:
            async with self.world.http(way) as http:
                run.result = await self.world.apply_beside(http, options)
        finally:
            run.last, run.claimed_after = len(target.ledger.entries), len(target.ledger.charges)
            run.strangers = run.last - run.first - way.sent
