"""Plans a cutover and the way back for the store in this folder, at a carrier that answers at once: `cut_over COST`.

The fleet is that of `reporting.stored_fleet`.
"""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import anyio

from bench.measured import peak_bytes
from migrator.core.cutover.plan import CutoverHeader, Require
from migrator.core.cutover.rules import Demand
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import TargetLink
from migrator.core.policy.policy import OldSim
from migrator.engine.run.context import Stopper, quiet
from migrator.ports import TargetIdentity, TargetPlatform
from migrator.store import Store
from migrator.wiring import SystemClock
from migrator.workflows.cutover.make import make_cutover, make_rollback
from tests.builders import ORG, target

FIRST_DEVICE = 1000


@dataclass(slots=True)
class AllThere:
    """An organization whose devices are as planned, and that is asked for each of them."""

    max_lookup: int = 100
    page_size: int = 1000

    async def account(self) -> TargetIdentity:
        """Who we are."""
        return TargetIdentity(1, "ops@example.com", ORG, "bench", permissions=None, features=None)

    async def device_count(self) -> int | None:
        """Not told, so that every SIM is looked up."""
        return None

    async def links_by_iccid(self, iccids: Sequence[Iccid]) -> Sequence[TargetLink]:
        """Each of them."""
        return [_as_planned(int(iccid.digits[7:19])) for iccid in iccids]

    async def devices_by_id(self, device_ids: Sequence[int]) -> Sequence[TargetLink]:
        """Each of them."""
        return [_as_planned(device_id - FIRST_DEVICE) for device_id in device_ids]


def _as_planned(number: int) -> TargetLink:
    return target(number, data_plan_id=None, zone=None, tags=frozenset())


def cut_over() -> dict[str, Any]:
    """Make both plans. Returns: what it took, in seconds and bytes, and how many SIMs are to be switched off."""
    clock, carrier = SystemClock(), cast("TargetPlatform", AllThere())

    async def body() -> CutoverHeader:
        return await make_cutover(
            store,
            carrier,
            header,
            Demand(Require.VERIFIED, 0.0, clock.now().timestamp(), old_sim=OldSim.NOT_ASKED),
            waves=(),
            absent_after_s=60.0,
            clock=clock,
            stopper=Stopper(),
            progress=quiet,
            usage=None,
        )

    began, cpu_began = time.perf_counter(), time.process_time()
    with Store.open("sqlite:///migrator.db", now=0.0) as store:
        header = store.plans.header(store.plans.newest() or "")
        store.plans.finish(header.plan_id, clock.now().timestamp())
        off = anyio.run(body)
        make_rollback(store, header, listed=None, waves=(), now=clock.now().timestamp())
    return {
        "seconds": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu_began,
        "peak_bytes": peak_bytes(),
        "off": off.count,
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(cut_over()))
