"""`python -m tests.simulation.teams --runs 10 --workers 4`: `migrator work` on several machines, and trouble.

Each worker is a machine of its own, with a clock of its own. Machines die, workers and their processes are killed or
stand still, and the server is restarted, until every account is done. The carriers' ledgers judge. With `--cables` each
machine has a network of its own, whose cable to the database is cut and mended. `--throughput` and `--takeover` measure
instead.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any
from unittest.mock import patch

from migrator import open_site, pair_pool, plan, pull
from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.core.accounts.records import TurnOrder
from migrator.core.accounts.turns import AccountState
from migrator.core.run.results import ExitCode
from migrator.errors import StoreError
from migrator.jobs.schema import make_queue
from migrator.store.register import Account, Register
from migrator.wiring.rehearsal.rehearsal import pool_of
from tests.server import MISSING, Server, made, running
from tests.simulation.cables import NO_CABLES, Cables, can_have_cables, let_in, reachable
from tests.simulation.takeovers import (
    POLICY,
    QUICK,
    SETTINGS,
    TROUBLED,
    Tenant,
    Watched,
    carriers_of,
    fall,
    tell_story,
)

__all__ = ["Team", "live_as_a_team", "main"]

LEASE_S = 5.0
TROUBLE_S = 120.0
LOOK_S = 0.05
CLOCK_OFF_S = 600.0

WORKER = f"""
import ipaddress, os, sys
from datetime import UTC, datetime, timedelta
import migrator.inputs.settings.values as values
import migrator.core.accounts.turns as turns
import migrator.engine.apply.settle as settle
import migrator.jobs.queue as queue
import migrator.store.database.postgresql.database as database
import migrator.wiring as wiring
import migrator.workflows.work.team as team
import migrator.workflows.work.worker as worker
from migrator.store.control.lease import Lease
off = timedelta(seconds=float(os.environ["CLOCK_OFF_S"]))
wiring.SystemClock.now = lambda _clock: datetime.now(UTC) + off
wiring._here = lambda: os.environ["MACHINE"]
wiring.USER_AGENT = os.environ.get("MIGRATOR_ACCOUNT", "worker") + "-" + str(os.getpid())
team.COMMAND[1:] = ["-c", os.environ["WORKER"]]
wiring.START_RPS = 500.0
if os.environ.get("HAS_CABLES"):
    values.LOOPBACK = ipaddress.ip_network("10.78.0.0/16")  # as good as loopback, for http
if os.environ.get("IS_QUICK"):
    wiring.HEARTBEAT_S = 1.0
    Lease.acquire.__kwdefaults__["expiry_s"] = {LEASE_S}
    database._SETTINGS = database._SETTINGS.replace("'30s'", "'2s'")
    settle._at_work_s = lambda _ctx: 2.0
    worker.SWEEP_S, worker.SILENT_S, turns.AGAIN_S, turns.BUSY_S = 0.5, 3.0, 1.0, 1.0
    queue.BEAT_S, queue.POLL_S = 1.0, 0.5
from migrator.cli import main
main()
"""
"""Worker on a machine of its own, and its processes.

