"""A host for workers: a network namespace with one cable to the database and one to the carriers, and a clock.

It takes Linux, root and `ip`. Nothing here touches a network outside of the machine.
"""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

__all__ = ["DATABASE_NET", "NO_HOSTS", "Host", "can_have_hosts"]

NO_HOSTS = "no hosts here: they take Linux, root, and `ip netns`"
DATABASE_NET, CARRIERS_NET = "10.77", "10.78"
PATIENCE_S = 30.0

AT_START = """
import ipaddress, os, time
import migrator.inputs.settings.values as values
import migrator.wiring as wiring
import migrator.engine.apply.settle as settle
import migrator.store.database.postgresql.database as database
from datetime import timedelta
from migrator.store.control.lease import Lease

values.LOOPBACK = ipaddress.ip_network("10.78.0.0/16")
ahead_s, real, real_now = float(os.environ["HOST_AHEAD_S"]), time.time, wiring.SystemClock.now
time.time = lambda: real() + ahead_s
wiring.SystemClock.now = lambda self: real_now(self) + timedelta(seconds=ahead_s)
wiring.USER_AGENT = f"{os.environ['HOST_NAME']}/{os.getpid()}"
wiring.START_RPS = 500.0
if lease_s := float(os.environ["HOST_LEASE_S"]):
    wiring.HEARTBEAT_S = lease_s / 5
    Lease.acquire.__kwdefaults__["expiry_s"] = lease_s
    database._SETTINGS = database._SETTINGS.replace("'30s'", "'2s'")
    settle._at_work_s = lambda _ctx: 2.0
"""
"""What each process of a host does first.

Its clock goes wrong, it tells the carriers who it is, and its lease is as short as is wanted.
"""


def can_have_hosts() -> bool:
    """True if this machine can have hosts."""
    if os.getuid() or shutil.which("ip") is None:
        return False
    made = subprocess.run(["ip", "netns", "add", "mg-try"], capture_output=True, check=False)
    if made.returncode:
        return False
    _ip("netns", "del", "mg-try")
    return True


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, check=True, text=True, timeout=PATIENCE_S)
    return done.stdout


@dataclass
class Host:
    """A host and the worker on it.

    Args:
        number: 1 to 200, part of its addresses.
        folder: where its files lie.
        slots: jobs that its worker takes at a time.
        ahead_s: how far its clock is ahead of the right time; below zero behind.
        lease_s: how long its leases last; 0 as in earnest.
    """

    number: int
    folder: Path
    slots: int = 4
    ahead_s: float = 0.0
    lease_s: float = 5.0
    worker: "subprocess.Popen[bytes] | None" = None
    starts: int = 0
    is_frozen: bool = False
    is_cut: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name, also that of its network."""
        return f"mg-{self.number}"

    @property
    def database_host(self) -> str:
        """Address of this machine by the cable to the database."""
        return f"{DATABASE_NET}.{self.number}.1"

    @property
    def carriers_host(self) -> str:
        """Address of this machine by the cable to the carriers."""
        return f"{CARRIERS_NET}.{self.number}.1"

    def __enter__(self) -> Self:
        self.folder.mkdir()
        early = self.folder / "early"
        early.mkdir()
        (early / "sitecustomize.py").write_text(AT_START)
        _ip("netns", "add", self.name)
        for kind, net in (("d", DATABASE_NET), ("c", CARRIERS_NET)):
            here, there = f"mg{kind}{self.number}", f"{kind}0"
            _ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", self.name)
            _ip("addr", "add", f"{net}.{self.number}.1/24", "dev", here)
            _ip("link", "set", here, "up")
            _ip("-n", self.name, "addr", "add", f"{net}.{self.number}.2/24", "dev", there)
            _ip("-n", self.name, "link", "set", there, "up")
        _ip("-n", self.name, "link", "set", "lo", "up")
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()
        for kind in "dc":
            _ip("link", "del", f"mg{kind}{self.number}")
        _ip("netns", "del", self.name)

    def start(self) -> None:
        """Start the worker."""
        self.starts += 1
        own = {
            "PYTHONPATH": f"{self.folder / 'early'}:{Path(__file__).parents[2]}",
            "HOST_NAME": self.name,
            "HOST_AHEAD_S": str(self.ahead_s),
            "HOST_LEASE_S": str(self.lease_s),
        }
        with (self.folder / f"worker-{self.starts}.log").open("wb") as out:
            self.worker = subprocess.Popen(
                [
                    "ip",
                    "netns",
                    "exec",
                    self.name,
                    sys.executable,
                    "-m",
                    "migrator",
                    "--no-input",
                    "work",
                    "--slots",
                    str(self.slots),
                ],
                env={**os.environ, **self.environment, **own},
                cwd=self.folder,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        """What its newest worker said."""
        return (self.folder / f"worker-{self.starts}.log").read_text(errors="replace")

    def _pids(self) -> list[int]:
        return [int(pid) for pid in _ip("netns", "pids", self.name).split()]

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._pids():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def kill(self) -> None:
        """End all of its processes at once, as a power cut does."""
        while self._pids():
            self._signal(signal.SIGKILL)
        if self.worker is not None:
            self.worker.wait(PATIENCE_S)
        self.worker, self.is_frozen = None, False

    def drain(self) -> int:
        """Ask the worker to end in good order. Returns: its exit code."""
        assert self.worker is not None
        self.worker.send_signal(signal.SIGTERM)
        return self.worker.wait(PATIENCE_S)

    def freeze(self) -> None:
        """Let all of its processes stand still, as a machine that swaps or migrates does."""
        self._signal(signal.SIGSTOP)
        self.is_frozen = True

    def thaw(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)
        self.is_frozen = False

    def cut(self) -> None:
        """Cut the cable to the database: packets are lost, and nobody is told."""
        _ip("link", "set", f"mgd{self.number}", "down")
        self.is_cut = True

    def heal(self) -> None:
        """Mend the cable."""
        _ip("link", "set", f"mgd{self.number}", "up")
        self.is_cut = False
