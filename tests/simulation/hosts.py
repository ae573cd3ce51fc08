"""`python -m tests.simulation.hosts --runs 10 --seed 1`: `migrator work` on several hosts, and trouble.

Each host is a network namespace. Some lose their power, some stand still for longer than their lease, some lose the
network to the database and get it back; the server is restarted and killed; the hosts' clocks are ten minutes apart.
The carriers' ledgers judge.
"""

import argparse
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from migrator.core.run.results import ExitCode
from tests.server import MISSING, Server, made, running, sql
from tests.simulation.host import DATABASE_NET, NO_HOSTS, Host, can_have_hosts
from tests.simulation.takeovers import QUICK, SETTINGS, SETUP, Tenant, Watched, carriers_of

__all__ = ["Weather", "live_on_hosts", "main"]

TROUBLE_S = 150.0
PATIENCE_S = 1500.0
LOOK_S = 0.05
LEASE_S = 5.0
APART_S = 600.0
PORT = 5432


SERVER = {**SETTINGS, "listen_addresses": "*", "max_connections": "100"}


class Wanted(NamedTuple):
    """Size of a run."""

    accounts: int = 12
    sims: int = 100
    hosts: int = 4
    slots: int = 3


class OnHosts(Tenant):
    """An account whose plan is ordered by the register, and carried out by workers."""

    def register(self) -> None:
        """Register it, with the settings that belong to it."""
        told = self.carriers.environment()
        bound = ("--onence-client-id", told["ONENCE_CLIENT_ID"], "--hologram-org", told["HOLOGRAM_ORG_ID"])
        self.run("fleet", "add", self.name, *bound)

    def order(self) -> None:
        """Let the workers have its plan."""
        with self.store() as store:
            plan_id = store.plans.newest() or ""
        self.run("fleet", "go", self.name, "--plan", plan_id, "--confirm", str(self.claims))


@dataclass
class Weather:
    """One run: the accounts, the hosts, and what happens to them."""

    server: Server
    chance: random.Random
    tenants: list[OnHosts]
    hosts: list[Host]
    settings: dict[str, str]
    met: Counter[str] = field(default_factory=Counter)
    story: list[str] = field(default_factory=list)
    back_at: dict[int, float] = field(default_factory=dict)
    died_at: list[tuple[float, str]] = field(default_factory=list)

    def live(self) -> None:
        """Bring every account to its end, with trouble on the way."""
        began_s = time.monotonic()
        next_s = began_s + 3
        while not self._are_done():
            now_s = time.monotonic()
            assert now_s < began_s + PATIENCE_S, f"no end: {self._states()}"
            self._look_after_hosts(now_s)
            if next_s <= now_s < began_s + TROUBLE_S:
                self._happen(now_s)
                next_s = now_s + self.chance.uniform(0.5, 4.0)
            time.sleep(LOOK_S)
        self.story.append(f"{time.monotonic():.3f} all done")

    def _states(self) -> list[tuple[object, ...]]:
        return sql(self.server.url(), "SELECT name, state, words FROM fleet.accounts ORDER BY name")

    def _are_done(self) -> bool:
        states = self._states()
        stuck = [row for row in states if row[1] == "attention"]
        assert not stuck, stuck
        return all(row[1] == "done" for row in states)

    def _note(self, what: str, who: str = "") -> None:
        self.met[what] += 1
        self.story.append(f"{time.monotonic():.3f} {what} {who}")

    def _look_after_hosts(self, now_s: float) -> None:
        for host in self.hosts:
            if host.number in self.back_at and now_s >= self.back_at[host.number]:
                del self.back_at[host.number]
                self._back(host)
            code = None if host.worker is None else host.worker.poll()
            if code is not None:
                assert code == ExitCode.RESUMABLE, f"the worker of {host.name} ended with {code}: {host.said()}"
                self._note("began without a database", host.name)
                host.start()  # as its service does

    def _back(self, host: Host) -> None:
        if host.is_frozen:
            self._note("thawed", host.name)
            host.thaw()
        if host.is_cut:
            self._note("healed", host.name)
            host.heal()
        if host.worker is None:
            self._note("started again", host.name)
            host.start()

    def _happen(self, now_s: float) -> None:
        """Let one thing happen. One host at least is left alone."""
        well = [host for host in self.hosts if host.number not in self.back_at]
        what = self.chance.choices(["kill", "freeze", "cut", "drain", "server"], [5, 3, 3, 1, 2])[0]
        if what == "server":
            self._server()
            return
        if len(well) < 2:
            return
        host = self.chance.choice(well)
        self._note(what, host.name)
        if what == "kill":
            host.kill()
            self.died_at.append((time.monotonic(), host.name))
        elif what == "drain":
            code = host.drain()
            assert code in {0, 130}, f"drained with {code}: {host.said()}"
            host.kill()
        elif what == "freeze":
            host.freeze()
        else:
            host.cut()
        self.back_at[host.number] = now_s + self.chance.uniform(LEASE_S * 0.5, LEASE_S * 4)

    def _server(self) -> None:
        what = self.chance.choice(["fast", "immediate"])
        self._note(f"server {what}")
        self.server.stop(signal.SIGINT if what == "fast" else signal.SIGQUIT)
        time.sleep(self.chance.uniform(0.0, 1.0))
        self.server.start(**self.settings)

    def check(self) -> None:
        """Compare the carriers' ledgers with the stores, and see that no job wrote after another had its account."""
        for tenant in self.tenants:
            tenant.check()
            writes = [one for one in tenant.carriers.asked if one.method != "GET" and one.sender != SETUP]
            turns = [sender for sender, _ in groupby(writes, key=lambda one: one.sender)]
            again = [sender for sender, times in Counter(turns).items() if times > 1]
            assert not again, f"{tenant.name}: {again} wrote though replaced"
            self.met["jobs that wrote"] += len(turns)
            self.met["SIMs charged once"] += tenant.claims