Quick ones have leases of a few seconds, and carriers that answer within two.
"""


@dataclass
class Machine:
    """A worker, and what it started."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path
    cables: Cables | None = None
    stopped_at: float | None = None  # by the monotonic clock
    back_at: float = 0.0  # when its cable is mended

    def pids(self) -> list[int]:
        """Its worker and the worker's processes."""
        return [self.process.pid, *children_of(self.process.pid)]

    def send(self, what: signal.Signals) -> None:
        """Signal all of it, its worker first."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, what)


@dataclass
class Team:
    """Accounts, machines, and what happens to them.

    Args:
        server: of the stores.
        chance: what happens, and when.
        tenants: accounts and their carriers, by name.
        folder: for logs.
        workers: how many machines there are.
        slots: of each worker.
        is_quick: whether leases last a few seconds.
        cables: one set for each machine; none where machines share the network of this one.
    """

    server: Server
    chance: random.Random
    tenants: dict[str, Tenant]
    folder: Path
    workers: int
    slots: int
    is_quick: bool = True
    cables: Sequence[Cables] = ()
    machines: list[Machine] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)
    story: list[str] = field(default_factory=list)
    started: int = 0
    woken: dict[str, tuple[str, int]] = field(default_factory=dict)  # account and its number of requests, by sender
    lost: dict[str, tuple[float, int]] = field(default_factory=dict)  # when a machine died at an account
    longest_s: float = 0.0

    def note(self, what: str, who: str = "") -> None:
        """Keep what happened."""
        self.met[what] += 1
        self.story.append(f"{time.monotonic():.3f} {what} {who}")

    def register_all(self) -> None:
        """Make register and queue, and order every plan."""
        url = self.server.url()
        Register.make(url, time.time())
        make_queue(url)
        with Register.open(url) as register:
            for name, tenant in self.tenants.items():
                own = tenant.carriers.environment()
                register.add(
                    name,
                    carrier="1nce",
                    customer=own["ONENCE_CLIENT_ID"],
                    organization=int(own["HOLOGRAM_ORG_ID"]),
                    by="ann",
                )
                with tenant.store() as store:
                    plan = store.plans.newest() or ""
                register.go(name, None, "ann", TurnOrder(plan, tenant.claims))

    def start(self) -> None:
        """Start one more machine."""
        self.started += 1
        name = f"m{self.started}"
        own = {name: value for tenant in self.tenants.values() for name, value in tenant.environment().items()}
        own |= {
            **QUICK,
            "MIGRATOR_STATE": self.server.url(),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "MACHINE": name,
            "WORKER": WORKER,
            "CLOCK_OFF_S": str(self.chance.uniform(-CLOCK_OFF_S, CLOCK_OFF_S) if self.is_quick else 0.0),
            "IS_QUICK": "1" if self.is_quick else "",
        }
        words = [sys.executable, "-c", WORKER, "work", "--slots", str(self.slots), "-v"]
        cables = next((one for one in self.cables if all(one is not each.cables for each in self.machines)), None)
        if cables is not None:
            own, words = cables.environment(own) | {"HAS_CABLES": "1"}, cables.command(words)
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                words,
                env={**os.environ, **own},
                cwd=self.folder,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self.machines.append(Machine(name, process, log, cables))

    def live(self, *, most_s: float, trouble_s: float) -> float:
        """Let the workers do all, with trouble on the way. Returns: the seconds."""
        began_s, next_s, looked_s = time.monotonic(), 0.0, 0.0
        try:
            while True:
                assert time.monotonic() < began_s + most_s, f"no end: {self._left()}"
                for machine in list(self.machines):
                    self._look_after(machine)
                while len(self.machines) < self.workers:
                    self.start()
                self._measure()
                if looked_s + 0.5 < time.monotonic():
                    looked_s = time.monotonic()
                    if self._left() == []:
                        return time.monotonic() - began_s
                if trouble_s and next_s <= time.monotonic() < began_s + trouble_s:
                    self._happen()
                    next_s = time.monotonic() + self.chance.uniform(1.0, 5.0)
                time.sleep(LOOK_S)
        finally:
            self._end()

    def accounts(self) -> list[Account]:
        """All accounts, as the register has them."""
        for _ in range(200):
            with suppress(StoreError), Register.open(self.server.url(), writable=False) as register:
                return register.accounts()
            time.sleep(LOOK_S)
        raise AssertionError("the server does not answer")

    def _left(self) -> list[str]:
        """Accounts that are not done. Nobody may be left to a person."""
        accounts = self.accounts()
        for one in accounts:
            assert one.turn.state is not AccountState.ATTENTION, f"{one.name}: {one.turn.words}"
        return [one.name for one in accounts if one.turn.state is not AccountState.DONE or one.worker is not None]

    def _end(self) -> None:
        """Drain the machines that are left."""
        for machine in self.machines:
            machine.send(signal.SIGCONT)
            machine.process.send_signal(signal.SIGTERM)
        for machine in self.machines:
            try:
                code = machine.process.wait(30)
            except subprocess.TimeoutExpired:
                machine.send(signal.SIGKILL)
                code = machine.process.wait()
            self.note(f"worker ended with {code}", machine.name)

    def _look_after(self, machine: Machine) -> None:
        if machine.cables is not None and machine.cables.is_cut and time.monotonic() > machine.back_at:
            self.note("cable mended", machine.name)
            self._judge_from_now()
            machine.cables.heal()
        if machine.process.poll() is not None:
            self.machines.remove(machine)
            self.note(f"worker exit {machine.process.returncode}", machine.name)
            expected = {-signal.SIGKILL, ExitCode.RESUMABLE} if self.cables else {-signal.SIGKILL}
            assert machine.process.returncode in expected, machine.log.read_text()
            if machine.cables is not None and machine.cables.is_cut:
                machine.cables.heal()
        elif machine.stopped_at is not None and self.chance.random() < LOOK_S / 2:
            stopped_s = time.monotonic() - machine.stopped_at
            if stopped_s > 2 * LEASE_S:
                self._wake(machine)

    def _wake(self, machine: Machine) -> None:
        """Wake a machine."""
        machine.stopped_at = None
        self._judge_from_now()
        self.note("woken", machine.name)
        machine.send(signal.SIGCONT)

    def _judge_from_now(self) -> None:
        """From now on no process that was away writes to an account that others took over."""
        fences = {account: self.tenants[account].fence() for account, _ in self.woken.values()}
        for sender, (account, fence) in list(self.woken.items()):
            if fence < 0:
                continue  # of another machine, and judged already
            if fences[account] > fence:
                self.woken[sender] = account, -1 - len(self.tenants[account].carriers.asked)
                self.note("woken after another took over", sender)
            else:
                del self.woken[sender]

    def _measure(self) -> None:
        """Look how long an account of a machine that died waited for the next request."""
        for account, (since, known) in list(self.lost.items()):
            if len(self.tenants[account].carriers.asked) > known:
                asked_at = self.tenants[account].carriers.asked[known].at_s
                self.longest_s = max(self.longest_s, asked_at - since)
                self.story.append(f"{asked_at:.3f} {account} taken over after {asked_at - since:.1f} s")
                del self.lost[account]

    def _happen(self) -> None:
        """Let one thing happen."""
        there = [machine for machine in self.machines if machine.stopped_at is None]
        kinds = {"machine": 3, "worker": 2, "process": 3, "stop": 3, "server": 1, "nothing": 2}
        if self.cables:
            kinds |= {"cut": 3}
        what = self.chance.choices(list(kinds), list(kinds.values()))[0]
        if what == "server":
            fall(self.server, self.chance, ON_CABLES if self.cables else SERVER, self.note)
        elif there and what != "nothing":
            machine = self.chance.choice(there)
            children = children_of(machine.process.pid)
            self.note(f"{what} with {min(len(children), 1)} or more at work", machine.name)
            if what == "machine":
                self.kill(machine)
            elif what == "worker":
                machine.process.kill()
            elif what == "stop":
                self._stop(machine)
            elif what == "cut":
                self._cut(machine)
            elif children:
                with suppress(ProcessLookupError):
                    os.kill(self.chance.choice(children), signal.SIGKILL)

    def kill(self, machine: Machine) -> None:
        """Let a machine die: all of it, at once."""
        at_work = {account for account, _ in senders_of(machine)}
        machine.send(signal.SIGSTOP)  # else its processes would hear of the worker's end
        machine.send(signal.SIGKILL)
        now = time.monotonic()
        self.lost |= {one: (now, len(self.tenants[one].carriers.asked)) for one in at_work if one not in self.lost}

    def _cut(self, machine: Machine) -> None:
        assert machine.cables is not None
        machine.cables.cut()
        machine.back_at = time.monotonic() + self.chance.uniform(LEASE_S / 2, 4 * LEASE_S)
        self._remember(machine)

    def _stop(self, machine: Machine) -> None:
        machine.send(signal.SIGSTOP)
        machine.stopped_at = time.monotonic()
        self._remember(machine)

    def _remember(self, machine: Machine) -> None:
        """Note what its processes are at, so that it can be told whether others took over.

        One that has not got the lease yet replaces others later, and may write then.
        """
        for account, sender in senders_of(machine):
            if self.tenants[account].held_by() == sender:
                self.woken[sender] = account, self.tenants[account].fence()

    def check(self, *, audit: bool = True) -> None:
        """Compare the carriers' ledgers with the stores."""
        for tenant in self.tenants.values():
            tenant.check(audit=audit)
        for sender, (account, number) in self.woken.items():
            if number < 0:
                asked = self.tenants[account].carriers.asked[-1 - number :]
                later = [one for one in asked if one.sender == sender and one.method != "GET"]
                assert not later, f"{sender} wrote though replaced: {later}"
        for name, tenant in self.tenants.items():
            writes = (one.sender for one in tenant.carriers.asked if one.method != "GET")
            turns = Counter(sender for sender, _ in groupby(writes))
            again = [sender for sender, times in turns.items() if times > 1]
            assert not again, f"{name}: {again} wrote after another job did"


