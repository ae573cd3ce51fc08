"""What the tests of the Hologram adapter share: a shelf of SIMs, and the adapter on the wire to it."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, TypeVar

import httpx
import pytest

from migrator.carriers.hologram.adapter import HologramTarget
from migrator.carriers.hologram.simulator import HologramBehaviour, HologramSimulator
from migrator.carriers.pacing import Pacer
from migrator.carriers.simulation import Fault, FaultPlan, InProcessTransport
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import TargetLink
from migrator.errors import (
    MigratorError,
)
from migrator.ports import Claim, MakeTag, Tag
from tests.support import run_virtual

__all__ = [
    "BASE_URL",
    "LOST_WRITES",
    "SIMS",
    "A",
    "B",
    "C",
    "Script",
    "Use",
    "claim_of",
    "claimed_fleet",
    "every_device",
    "failing",
    "for_writes",
    "ids",
    "make_tag",
    "simulator",
    "with_target",
    "writes",
]

T = TypeVar("T")
Use = Callable[[HologramTarget], Awaitable[T]]

BASE_URL = "https://hologram.example/api/1"
SIMS = [f"894450000000000{number:04d}" for number in range(1, 8)]
A, B, C = SIMS[:3]
LOST_WRITES = [Fault.LOSE_AFTER, Fault.LOSE_BEFORE, Fault.HANG_AFTER, Fault.SERVER_ERROR_AFTER, Fault.HTML_OK]


def simulator(*, faults: FaultPlan | None = None, balance: Decimal | None = Decimal(100), **behaviour: Any) -> Any:
    carrier = HologramSimulator(seed=7, behaviour=HologramBehaviour(**behaviour), faults=faults, balance=balance)
    carrier.stock(SIMS)
    return carrier


def claimed_fleet(**behaviour: Any) -> Any:
    carrier = HologramSimulator(seed=7, behaviour=HologramBehaviour(**behaviour))
    carrier.stock_claimed(SIMS)
    return carrier


def with_target(carrier: Any, use: Use[T], **settings: Any) -> T:
    async def main() -> T:
        async with httpx.AsyncClient(transport=InProcessTransport(carrier), base_url=BASE_URL) as http:
            known = {"api_key": carrier.api_key, "org_id": carrier.org_id, "pacer": Pacer(100.0)}
            return await use(HologramTarget(http, **(known | settings)))

    return run_virtual(main)


def failing(carrier: Any, use: Use[Any], **settings: Any) -> Any:
    with pytest.raises(MigratorError) as caught:
        with_target(carrier, use, **settings)
    return caught.value


def claim_of(carrier: Any, *iccids: str, **values: Any) -> Claim:
    known = {"org_id": carrier.org_id, "data_plan_id": 2096, "zone": "global"}
    return Claim([Iccid.parse(iccid) for iccid in iccids], **(known | values))


async def make_tag(target: HologramTarget, name: str) -> Tag:
    made = (await target.send(MakeTag(name))).tag
    assert made is not None
    return made


def writes(carrier: Any) -> list[Any]:
    return [entry for entry in carrier.ledger.entries if entry.method != "GET"]


def for_writes(*faults: Fault) -> FaultPlan:
    return FaultPlan(scripted=faults, scripted_for=lambda method, _path: method != "GET")


def ids(carrier: Any, *iccids: str) -> list[int]:
    return [carrier.sims[iccid].device_id for iccid in iccids]


async def every_device(target: HologramTarget) -> list[TargetLink]:
    links: list[TargetLink] = []
    cursor = None
    for _ in range(50):
        page = await target.devices(cursor)
        links += page.links
        cursor = page.cursor
        if cursor is None:
            return links
    raise AssertionError("the list did not end")


class Script:
    """Answers in the order of a script, and keeps what it was asked."""

    def __init__(self, *answers: httpx.Response) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._answers.pop(0)

    def use(self, use: Use[T], *, org_id: int | None = 5) -> T:
        async def main() -> T:
            async with httpx.AsyncClient(transport=httpx.MockTransport(self), base_url=BASE_URL) as http:
                return await use(HologramTarget(http, api_key="hush-hush-7", org_id=org_id, pacer=Pacer(100.0)))

        return run_virtual(main)
