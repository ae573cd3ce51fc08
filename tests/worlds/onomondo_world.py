"""The small world with cutovers and rollbacks, moved away from Onomondo."""

import json
import random
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import httpx

from migrator.carriers.hologram.simulator import HologramBehaviour, HologramSimulator
from migrator.carriers.onomondo import wire
from migrator.carriers.onomondo.adapter import OnomondoSource
from migrator.carriers.onomondo.control import OnomondoControl
from migrator.carriers.onomondo.simulator import (
    AboveLargestLimit,
    BulkLine,
    KeyForm,
    LastToken,
    OnomondoBehaviour,
    OnomondoSimulator,
    SimulatedOnomondoSim,
    TokenPlace,
)
from migrator.carriers.onomondo.simulator.model import made_sim
from migrator.carriers.pacing import Pacer
from migrator.carriers.simulation import RateLimit
from migrator.core.fleet.sims import SourceSim
from migrator.core.run.results import PullResult
from migrator.engine.cutover.context import CutoverOptions
from migrator.ports import SourceControl, SourcePlatform, SourceUsage
from migrator.store.inventory.source import keep_source
from tests.worlds.cutover_world import CutoverWorld
from tests.worlds.odd_labels import Oddities
from tests.worlds.world import EPOCH, POLICY

__all__ = ["FIXED", "OWN_WORDS", "OnomondoWorld", "drawn_behaviour", "of_onomondo"]

FIXED = '[data_limit]\nbasis = "fixed"\nfixed_mb = 500\n[sms_limit]\nbasis = "fixed"\nfixed = 100\n'
"""No volume is booked at Onomondo that a limit could be made of."""
OWN_WORDS = 'tag = "from-onomondo"\n[name]\nwhen_missing = "onomondo-{source_iccid}"\n'
"""What a policy must say in `[claim]` and behind it, as the defaults speak of 1NCE."""


class WatchedSim(SimulatedOnomondoSim):
    """A SIM whose truth the watchman reads in the words that he knows."""

    @property
    def status(self) -> str:
        """On or off."""
        return "Enabled" if self.activated else "Disabled"

    @status.setter
    def status(self, status: str) -> None:
        self.activated = status == "Enabled"


def watched_sim(seed: int, serial: int) -> WatchedSim:
    made = made_sim(seed, serial)
    return WatchedSim(
        made.iccid, made.activated, made.label, made.imei, made.imei_lock, made.tags, silent_from=date.max
    )


