"""The small world with cutovers and rollbacks, moved away from Onomondo."""

import json
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar

import httpx

from migrator.carriers.hologram.simulator import HologramSimulator
from migrator.carriers.onomondo.adapter import OnomondoSource
from migrator.carriers.onomondo.simulator import OnomondoSimulator, OnomondoSwitches, SimulatedOnomondoSim
from migrator.carriers.onomondo.simulator.model import made_sim
from migrator.carriers.onomondo.switch import OnomondoSwitch
from migrator.carriers.pacing import Pacer
from migrator.ports import SourcePlatform, SourceSwitch, SourceUsage
from tests.worlds.cutover_world import SwitchWorld
from tests.worlds.world import EPOCH, POLICY

__all__ = ["OnomondoWorld"]

FIXED = '[data_limit]\nbasis = "fixed"\nfixed_mb = 500\n[sms_limit]\nbasis = "fixed"\nfixed = 100\n'
"""No volume is booked at Onomondo that a limit could be made of."""


class WatchedSim(SimulatedOnomondoSim):
    """A SIM whose truth the watchman reads in the words that he knows."""

    @property
    def status(self) -> str:
        """On or off."""
        return "Enabled" if self.activated else "Disabled"


def watched_sim(seed: int, serial: int) -> WatchedSim:
    made = made_sim(seed, serial)
    return WatchedSim(
        made.iccid, made.activated, made.label, made.imei, made.imei_lock, made.tags, silent_from=date.max
    )


@dataclass(slots=True)
class OnomondoWorld(SwitchWorld):
    """A `SwitchWorld` whose old SIMs are Onomondo's."""

    carrier: ClassVar[str] = "onomondo"
    source_url: ClassVar[str] = "https://onomondo.test"
    onomondo_switches: OnomondoSwitches = field(default_factory=OnomondoSwitches)
    policy_text: str = POLICY.replace("[status]", f"{FIXED}[status]")

    def __post_init__(self) -> None:
        sims = [watched_sim(self.seed, serial) for serial in range(self.sims)]
        self.source: Any = OnomondoSimulator(fleet=sims, seed=self.seed, switches=self.onomondo_switches, epoch=EPOCH)
        self.target = HologramSimulator(seed=self.seed, switches=self.switches, epoch=EPOCH)

    def source_at(self, http: httpx.AsyncClient, pacer: Pacer) -> SourcePlatform:
        return OnomondoSource(http, api_key=self.source.api_key, pacer=pacer)

    def switch_at(self, http: httpx.AsyncClient) -> SourceSwitch:
        return OnomondoSwitch(http, api_key=self.source.api_key, pacer=Pacer(self.source_rps))

    def onence(self, http: httpx.AsyncClient) -> SourceUsage:
        return OnomondoSource(http, api_key=self.source.api_key, pacer=Pacer(8.0))

    def _see(self, request: httpx.Request) -> None:
        """An update changes the status alone, and of twenty SIMs at most."""
        if request.method == "GET" or request.url.host != "onomondo.test":
            return
        sims = json.loads(request.content)["sims"]
        assert (request.method, request.url.path) == ("PATCH", "/sims/bulk")
        assert 1 <= len(sims) <= 20
        assert all(set(sim) == {"id", "activated"} for sim in sims)

    def _shown(self, request: httpx.Request, response: httpx.Response) -> None:
        """Answers are looked at by the adapter's own tests."""