SERVER = {**SETTINGS, "max_connections": "150"}
ON_CABLES = {**SERVER, "listen_addresses": "*"}


def children_of(pid: int) -> list[int]:
    """Processes that a process started."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            state, parent = place.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found.append(int(place.parent.name))
    return found


def senders_of(machine: Machine) -> Iterator[tuple[str, str]]:
    """Account and name of each process at work on a machine, as it tells the carriers."""
    for pid in children_of(machine.process.pid):
        with suppress(OSError, KeyError):
            words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            account = dict(one.split(b"=", 1) for one in words if b"=" in one)[b"MIGRATOR_ACCOUNT"].decode()
            yield account, f"{account}-{pid}"


@contextmanager
def running_carriers(
    customer: str, seed: int, sims: int, behaviour: HologramBehaviour, *, has_cables: bool = False
) -> Iterator[Watched]:
    """Both carriers of one account, on loopback, and by cable if there are any."""
    carriers = carriers_of(seed, sims, behaviour)
    source = carriers.onence
    source.client_id = source._tokens.client_id = f"81{seed:08d}_{customer}"  # a rate that is shared with nobody
    if has_cables:
        reachable(carriers)
    with carriers.running():
        yield carriers


def _plan(tenant: Tenant, sims: int) -> None:
    """Pull, pair and plan, as the commands do, in this process."""
    (tenant.folder / "pool.txt").write_text("".join(f"{iccid}\n" for iccid in pool_of(sims)))
    (tenant.folder / "policy.toml").write_text(POLICY)
    with patch.dict(os.environ, tenant.environment()), open_site(tenant.url, account=tenant.name, create=True) as site:
        pull(site)
        pair_pool(site, tenant.folder / "pool.txt")
        tenant.claims = plan(site, tenant.folder / "policy.toml").claims


SLOW = HologramBehaviour(claim_pending_s=(4.0, 4.0), latency_s=0.4)


@contextmanager
def team_of(
    server: Server,
    seed: int,
    folder: Path,
    *,
    accounts: int,
    sims: Sequence[int],
    workers: int,
    slots: int,
    behaviour: HologramBehaviour = TROUBLED,
    is_quick: bool = True,
    has_cables: bool = False,
    is_alike: bool = False,
) -> Iterator[Team]:
    """A team whose plans are ordered, and whose workers were not started yet; all accounts may have the same to do."""
    chance = random.Random(f"teams {seed}")
    with ExitStack() as stack:
        tenants: dict[str, Tenant] = {}
        for number in range(accounts):
            name, count = f"t{seed}_{number}", chance.randint(sims[0], sims[-1])
            (folder / name).mkdir()
            own = seed * 100 + (0 if is_alike else number)
            made_here = running_carriers(name, own, count, behaviour, has_cables=has_cables)
            carriers = stack.enter_context(made_here)
            tenants[name] = Tenant(name, folder / name, carriers, server.url())
            _plan(tenants[name], count)
        cables = [stack.enter_context(Cables(number + 1)) for number in range(workers if has_cables else 0)]
        team = Team(server, chance, tenants, folder, workers, slots, is_quick, cables)
        team.register_all()
        yield team


def live_as_a_team(
    server: Server,
    seed: int,
    folder: Path,
    *,
    accounts: int,
    sims: Sequence[int],
    workers: int,
    has_cables: bool = False,
) -> Team:
    """Live through one run with trouble. Returns: what happened in it."""
    wanted: dict[str, Any] = {"accounts": accounts, "sims": sims, "workers": workers, "has_cables": has_cables}
    with team_of(server, seed, folder, slots=1 + accounts // workers, **wanted) as team:
        try:
            team.live(most_s=1800.0, trouble_s=TROUBLE_S)
            team.check()
        finally:
            tell_story(folder, team.story, team.tenants.values())
        team.met["charged once"] += sum(tenant.claims for tenant in team.tenants.values())
        return team


def throughput(folder: Path, accounts: int, sims: int) -> None:
    """Compare one worker with four; the carriers are slow, as they are."""
    seconds = {}
    for workers in (4, 1):
        place = folder / str(workers)
        place.mkdir()
        asked: dict[str, Any] = {"accounts": accounts, "sims": [sims], "workers": workers, "slots": 1}
        with (
            made(5432, **SERVER) as server,
            team_of(server, 1, place, **asked, behaviour=SLOW, is_quick=False, is_alike=True) as team,
        ):
            seconds[workers] = team.live(most_s=3600.0, trouble_s=0.0)
            team.check(audit=False)
        load = os.getloadavg()[0]
        print(
            f"{workers} workers, {accounts} accounts of {sims} SIMs: {seconds[workers]:.1f} s, load {load}", flush=True
        )
    print(f"4 workers are {seconds[1] / seconds[4]:.2f} times as fast as one")


def takeover(server: Server, folder: Path, seed: int) -> None:
    """Let a machine die at work, with leases as long as they are, and tell how long its account waits."""
    asked: dict[str, Any] = {
        "accounts": 1,
        "sims": [24],
        "workers": 1,
        "slots": 1,
        "behaviour": SLOW,
        "is_quick": False,
    }
    with team_of(server, seed, folder, **asked) as team:
        (tenant,) = team.tenants.values()
        before = tenant.fence()
        team.start()
        (dies,) = team.machines
        while tenant.fence() == before:  # it does not hold the account yet
            time.sleep(LOOK_S)
        team.start()
        time.sleep(team.chance.uniform(3.0, 13.0))  # it beats every ten seconds
        team.kill(dies)
        team.live(most_s=600.0, trouble_s=0.0)
        team.check()
    print(f"seed {seed}: taken over {team.longest_s:.1f} s after the machine died", flush=True)


def main() -> None:
    """Live through as many runs as are asked for, and print what came of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1, help="of the first run")
    parser.add_argument("--accounts", type=int, default=12)
    parser.add_argument("--sims", type=int, nargs="+", default=[40, 60], help="least and most of an account")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--cables", action="store_true", help="networks of their own, as root on Linux")
    parser.add_argument("--throughput", action="store_true", help="one worker against four")
    parser.add_argument("--takeover", action="store_true", help="how long the account of a dead machine waits")
    asked = parser.parse_args()
    if running() is None:
        sys.exit(MISSING)
    if asked.cables and not can_have_cables():
        sys.exit(NO_CABLES)
    for seed in range(asked.seed, asked.seed + asked.runs):
        began, folder = time.perf_counter(), Path(tempfile.mkdtemp(prefix="migrator-teams-"))
        if asked.throughput:
            throughput(folder, asked.accounts, asked.sims[0])
            continue
        with made(5432, **(ON_CABLES if asked.cables else SERVER)) as server:
            if asked.cables:
                let_in(server)
            if asked.takeover:
                takeover(server, folder, seed)
                continue
            try:
                team = live_as_a_team(
                    server,
                    seed,
                    folder,
                    accounts=asked.accounts,
                    sims=asked.sims,
                    workers=asked.workers,
                    has_cables=asked.cables,
                )
            except AssertionError as error:
                sys.exit(f"seed {seed}: {error}\n  everything is in {folder}")
        shutil.rmtree(folder)
        told = ", ".join(f"{times} x {what}" for what, times in sorted(team.met.items()))
        longest = f"taken over within {team.longest_s:.1f} s"
        print(f"seed {seed}: {told}; {longest}; {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
