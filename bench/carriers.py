"""Both simulated carriers on loopback in a process of their own, and a look into their ledgers from here."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from migrator.carriers.hologram.simulator import HologramBehaviour, HologramSimulator
from migrator.carriers.onence.simulator.model import SimStatus
from migrator.carriers.simulation import RateLimit
from migrator.core.run.sources import SOURCES
from migrator.wiring.rehearsal.rehearsal import Rehearsal, pool_of
from migrator.wiring.simulated import Simulated
from migrator.wiring.sources import REGISTRY

__all__ = ["PENDING_S", "ROOT", "Asked", "Carriers", "Setup", "serving"]

ROOT = Path(__file__).parents[1]
PENDING_S = (0.0, 2.0)
"""How long Hologram takes to move a SIM, shortest and longest."""
LEDGER = "/bench/ledger"
PATIENCE_S = 120.0
SEED = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What the carriers are like.

    `source_rps` is allowed per second, and as many at once; None for no limit. `claimed`: the new SIMs are ours. `off`:
    the old SIMs of 1NCE are off, and the new ones were seen.
    """

    sims: int
    source: str = "1nce"
    source_rps: float | None = None
    latency_s: float = 0.0
    claimed: bool = False
    off: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as a carrier saw it. `page` is that of 1NCE's list; `at_s` counts from its first request.

    `carrier` is "hologram", or the source's section of the settings.
    """

    carrier: str
    at_s: float
    method: str
    path: str
    page: int | None
    status: int | None


class _Watched(Rehearsal):
    """A rehearsal that shows every entry of its ledgers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == LEDGER:
            await JSONResponse(self._asked())(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def _asked(self) -> list[dict[str, Any]]:
        return [
            asdict(Asked(carrier, entry.at_s, entry.method, entry.path, _page(entry.query), entry.status))
            for carrier, ledger in (
                (SOURCES[self.carrier].section, self.source.ledger),
                ("hologram", self.hologram.ledger),
            )
            for entry in ledger.entries
        ]


def _page(query: Mapping[str, str]) -> int | None:
    return int(query["page"]) if "page" in query else None


@dataclass(slots=True)
class Carriers:
    """The other process, from here."""

    environment: Mapping[str, str]
    _http: httpx.Client = field(repr=False)

    def asked(self, carrier: str) -> list[Asked]:
        """Every request to a carrier, in order."""
        return [entry for row in self._json(LEDGER) if (entry := Asked(**row)).carrier == carrier]

    def truth(self, carrier: str) -> Any:
        """Every SIM as it truly is: for 1NCE a list, for Hologram by ICCID."""
        return self._json(f"/{carrier}/_simulator/truth")

    def summary(self, carrier: str) -> dict[str, Any]:
        """Counts and charges."""
        summary: dict[str, Any] = self._json(f"/{carrier}/_simulator/ledger")
        return summary

    def _json(self, path: str) -> Any:
        return self._http.get(path).raise_for_status().json()


@contextmanager
def serving(setup: Setup) -> Iterator[Carriers]:
    """Serve such carriers for as long as the block lasts."""
    words = [sys.executable, "-m", "bench.carriers", json.dumps(asdict(setup))]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            environment: dict[str, str] = json.loads(process.stdout.readline())
            base = environment["HOLOGRAM_BASE_URL"].partition("/hologram")[0]
            with httpx.Client(base_url=base, timeout=PATIENCE_S) as http:
                carriers = Carriers(environment, http)
                carriers.asked("hologram")
                yield carriers
        finally:
            process.terminate()


def _serve(setup: Setup) -> None:
    limit = None if setup.source_rps is None else RateLimit(setup.source_rps, setup.source_rps)
    source = REGISTRY[setup.source].simulator(Simulated(SEED, setup.sims, rate_limit=limit, latency_s=setup.latency_s))
    behaviour = HologramBehaviour(claim_pending_s=PENDING_S, state_pending_s=PENDING_S, latency_s=setup.latency_s)
    hologram = HologramSimulator(behaviour=behaviour)
    (hologram.stock_claimed if setup.claimed else hologram.stock)(pool_of(setup.sims))
    if setup.off:
        for sim in source.fleet:
            sim.status = SimStatus.DISABLED
        for iccid in pool_of(setup.sims):
            hologram.add_attach(iccid, hologram.now - timedelta(days=1))
    rehearsal = _Watched(source, hologram, carrier=setup.source)
    print(json.dumps(rehearsal.environment()), flush=True)
    rehearsal.run()


if __name__ == "__main__":
    _serve(Setup(**json.loads(sys.argv[1])))
