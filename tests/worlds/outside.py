"""Whole workflows in process: the public functions, on both simulators and the virtual clock of a world."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import httpx

from migrator import wiring
from migrator.carriers.pacing import Pacer
from migrator.carriers.simulation import InProcessTransport
from migrator.engine.run.context import Hooks, Stopper, quiet
from migrator.inputs.settings.settings import load_settings
from migrator.ports import Clock, Progress
from migrator.wiring.sources import REGISTRY
from migrator.workflows.site import Site
from tests.worlds.world import World

__all__ = ["SimulatedOutside", "site_of"]

T = TypeVar("T")


class SimulatedOutside(wiring.Outside):
    """Simulators and a clock in the place of all that is outside.

    Attributes:
        doomed: crash points of the next run.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.doomed = Hooks()

    @property
    def clock(self) -> Clock:
        return self._world

    @property
    def hooks(self) -> Hooks:
        return self.doomed

    def run_async(self, body: Callable[[Stopper], Awaitable[T]]) -> T:
        result: T = self._world._process(lambda: body(Stopper()))
        return result

    def target(self, chosen: Any, store: Any, stopper: Stopper, *, read_only: bool = False) -> Any:  # noqa: ARG002
        return self._hologram(store, stopper)

    @asynccontextmanager
    async def _hologram(self, store: Any, stopper: Stopper) -> AsyncIterator[Any]:
        async with self._world.http() as http:
            yield self._world.hologram(http, store, stopper)

    def source(self, chosen: Any, store: Any, stopper: Stopper, *, new_login: bool = False) -> Any:  # noqa: ARG002
        return self._source(REGISTRY[chosen.carrier.key].reader, chosen, stopper)

    def source_control(self, chosen: Any, store: Any, stopper: Stopper, *, read_only: bool = False) -> Any:  # noqa: ARG002
        return self._source(REGISTRY[chosen.carrier.key].control, chosen, stopper)

    @asynccontextmanager
    async def _source(self, make: Any, chosen: Any, stopper: Stopper) -> AsyncIterator[Any]:
        world = self._world
        async with httpx.AsyncClient(transport=InProcessTransport(world.source), base_url=world.source_url) as http:
            yield make(http, chosen.source(), Pacer(8.0, gate=stopper.checkpoint))


SETTINGS = {
    "HOLOGRAM_API_KEY": "simulated",
    "HOLOGRAM_ORG_ID": "98765",
}


@contextmanager
def site_of(
    world: World, outside: wiring.Outside | None = None, *, progress: Progress = quiet, **settings: str
) -> Iterator[Site]:
    """A site on the world's store, as a process sees it that starts.

    Args:
        world: the carriers, the store and the clock.
        outside: kept over several processes; None for a new one.
        progress: told what happens.
        settings: instead of the defaults, as in the environment.
    """
    exports = REGISTRY[world.carrier].exports(world.source, "https://source.test")
    loaded = load_settings({**SETTINGS, **exports, **settings}, None)
    with world.store() as store:
        yield Site(store, loaded, progress, outside=outside or SimulatedOutside(world))
