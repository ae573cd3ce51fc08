"""A desk to work at: an empty folder, both carriers, and the command line."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour, HologramSimulator
from migrator.carriers.onence.simulator import OnenceBehaviour, OnenceSimulator
from migrator.carriers.simulation import InProcessTransport
from migrator.cli.app.root import run
from migrator.wiring import proxies
from migrator.wiring.rehearsal.rehearsal import Rehearsal, pool_of
from migrator.wiring.simulated import Simulated
from migrator.wiring.sources import REGISTRY

EPOCH = datetime(2026, 11, 20, tzinfo=UTC)
"""When it is at the carriers, unless a test is about how long ago things were."""
CAMPAIGN = """
[campaign]
until = 2099-12-31
claims_per_day = 500
claims_total = 50000
spend_per_day = 100000.00
spend_total = 100000.00
"""
"""Bounds of a campaign that holds nothing back."""

POLICY = """\
policy_version = 1
[claim]
data_plan_id = 2096
zone = "global"
[status]
disabled = "pause"
[[waves]]
name = "canary"
count = 3
[[waves]]
name = "rest"
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        document: dict[str, Any] = json.loads(self.out)
        return document

    @property
    def data(self) -> dict[str, Any]:
        """The envelope's data."""
        data: dict[str, Any] = self.document["data"]
        return data


@dataclass(slots=True)
class Desk:
    """Runs commands in one folder against one pair of simulated carriers."""

    folder: Path
    rehearsal: Rehearsal
    read: Callable[[], tuple[str, str]]
    sims: int

    def run(self, *words: str) -> Ended:
        """Run one command."""
        code = run(words)
        out, err = self.read()
        assert "Traceback" not in err
        return Ended(code, out, err)

    def json(self, *words: str) -> Ended:
        """Run one command with --json."""
        return self.run("--json", *words)

    def write(self, name: str, text: str) -> str:
        """Write a file into the folder. Returns: its name."""
        (self.folder / name).write_text(text, encoding="utf-8")
        return name

    def pool(self) -> str:
        """A file of as many new SIMs as there are old ones, all in Hologram's inventory."""
        iccids = pool_of(self.sims)
        if not self.rehearsal.hologram.sims:
            self.rehearsal.hologram.stock(iccids)
        return self.write("pool.txt", "".join(f"{iccid}\n" for iccid in iccids))

    def paired(self) -> None:
        """Inventory and pairs are there."""
        assert self.run("inventory", "pull").code == 0
        assert self.run("pair", "pool", self.pool()).code == 0

    def planned(self, policy: str = POLICY) -> dict[str, Any]:
        """A plan is there, too. Returns: its data."""
        self.paired()
        return self.json("plan", "create", "--policy", self.write("policy.toml", policy)).data

    def applied(self, policy: str = POLICY) -> dict[str, Any]:
        """And carried out. Returns: the plan's data."""
        plan = self.planned(policy)
        assert self.run("apply", "--confirm", str(plan["claims"])).code == 0
        return plan


def reach_in_process(rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process reach a rehearsal without a connection, and no other process reach it at all."""
    rehearsal._socket.close()
    far, here = proxies.transport_for, f"http://127.0.0.1:{rehearsal.port}/"

    def transport_for(base_url: str) -> httpx.AsyncBaseTransport:
        return InProcessTransport(rehearsal) if base_url.startswith(here) else far(base_url)

    monkeypatch.setattr(proxies, "transport_for", transport_for)


@pytest.fixture
def make_desk(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Callable[..., Desk]]:
    """Make a desk with simulators as they are wanted, in process or, so marked, on loopback."""
    with ExitStack() as stack:

        def make(
            sims: int = 24,
            behaviour: HologramBehaviour | None = None,
            onence: OnenceBehaviour | None = None,
            epoch: datetime = EPOCH,
            source: str = "1nce",
        ) -> Desk:
            quick = behaviour or HologramBehaviour(claim_pending_s=(0, 0), state_pending_s=(0, 0))
            old = REGISTRY[source].simulator(Simulated(seed=5, sims=sims, epoch=epoch))
            if onence is not None:
                old = OnenceSimulator(seed=5, sims=sims, behaviour=onence, epoch=epoch)
            hologram = HologramSimulator(seed=5, behaviour=quick, epoch=epoch)
            rehearsal = Rehearsal(old, hologram, carrier=source)
            if request.node.get_closest_marker("loopback") is not None:
                stack.enter_context(rehearsal.running())
            else:
                reach_in_process(rehearsal, monkeypatch)
            for name, value in rehearsal.environment().items():
                monkeypatch.setenv(name, value)
            return Desk(tmp_path, rehearsal, capfd.readouterr, sims)

        monkeypatch.chdir(tmp_path)
        for name in ("MIGRATOR_STATE", "MIGRATOR_SOURCE", "MIGRATOR_CRASH_AT", "COLUMNS"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("migrator.wiring.START_RPS", 500.0)  # feeling the way up takes seconds of real time
        monkeypatch.setenv("ONENCE_MAX_RPS", "500")
        monkeypatch.setenv("ONOMONDO_MAX_RPS", "500")
        monkeypatch.setenv("HOLOGRAM_MAX_RPS", "500")
        monkeypatch.setattr("migrator.engine.apply.settle._at_work_s", lambda _ctx: 1.0)
        for part in ("apply.converge", "apply.settle", "cutover.cutover"):  # the carriers here are quick
            monkeypatch.setattr(f"migrator.engine.{part}.FIRST_PAUSE_S", 0.2)
        monkeypatch.setenv("MIGRATOR_ABSENT_AFTER_S", "1")
        yield make


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A desk with 24 SIMs and carriers that do as they should."""
    return make_desk()
