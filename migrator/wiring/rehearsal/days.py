"""Days of a rehearsal in seconds.

The simulators run in process, on a clock that jumps over every wait.
"""

import asyncio
import selectors
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio
import httpx

from migrator.carriers.hologram.adapter import HologramTarget
from migrator.carriers.hologram.simulator import HologramSimulator
from migrator.carriers.onence.adapter import OnenceSource
from migrator.carriers.onence.control import OnenceControl
from migrator.carriers.onence.simulator import OnenceSimulator
from migrator.carriers.pacing import Pacer
from migrator.carriers.simulation import InProcessTransport
from migrator.engine.run.context import Hooks, Stopper
from migrator.wiring import Outside, first_error

if TYPE_CHECKING:
    from migrator.inputs.settings.settings import Settings
    from migrator.store import Store

__all__ = ["JumpingClock", "RehearsedOutside"]

T = TypeVar("T")
ONENCE_RPS, HOLOGRAM_RPS = 8.0, 50.0


class JumpingClock:
    """Clock that jumps to the moment at which something happens next.

    Args:
        begins_at: the time when the rehearsal begins.
    """

    def __init__(self, begins_at: datetime) -> None:
        self._begins_at = begins_at
        self.passed_s = 0.0

    def now(self) -> datetime:
        """Return the time in UTC."""
        return self._begins_at + timedelta(seconds=self.passed_s)

    def wait_until(self, at: datetime) -> None:
        """Jump to a moment; one that is over changes nothing."""
        self.passed_s = max(self.passed_s, (at - self._begins_at).total_seconds())

    def run(self, body: Callable[[], Awaitable[T]]) -> T:
        """Run `body` on an event loop whose time is this clock's."""

        async def main() -> T:
            return await body()

        try:
            return anyio.run(main, backend_options={"loop_factory": partial(_JumpingLoop, self)})
        except BaseExceptionGroup as group:
            raise first_error(group) from None


class _JumpingSelector(selectors.DefaultSelector):
    """Selector that waits for nobody.

    Where nothing is ready, the clock jumps by the time that would have been waited.
    """

    def __init__(self, clock: JumpingClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready now.

        Only a wait without an end is a true one.
        """
        if timeout is None:
            return super().select(None)
        ready = super().select(0)
        if not ready:
            self._clock.passed_s += max(0.0, timeout)
        return ready


class _JumpingLoop(asyncio.SelectorEventLoop):
    """Event loop on a jumping clock."""

    def __init__(self, clock: JumpingClock) -> None:
        self._jumping = clock
        super().__init__(_JumpingSelector(clock))

    def time(self) -> float:
        """Return the seconds of the rehearsal, over all its loops."""
        return self._jumping.passed_s


class RehearsedOutside(Outside):
    """Simulators and a jumping clock in place of the outside.

    The true clients speak to the simulators in process: nothing leaves, and nobody waits.
    """

    def __init__(self, onence: OnenceSimulator, hologram: HologramSimulator, clock: JumpingClock) -> None:
        self._onence, self._hologram, self._clock = onence, hologram, clock

    @property
    def clock(self) -> JumpingClock:
        """Clock of every stage."""
        return self._clock

    @property
    def hooks(self) -> Hooks:
        """Crash points: there are none."""
        return Hooks()

    def run_async(self, body: Callable[[Stopper], Awaitable[T]]) -> T:
        """Run `body` in rehearsed time."""
        return self._clock.run(lambda: body(Stopper()))

    @asynccontextmanager
    async def target(
        self,
        chosen: "Settings",  # noqa: ARG002 - there is one account
        store: "Store | None",  # noqa: ARG002
        stopper: Stopper,
        *,
        read_only: bool = False,  # noqa: ARG002 - no money is at stake
    ) -> AsyncIterator[HologramTarget]:
        """Open the simulated Hologram."""
        carrier = self._hologram
        async with _http(carrier, "https://hologram.invalid/api/1/") as http:
            pacer = Pacer(HOLOGRAM_RPS, gate=stopper.checkpoint)
            yield HologramTarget(http, api_key=carrier.api_key, org_id=carrier.org_id, pacer=pacer)

    def source(
        self,
        chosen: "Settings",  # noqa: ARG002 - there is one account
        store: "Store | None",  # noqa: ARG002
        stopper: Stopper,
        *,
        new_login: bool = False,  # noqa: ARG002
    ) -> AbstractAsyncContextManager[OnenceSource]:
        """Open the simulated 1NCE."""
        return self._at_1nce(OnenceSource, stopper)

    def source_control(
        self,
        chosen: "Settings",  # noqa: ARG002 - there is one account
        store: "Store",  # noqa: ARG002
        stopper: Stopper,
        *,
        read_only: bool = False,  # noqa: ARG002 - no unit is at stake
    ) -> AbstractAsyncContextManager[OnenceControl]:
        """Open the simulated 1NCE with the right to switch SIMs."""
        return self._at_1nce(OnenceControl, stopper)

    @asynccontextmanager
    async def _at_1nce(self, kind: type[T], stopper: Stopper) -> AsyncIterator[T]:
        carrier = self._onence
        make: Callable[..., T] = kind
        async with _http(carrier, "https://onence.invalid/management-api/") as http:
            pacer = Pacer(ONENCE_RPS, gate=stopper.checkpoint)
            yield make(http, client_id=carrier.client_id, client_secret=carrier.client_secret, pacer=pacer)


def _http(carrier: OnenceSimulator | HologramSimulator, address: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=InProcessTransport(carrier), base_url=address)
