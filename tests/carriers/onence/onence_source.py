"""What the tests of the 1NCE adapter share: the adapter on the wire to the simulated 1NCE."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx
import pytest

from migrator.carriers.onence.adapter import OnenceSource
from migrator.carriers.onence.simulator import OnenceBehaviour, OnenceSimulator, SimulatedSourceSim
from migrator.carriers.pacing import Pacer
from migrator.carriers.simulation import Fault, FaultPlan, InProcessTransport
from migrator.core.fleet.identifiers import Iccid
from migrator.errors import PlatformError
from migrator.ports import SourcePage
from tests.support import run_virtual

__all__ = [
    "SIM",
    "UNKNOWN_SIM",
    "Answers",
    "T",
    "Use",
    "digits",
    "every_page",
    "failing",
    "of_one",
    "opened",
    "rows",
    "scripted",
    "simulator",
    "with_source",
]

T = TypeVar("T")
Use = Callable[[OnenceSource], Awaitable[T]]

BASE_URL = "https://onence.example/management-api"
SIM = Iccid.parse("8988228066600000001")
UNKNOWN_SIM = Iccid.parse("8988228066699999999")


def simulator(*, sims: int = 250, faults: FaultPlan | None = None, **behaviour: Any) -> OnenceSimulator:
    return OnenceSimulator(seed=7, sims=sims, behaviour=OnenceBehaviour(**behaviour), faults=faults)


def of_one(*, faults: FaultPlan | None = None, behaviour: OnenceBehaviour | None = None, **sim: Any) -> OnenceSimulator:
    return OnenceSimulator.from_fleet([SimulatedSourceSim(SIM.digits, **sim)], behaviour=behaviour, faults=faults)


def source_at(http: httpx.AsyncClient, carrier: OnenceSimulator, **settings: Any) -> OnenceSource:
    credentials = {"client_id": carrier.client_id, "client_secret": carrier.client_secret}
    return OnenceSource(http, pacer=Pacer(8.0), **(credentials | settings))


def with_source(carrier: OnenceSimulator, use: Use[T], **settings: Any) -> T:
    async def main() -> T:
        async with httpx.AsyncClient(transport=InProcessTransport(carrier), base_url=BASE_URL) as http:
            return await use(source_at(http, carrier, **settings))

    return run_virtual(main)


def failing(carrier: OnenceSimulator, use: Use[Any], **settings: Any) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        with_source(carrier, use, **settings)
    return caught.value


async def opened(source: OnenceSource) -> OnenceSource:
    await source.open()
    return source


async def every_page(source: OnenceSource) -> list[SourcePage]:
    """Pages until one is empty, as a reader does that has no totals."""
    pages = []
    for number in range(1, 100):
        pages.append(await source.page(number))
        if not pages[-1].rows:
            break
    return pages


def digits(pages: list[SourcePage]) -> list[str]:
    return [row.sim.iccid.digits for page in pages for row in page.rows if row.sim is not None]


def scripted(*faults: Fault, path: str = "/sims") -> FaultPlan:
    return FaultPlan(scripted=faults, scripted_for=lambda _method, asked: path in asked)


class Answers:
    """A stand-in for answers that the simulator cannot give: a login, then one reply for each path, for ever."""

    def __init__(self, answers: dict[str, httpx.Response], login: httpx.Response | None = None) -> None:
        token = {"access_token": "invented-token", "expires_in": 3600}
        self._answers = {"/oauth/token": login or httpx.Response(200, json=token), **answers}
        self.paths: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/management-api")
        self.paths.append(path)
        answer = self._answers.get(path, httpx.Response(404))
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def use(self, use: Use[T], *, secret: str = "invented-secret") -> T:
        async def main() -> T:
            async with httpx.AsyncClient(transport=httpx.MockTransport(self), base_url=BASE_URL) as http:
                return await use(OnenceSource(http, client_id="id", client_secret=secret, pacer=Pacer(8)))

        return run_virtual(main)


def rows(count: int) -> list[dict[str, str]]:
    return [{"iccid": str(8988228066600000000 + number)} for number in range(count)]