def reachable(carriers: Watched) -> Watched:
    """Let hosts reach the carriers, too."""
    carriers._socket.close()
    carriers._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    carriers._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    carriers._socket.bind(("", carriers.port))
    return carriers


def live_on_hosts(server: Server, seed: int, folder: Path, wanted: Wanted) -> Counter[str]:
    """Live through one run. Returns: what happened in it, by kind."""
    chance = random.Random(f"hosts {seed}")
    with ExitStack() as stack:
        tenants: list[OnHosts] = []
        sql(server.url(), "DROP SCHEMA IF EXISTS fleet CASCADE", "DROP SCHEMA IF EXISTS queue CASCADE")
        for number in range(wanted.accounts):
            name = f"s{seed}_{number}"
            (folder / name).mkdir()
            carriers = reachable(carriers_of(seed * 100 + number, wanted.sims))
            stack.enter_context(carriers.running())
            tenants.append(OnHosts(name, folder / name, carriers, server.url()))
            if not number:
                tenants[-1].run("fleet", "init")
            tenants[-1].register()
            tenants[-1].plan(wanted.sims)
            tenants[-1].order()
        hosts = [
            stack.enter_context(
                Host(number, folder / f"host{number}", wanted.slots, chance.choice((-APART_S, 0.0, APART_S)), LEASE_S)
            )
            for number in range(1, wanted.hosts + 1)
        ]
        weather = Weather(server, chance, tenants, hosts, SERVER)
        try:
            for host in hosts:
                host.environment = environment_of(host, tenants)
                host.start()
            weather.live()
            weather.check()
        finally:
            asked = [
                f"{one.at_s:.3f} {one.sender} {one.method} {one.path}"
                for each in tenants
                for one in each.carriers.asked
            ]
            (folder / "story.txt").write_text("\n".join(sorted([*weather.story, *asked])))
    return weather.met


def environment_of(host: Host, tenants: list[OnHosts]) -> dict[str, str]:
    """What a host knows of database and carriers."""
    carriers = {name: value for tenant in tenants for name, value in tenant.environment().items()}
    there = {name: value.replace("//127.0.0.1:", f"//{host.carriers_host}:") for name, value in carriers.items()}
    return {**there, **QUICK, "MIGRATOR_STATE": f"postgresql://owner@{host.database_host}:{PORT}/postgres"}


def main() -> None:
    """Live through as many runs as are asked for, and print what came of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1, help="of the first run")
    for name, value in Wanted._field_defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    if running() is None:
        sys.exit(MISSING)
    if not can_have_hosts():
        sys.exit(NO_HOSTS)
    with made(PORT, **SERVER) as server:
        with (server.folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {DATABASE_NET}.0.0/16 trust\n")
        sql(server.url(), "SELECT pg_reload_conf()")
        wanted = Wanted(*(getattr(asked, name) for name in Wanted._fields))
        for seed in range(asked.seed, asked.seed + asked.runs):
            began, folder = time.perf_counter(), Path(tempfile.mkdtemp(prefix="migrator-hosts-"))
            try:
                met = live_on_hosts(server, seed, folder, wanted)
            except AssertionError as error:
                sys.exit(f"seed {seed}: {error}\n  everything is in {folder}")
            shutil.rmtree(folder)
            told = ", ".join(f"{times} x {what}" for what, times in sorted(met.items()))
            print(f"seed {seed}: {told}; {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
