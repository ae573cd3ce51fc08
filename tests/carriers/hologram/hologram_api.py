"""What the tests of the simulated Hologram share: a client that knows nothing, and SIMs on the shelf."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import wraps
from typing import Any, ParamSpec

import httpx

from migrator.carriers.hologram.simulator import HologramBehaviour, HologramSimulator
from migrator.carriers.simulation import FaultPlan, InProcessTransport
from tests.support import run_virtual

__all__ = [
    "INSTANT",
    "PRICE",
    "SIMS",
    "UNKNOWN",
    "A",
    "Api",
    "B",
    "C",
    "D",
    "claimed",
    "virtual",
    "with_claimed",
    "with_stock",
]

P = ParamSpec("P")

SIMS = [f"894450000000000{number:04d}" for number in range(1, 6)]
A, B, C, D, UNKNOWN = [*SIMS[:4], "8944500000000009999"]
PRICE = Decimal("1.000000")
INSTANT: dict[str, Any] = {"claim_pending_s": (0.0, 0.0), "state_pending_s": (0.0, 0.0)}


def virtual(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run an async test on the virtual clock."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        run_virtual(lambda: test(*args, **kwargs))

    return run


class Api:
    """A thin client that knows nothing: what it returns is what was on the wire."""

    def __init__(self, sim: HologramSimulator, *, key: str | None = None) -> None:
        self.sim = sim
        self.http = httpx.AsyncClient(
            transport=InProcessTransport(sim),
            base_url="http://hologram.test/api/1/",
            auth=("apikey", key or sim.api_key),
        )

    async def get(self, path: str, **query: Any) -> Any:
        return (await self.http.get(path, params=query)).json()

    async def follow(self, following: str) -> Any:
        """The page that `links.next` leads to, always on our own host."""
        path = httpx.URL(following).raw_path.decode()
        return (await self.http.get(f"http://hologram.test{path}")).json()

    async def claim(self, *iccids: str, preview: bool = False, **body: Any) -> httpx.Response:
        order = {"sims": list(iccids), "plan": 2096, "zone": "global", **body}
        return await self.http.post("links/cellular/bulkclaim", json=order, params={"preview": 1} if preview else {})

    async def command(self, what: str, *iccids: str, **body: Any) -> Any:
        order = {"deviceids": [self.sim.sims[iccid].device_id for iccid in iccids], **body}
        reply = await self.http.post(f"devices/batch/{what}", json=order, params={"orgid": self.sim.org_id})
        return reply.json()

    async def device(self, iccid: str) -> Any:
        return (await self.get("devices", sim=iccid))["data"][0]

    async def link(self, iccid: str) -> Any:
        """The enabled profile of the device, as reads show it."""
        return (await self.device(iccid))["links"]["cellular"][-1]


def with_stock(*, faults: FaultPlan | None = None, **behaviour: Any) -> Api:
    sim = HologramSimulator(seed=7, behaviour=HologramBehaviour(**behaviour), faults=faults)
    sim.stock(SIMS)
    return Api(sim)


def with_claimed(**behaviour: Any) -> Api:
    sim = HologramSimulator(seed=7, behaviour=HologramBehaviour(**behaviour))
    sim.stock_claimed(SIMS)
    return Api(sim)


def claimed(api: Api) -> set[str]:
    """What is truly claimed, which must be what was charged, once each."""
    devices = {iccid for iccid, link in api.sim.sims.items() if link.device_id is not None}
    assert devices == set(api.sim.ledger.charges)
    assert set(api.sim.ledger.charges.values()) <= {1}
    return devices
