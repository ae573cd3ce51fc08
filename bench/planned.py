"""Makes a plan of the store in this folder, or of the account that is set: `planned POLICY COST`.

The carrier answers at once. What is left is our own time; that of the carrier follows from look-ups and rate.
"""

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import anyio

from bench.measured import peak_bytes
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import TargetLink
from migrator.core.fleet.units import Bytes
from migrator.core.plan.plan import PlanHeader, Prices
from migrator.engine.run.context import Stopper
from migrator.inputs.policy.file import read_policy
from migrator.ports import DataPlan, TargetIdentity, TargetPlatform
from migrator.store import Store
from migrator.wiring import SystemClock
from migrator.workflows.plans.make import make_plan

MAX_RPS = 10.0


@dataclass(slots=True)
class AtOnce:
    """An organization without devices, whose carrier takes no time."""

    max_lookup: int = 100
    page_size: int = 1000
    lookups: int = 0

    async def account(self) -> TargetIdentity:
        """Who we are."""
        return TargetIdentity(1, "ops@example.com", 4711, "bench", permissions=None, features=None)

    async def balance(self) -> Decimal | None:
        """Invoiced."""
        return None

    async def data_plans(self) -> Sequence[DataPlan]:
        """The one of the policy."""
        prices = Prices(Decimal("0.60"), Decimal("0.03"), Decimal("0.10"))
        return [DataPlan(2096, "bench", enabled=True, included_bytes=Bytes(0), zones={"global": prices})]

    async def device_count(self) -> int | None:
        """Not told, so that every SIM is looked up: the dearest way."""
        return None

    async def links_by_iccid(self, iccids: Sequence[Iccid]) -> Sequence[TargetLink]:
        """None of them is claimed."""
        self.lookups += bool(iccids)
        return []


def planned(policy: Path) -> dict[str, Any]:
    """Make the plan. Returns: what it took, in seconds and bytes."""
    target = AtOnce()
    marks: dict[str, float] = {}

    def mark(event: str, _values: Mapping[str, Any]) -> None:
        marks.setdefault(event, time.perf_counter())

    async def body() -> PlanHeader:
        carrier = cast("TargetPlatform", target)
        return await make_plan(
            store, carrier, loaded, max_rps=MAX_RPS, clock=SystemClock(), stopper=Stopper(), progress=mark
        )

    began, cpu_began = time.perf_counter(), time.process_time()
    loaded = read_policy(policy)
    url, account = os.environ.get("MIGRATOR_STATE", "sqlite:///migrator.db"), os.environ.get("MIGRATOR_ACCOUNT")
    with Store.open(url, account=account, now=0.0) as store:
        header = anyio.run(body)
    return {
        "seconds": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu_began,
        "observing_s": marks["planning"] - marks["observing"],
        "peak_bytes": peak_bytes(),
        "lookups": target.lookups,
        "claims": header.claims,
    }


if __name__ == "__main__":
    cost = planned(Path(sys.argv[1]))
    Path(sys.argv[2]).write_text(json.dumps(cost))
