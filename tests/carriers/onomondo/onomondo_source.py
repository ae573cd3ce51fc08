"""What the tests of Onomondo's adapter share: the adapter on the wire to the simulated Onomondo."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx
import pytest

from migrator.carriers.onomondo.adapter import OnomondoSource
from migrator.carriers.onomondo.control import OnomondoControl
from migrator.carriers.onomondo.simulator import OnomondoBehaviour, OnomondoSimulator, SimulatedOnomondoSim
from migrator.carriers.pacing import Pacer
from migrator.carriers.simulation import FaultPlan, InProcessTransport
from migrator.core.fleet.identifiers import Iccid
from migrator.errors import PlatformError
from migrator.ports import SourcePage
from tests.support import run_virtual

__all__ = [
    "IMEI",
    "OTHER",
    "SIM",
    "T",
    "answered",
    "every_page",
    "failing",
    "of_one",
    "simulator",
    "with_control",
    "with_source",
]

T = TypeVar("T")
SIM = Iccid.parse("89457387300000022734")
OTHER = Iccid.parse("89457387300000024185")
IMEI = "861340049971524"
BASE_URL = "https://onomondo.example"


def simulator(*, sims: int = 250, faults: FaultPlan | None = None, **behaviour: Any) -> OnomondoSimulator:
    return OnomondoSimulator(seed=7, sims=sims, behaviour=OnomondoBehaviour(**behaviour), faults=faults)


def of_one(
    *, behaviour: OnomondoBehaviour | None = None, faults: FaultPlan | None = None, **sim: Any
) -> OnomondoSimulator:
    """SIM as told, and OTHER beside it."""
    fleet = [SimulatedOnomondoSim(SIM.digits, **sim), SimulatedOnomondoSim(OTHER.digits, imei="350000000000006")]
    return OnomondoSimulator(fleet=fleet, behaviour=behaviour, faults=faults)


def with_source(carrier: OnomondoSimulator, use: Callable[[OnomondoSource], Awaitable[T]], key: str = "") -> T:
    async def main() -> T:
        async with httpx.AsyncClient(transport=InProcessTransport(carrier), base_url=BASE_URL) as http:
            return await use(OnomondoSource(http, api_key=key or carrier.api_key, pacer=Pacer(8.0)))

    return run_virtual(main)


def with_control(carrier: OnomondoSimulator, use: Callable[[OnomondoControl], Awaitable[T]]) -> T:
    async def main() -> T:
        async with httpx.AsyncClient(transport=InProcessTransport(carrier), base_url=BASE_URL) as http:
            return await use(OnomondoControl(http, api_key=carrier.api_key, pacer=Pacer(8.0)))

    return run_virtual(main)


def failing(
    carrier: OnomondoSimulator, use: Callable[[OnomondoSource], Awaitable[Any]], key: str = ""
) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        with_source(carrier, use, key)
    return caught.value


async def every_page(source: OnomondoSource) -> list[SourcePage]:
    """Pages until one is empty, as a reader does."""
    pages = []
    for number in range(1, 50):
        pages.append(await source.page(number))
        if not pages[-1].rows:
            break
    return pages


def answered(use: Callable[[OnomondoControl], Awaitable[T]], *answers: httpx.Response) -> T:
    """A stand-in for answers that the simulator cannot give: these in turn, the last one for ever."""
    left = list(answers)

    def answer(_request: httpx.Request) -> httpx.Response:
        given = left.pop(0) if len(left) > 1 else left[0]
        return httpx.Response(given.status_code, headers=given.headers, content=given.content)

    async def main() -> T:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url=BASE_URL) as http:
            return await use(OnomondoControl(http, api_key="onok_invented", pacer=Pacer(8.0)))

    return run_virtual(main)