@dataclass(slots=True)
class OnomondoWorld(CutoverWorld):
    """A `CutoverWorld` whose old SIMs are Onomondo's."""

    carrier: ClassVar[str] = "onomondo"
    source_url: ClassVar[str] = "https://onomondo.test"
    onomondo_behaviour: OnomondoBehaviour = field(default_factory=OnomondoBehaviour)
    policy_text: str = POLICY.replace("[status]", f"{OWN_WORDS}{FIXED}[status]")

    def __post_init__(self) -> None:
        sims = [watched_sim(self.seed, serial) for serial in range(self.sims)]
        self.source: Any = OnomondoSimulator(fleet=sims, seed=self.seed, behaviour=self.onomondo_behaviour, epoch=EPOCH)
        self.target = HologramSimulator(seed=self.seed, behaviour=self.behaviour, epoch=EPOCH)

    reads_each: bool = False
    """Whether every pull reads of each SIM what the list does not tell, such as its hardware."""

    def pull(self, **asked: Any) -> PullResult:
        """`inventory pull`, after which the store knows whose SIMs these are."""
        result = CutoverWorld.pull(self, **({"quotas": self.reads_each} | asked))
        with self.store() as store, store._db.write() as connection:
            keep_source(connection, "Onomondo")
        return result

    def source_at(self, http: httpx.AsyncClient, pacer: Pacer) -> SourcePlatform:
        return OnomondoSource(http, api_key=self.source.api_key, pacer=pacer)

    def control_at(self, http: httpx.AsyncClient) -> SourceControl:
        return OnomondoControl(http, api_key=self.source.api_key, pacer=Pacer(self.source_rps))

    def onence(self, http: httpx.AsyncClient) -> SourceUsage:
        return OnomondoSource(http, api_key=self.source.api_key, pacer=Pacer(8.0))

    def _see(self, request: httpx.Request) -> None:
        """An update changes the status alone, and of twenty SIMs at most."""
        if request.method != "GET" and request.url.host == "onomondo.test":
            sims = json.loads(request.content)["sims"]
            assert (request.method, request.url.path) == ("PATCH", "/sims/bulk")
            assert 1 <= len(sims) <= 20
            assert all(set(sim) == {"id", "activated"} for sim in sims)
        CutoverWorld._see(self, request)

    def ordered(self, request: httpx.Request) -> list[tuple[str, str]]:
        """The old SIMs of an update, by the ICCIDs of their ids."""
        if request.method != "PATCH":
            return []
        known = {sim.sim_id: sim.iccid for sim in self.source.fleet}
        sims = json.loads(request.content)["sims"]
        return [(known[sim["id"]], "Enabled" if sim["activated"] else "Disabled") for sim in sims]

    def shown_sim(self, body: Any) -> SourceSim | None:
        """The old SIM of which a record tells."""
        return wire.source_row(body).sim

    def tells_labels(self, odd: Oddities) -> Oddities:
        """Leave records as they are: an update does not carry the label, so no label keeps it from its SIM."""
        return Oddities(is_pulled=odd.is_pulled)

    def begins_run(self, chance: random.Random, *, is_calm: bool) -> None:
        """Have bulk answers tell oddly of some SIMs, or not at all; in the end nothing is refused by number any more.

        A unit takes some seven requests, so that one refusal in seven would hold up each look for a quarter of an hour.
        """
        if is_calm:
            self.source.behaviour = replace(self.source.behaviour, too_many_every=None)
        share = 0.0 if is_calm else chance.choice([0.0, 0.1, 0.4])
        odd = {sim.iccid: chance.choice(list(BulkLine)) for sim in self.source.fleet if chance.random() < share}
        self.source.behaviour = replace(self.source.behaviour, bulk_lines=odd, bulk_reversed=chance.random() < 0.3)


def of_onomondo(seed: int, chance: random.Random, folder: Path) -> OnomondoWorld:
    """Draw a world whose old SIMs are Onomondo's."""
    return OnomondoWorld(
        folder,
        sims=chance.choice([*range(4, 14), 24, 30]),  # a request for each day of use: large fleets take long
        seed=seed,
        behaviour=HologramBehaviour(
            state_pending_s=chance.choice([(0.0, 0.0), (5.0, 600.0)]), read_lag_s=chance.choice([0.0, 0.0, 20.0])
        ),
        onomondo_behaviour=drawn_behaviour(chance),
        reads_each=True,
        cutover_options=CutoverOptions(batch=chance.choice([2, 5, 50]), workers=chance.choice([1, 8])),
    )


def drawn_behaviour(chance: random.Random) -> OnomondoBehaviour:
    """Draw the answers to what nobody knows of Onomondo."""
    return OnomondoBehaviour(
        key_form=chance.choice(list(KeyForm)),
        rate_limit=chance.choice([None, RateLimit(10, 10), RateLimit(4, 1)]),
        too_many_every=chance.choice([None, None, 7]),
        latency_s=chance.choice([0.0, 0.15]),
        list_imei=chance.random() < 0.5,
        list_imsi=chance.random() < 0.5,
        list_data_limit=chance.random() < 0.5,
        largest_limit=chance.choice([1000, 3]),
        above_largest_limit=chance.choice(list(AboveLargestLimit)),
        last_token=chance.choice(list(LastToken)),
        token_place=chance.choice(list(TokenPlace)),
        totals_told=chance.random() < 0.7,
        usage_page_rows=chance.choice([100, 1]),
        effect_s=chance.choice([0.0, 5.0, 90.0, 700.0]),
        bulk_refused=chance.random() < 0.3,
    )
