"""How the tests of the simulated 1NCE talk to it: over the wire, on a virtual clock."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
import httpx

from migrator.carriers.onence.simulator import OnenceBehaviour, OnenceSimulator, SimulatedSourceSim
from migrator.carriers.simulation import FaultPlan, InProcessTransport
from tests.support import run_virtual

__all__ = [
    "BASE_URL",
    "FULL_UPDATE",
    "GRANT",
    "ICCID",
    "OTHER_ICCID",
    "as_customer",
    "customer",
    "fetch",
    "log_in",
    "log_in_with",
    "of_one",
    "row_of",
    "stranger",
    "walk",
]

T = TypeVar("T")
BASE_URL = "https://simulated.example/management-api/"
GRANT = {"grant_type": "client_credentials"}
ICCID = "8988228066600000001"
OTHER_ICCID = "8988228066600000002"
FULL_UPDATE = {"iccid": ICCID, "status": "Disabled", "label": "new", "imei_lock": True}


def stranger(simulator: OnenceSimulator) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=InProcessTransport(simulator), base_url=BASE_URL)


async def log_in(http: httpx.AsyncClient, simulator: OnenceSimulator) -> dict[str, Any]:
    reply = await http.post("oauth/token", json=GRANT, auth=(simulator.client_id, simulator.client_secret))
    token: dict[str, Any] = reply.json()
    http.headers["Authorization"] = f"Bearer {token['access_token']}"
    return token


@asynccontextmanager
async def customer(simulator: OnenceSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with stranger(simulator) as http:
        await log_in(http, simulator)
        yield http


def as_customer(simulator: OnenceSimulator, act: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
    """Let a customer who is logged in `act`, on a virtual clock."""

    async def main() -> T:
        async with customer(simulator) as http:
            return await act(http)

    return run_virtual(main)


def fetch(simulator: OnenceSimulator, path: str, *, method: str = "GET", **request: Any) -> httpx.Response:
    """One request of a customer who is logged in."""
    return as_customer(simulator, lambda http: http.request(method, path, **request))


def walk(simulator: OnenceSimulator, *, version: str = "v1", **query: str) -> list[str]:
    """The ICCIDs of all pages of ten, as a client reads them that stops at X-Total-Pages."""

    async def read(http: httpx.AsyncClient) -> list[str]:
        seen: list[str] = []
        for page in range(1, 100):
            reply = await http.get(f"{version}/sims", params={"page": str(page), "pageSize": "10"} | query)
            seen += [row["iccid"] for row in reply.json()]
            if page >= int(reply.headers["X-Total-Pages"]):
                break
            await anyio.sleep(0.2)
        return seen

    return as_customer(simulator, read)


def of_one(*, behaviour: OnenceBehaviour | None = None, faults: FaultPlan | None = None, **sim: Any) -> OnenceSimulator:
    """A simulator of a single SIM."""
    return OnenceSimulator.from_fleet([SimulatedSourceSim(ICCID, **sim)], behaviour=behaviour, faults=faults)


def row_of(simulator: OnenceSimulator, version: str = "v1") -> dict[str, Any]:
    row: dict[str, Any] = fetch(simulator, f"{version}/sims").json()[0]
    return row


def log_in_with(simulator: OnenceSimulator, **request: Any) -> httpx.Response:
    async def main() -> httpx.Response:
        async with stranger(simulator) as http:
            return await http.post(
                "oauth/token", **({"auth": (simulator.client_id, simulator.client_secret)} | request)
            )

    return run_virtual(main)
