"""`python -m tests.simulation.takeovers --runs 10 --seed 1`: accounts in PostgreSQL, real processes, and trouble.

Two `migrator apply` work on each account, and are started again and again until the plan is done. Meanwhile some are
killed, some are stopped for longer than their lease, and the server is restarted. The carriers' ledgers judge.
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
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import psycopg
from starlette.types import Message, Receive, Scope, Send

from migrator.carriers.hologram.simulator import HologramBehaviour, HologramSimulator
from migrator.store import Store
from migrator.wiring.rehearsal.rehearsal import Rehearsal, pool_of
from migrator.wiring.simulated import Simulated
from migrator.wiring.sources import REGISTRY
from tests.server import MISSING, Server, made, running, sql

__all__ = [
    "POLICY",
    "QUICK",
    "SETTINGS",
    "TROUBLED",
    "Tenant",
    "Trouble",
    "Watched",
    "carriers_of",
    "fall",
    "live_through_takeovers",
    "main",
    "tell_story",
]

LEASE_S = 5.0
TROUBLE_S = 120.0
PATIENCE_S = 600.0
LOOK_S = 0.02
WORKERS = 2
QUICK = {
    "MIGRATOR_ABSENT_AFTER_S": "1",
    "HOLOGRAM_MAX_RPS": "40",
    "ONENCE_MAX_RPS": "500",
    "MIGRATOR_CLAIM_TIMEOUT_S": "30",
    "MIGRATOR_CLAIM_BATCH": "6",
}
"""Settings under which an account is done in a minute."""

AGAIN = {7, 9, -signal.SIGKILL}
"""Exit codes after which the same command is started again."""

WORKER = f"""
import sys
import migrator.engine.apply.settle as settle
import migrator.store.database.postgresql.database as database
import migrator.wiring as wiring
from migrator.store.control.lease import Lease
wiring.START_RPS, wiring.HEARTBEAT_S, wiring.USER_AGENT = 500.0, 1.0, sys.argv.pop(1)
Lease.acquire.__kwdefaults__["expiry_s"] = {LEASE_S}
database._SETTINGS = database._SETTINGS.replace("'30s'", "'2s'")
settle._at_work_s = lambda _ctx: 2.0
from migrator.cli import main
main()
"""
"""Command line whose lease ends after a few seconds, and whose carriers answer within two; it tells who it is."""

POLICY = """\
policy_version = 1
[claim]
data_plan_id = 2096
zone = "global"
[status]
disabled = "pause"
[[waves]]
name = "canary"
count = 5
[[waves]]
name = "rest"
"""


class Asked(NamedTuple):
    """A request that a carrier got."""

    at_s: float
    sender: str
    method: str
    path: str


@dataclass
class Watched(Rehearsal):
    """Both carriers, with the sender of each write in the order in which they came whole."""

    asked: "list[Asked]" = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note who asks as the last byte of the request is here."""

        async def noting() -> Message:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                self._note(scope)
            return message

        if scope["type"] == "http" and scope["method"] == "GET":
            self._note(scope)
            await super().__call__(scope, receive, send)
        else:
            await super().__call__(scope, noting, send)

    def _note(self, scope: Scope) -> None:
        sender = dict(scope["headers"]).get(b"user-agent", b"").decode()
        if scope["path"].startswith("/hologram/api"):
            self.asked.append(Asked(time.monotonic(), sender, scope["method"], scope["path"]))


@dataclass
class Worker:
    """A process at work on an account."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path
    stopped_at: float | None = None  # by the monotonic clock
    fence: int = 0  # of the account as it was stopped
    woken_at: int | None = None  # how much the carrier had been asked as it was woken, if another one had taken over


@dataclass
class Tenant:
    """An account, its carriers and its workers."""

    name: str
    folder: Path
    carriers: Watched
    url: str
    claims: int = 0
    workers: list[Worker] = field(default_factory=list)
    started: int = 0
    is_done: bool = False

    def environment(self) -> dict[str, str]:
        """What leads this account to its carriers."""
        return {f"{name}__{self.name.upper()}": value for name, value in self.carriers.environment().items()}

    def command(self, sender: str, *words: str, log: Path) -> "subprocess.Popen[bytes]":
        """Start a command that tells the carriers who it is."""
        own = {
            **self.environment(),
            **QUICK,
            "MIGRATOR_STATE": self.url,
            "MIGRATOR_ACCOUNT": self.name,
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        with log.open("wb") as out:
            return subprocess.Popen(
                [sys.executable, "-c", WORKER, sender, *words],
                env={**os.environ, **own},
                cwd=self.folder,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def run(self, *words: str) -> None:
        """Run a command to its end, which is a good one."""
        log = self.folder / "command.log"
        assert self.command("setup", *words, log=log).wait(PATIENCE_S) == 0, log.read_text()

    def plan(self, sims: int) -> None:
        """Pull, pair and plan."""
        (self.folder / "pool.txt").write_text("".join(f"{iccid}\n" for iccid in pool_of(sims)))
        (self.folder / "policy.toml").write_text(POLICY)
        for words in ("inventory pull", "pair pool pool.txt", "plan create --policy policy.toml"):
            self.run(*words.split())
        with self.store() as store:
            self.claims = store.plans.header(store.plans.newest() or "").claims

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The account as it is now."""
        with Store.open(self.url, account=self.name, now=datetime.now(UTC).timestamp()) as store:
            yield store

    def check(self, *, audit: bool = True) -> None:
        """Compare the carriers' ledger with the store, and verify its log."""
        hologram = self.carriers.hologram
        charges = hologram.ledger.charges
        assert set(charges.values()) == {1}, f"{self.name}: {charges.most_common(3)}"
        assert len(charges) == self.claims, f"{self.name}: {len(charges)} of {self.claims} claimed"
        assert not hologram.ledger.forbidden
        with self.store() as store:
            plan_id = store.plans.newest() or ""
            verdicts = dict(store.journal.verdicts(plan_id))
            for item in store.journal.items(plan_id):
                shown = hologram.sims[str(item.change.target_iccid)]
                assert (shown.device_id is not None, shown.name) == (True, item.change.name), self.name
        assert verdicts == {"ok": self.claims}, f"{self.name}: {verdicts}"
        if audit:
            self.run("audit", "verify")

    def start(self) -> None:
        """Start one more `apply`."""
        self.started += 1
        name = f"{self.name}-{self.started}"
        log = self.folder / f"{name}.log"
        confirm = ("--confirm", str(self.claims))
        self.workers.append(Worker(name, self.command(name, "apply", *confirm, log=log), log))

    def fence(self) -> int:
        """The number of the account's newest holder."""
        ((value,),) = sql(self.url, f"SELECT value FROM a_{self.name}.meta WHERE name = 'lease_fence'")  # noqa: S608 - our own
        return int(value)

    def held_by(self) -> str:
        """The process that has the account's lease, as it tells the carriers; "" for none."""
        rows = sql(self.url, f"SELECT pid FROM a_{self.name}.lease")  # noqa: S608 - our own
        return f"{self.name}-{rows[0][0]}" if rows else ""

    def holder(self) -> Worker | None:
        """The worker that asked the carrier last, if it is still there and runs."""
        last = self.carriers.asked[-1].sender if self.carriers.asked else ""
        return next((one for one in self.workers if one.name == last and one.stopped_at is None), None)


def fall(server: Server, chance: random.Random, settings: Mapping[str, str], note: Callable[[str], None]) -> None:
    """Let the server be restarted, or crash, or lose one of its processes."""
    what = chance.choice(["fast", "immediate", "backend"])
    note(f"server {what}")
    if what == "backend":
        found = sql(server.url(), "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'migrator %'")
        if found:
            os.kill(chance.choice(found)[0], signal.SIGKILL)
            _wait_for(server)
        return
    server.stop(signal.SIGINT if what == "fast" else signal.SIGQUIT)
    time.sleep(chance.uniform(0.0, 1.0))
    server.start(**settings)


def _wait_for(server: Server) -> None:
    """Wait until the server took back what its killed process may have spoilt."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        with suppress(psycopg.OperationalError):
            sql(server.url(), "SELECT 1")
            return
        time.sleep(LOOK_S)


def tell_story(folder: Path, story: Iterable[str], tenants: Iterable[Tenant]) -> None:
    """Keep what happened and what was asked, in the order of time."""
    asked = [f"{one.at_s:.3f} {one.sender} {one.method} {one.path}" for each in tenants for one in each.carriers.asked]
    (folder / "story.txt").write_text("\n".join(sorted([*story, *asked])))


@dataclass
class Trouble:
    """One run: the accounts, and what happens to them."""

    server: Server
    chance: random.Random
    tenants: list[Tenant]
    settings: dict[str, str]
    met: Counter[str] = field(default_factory=Counter)
    story: list[str] = field(default_factory=list)

    def live(self) -> None:
        """Bring every account to its end, with trouble on the way."""
        began_s, next_s = time.monotonic(), 0.0
        until = began_s + PATIENCE_S
        try:
            while not all(tenant.is_done and not tenant.workers for tenant in self.tenants):
                assert time.monotonic() < until, f"no end: {[t.name for t in self.tenants if not t.is_done]}"
                for tenant in self.tenants:
                    self._look_after(tenant)
                if next_s <= time.monotonic() < began_s + TROUBLE_S:
                    self._happen()
                    next_s = time.monotonic() + self.chance.uniform(0.3, 2.5)
                time.sleep(LOOK_S)
        finally:
            for worker in (worker for tenant in self.tenants for worker in tenant.workers):
                worker.process.kill()
                worker.process.wait()

    def _note(self, what: str, who: str = "") -> None:
        self.met[what] += 1
        self.story.append(f"{time.monotonic():.3f} {what} {who}")

    def _look_after(self, tenant: Tenant) -> None:
        for worker in list(tenant.workers):
            code = worker.process.poll()
            if code is None:
                self._wake(tenant, worker)
                continue
            tenant.workers.remove(worker)
            self._note(f"exit {code}", worker.name)
            assert code == 0 or code in AGAIN, f"{worker.name} ended with {code}: {worker.log.read_text()}"
            tenant.is_done = tenant.is_done or code == 0
            if worker.woken_at is not None:
                later = [one for one in tenant.carriers.asked[worker.woken_at :] if one.sender == worker.name]
                assert all(one.method == "GET" for one in later), f"{worker.name} wrote though replaced: {later}"
        while not tenant.is_done and len(tenant.workers) < WORKERS:
            tenant.start()

    def _wake(self, tenant: Tenant, worker: Worker) -> None:
        """Wake a stopped worker some time after its lease is over, and another one went on, or could not."""
        if worker.stopped_at is None:
            return
        stopped_s = time.monotonic() - worker.stopped_at
        if stopped_s > LEASE_S and self.chance.random() < LOOK_S:
            replaced = tenant.fence() > worker.fence
            if replaced or stopped_s > 4 * LEASE_S:
                worker.stopped_at = None
                worker.woken_at = len(tenant.carriers.asked) if replaced else None
                self._note("woken after another took over" if replaced else "woken", worker.name)
                worker.process.send_signal(signal.SIGCONT)

    def _happen(self) -> None:
        """Let one thing happen."""
        tenant = self.chance.choice(self.tenants)
        holder = tenant.holder()
        what = self.chance.choices(["kill", "stop", "server", "nothing"], [4, 3, 1, 2])[0]
        if tenant.is_done or what == "nothing":
            return
        if what == "server":
            fall(self.server, self.chance, self.settings, self._note)
        elif holder is not None and holder.woken_at is None:
            self._note(what, holder.name)
            if what == "kill":
                holder.process.kill()
            else:
                holder.process.send_signal(signal.SIGSTOP)
                holder.stopped_at, holder.fence = time.monotonic(), tenant.fence()


TROUBLED = HologramBehaviour(claim_pending_s=(0.0, 2.0), state_pending_s=(0.0, 1.0), latency_s=0.03)


def carriers_of(seed: int, sims: int, behaviour: HologramBehaviour = TROUBLED) -> Watched:
    """Both carriers of one account, which do not run yet."""
    now = datetime.now(UTC)
    hologram = HologramSimulator(seed=seed, behaviour=behaviour, epoch=now)
    hologram.stock(pool_of(sims))
    return Watched(REGISTRY["1nce"].simulator(Simulated(seed=seed, sims=sims, epoch=now)), hologram)


def live_through_takeovers(server: Server, seed: int, folder: Path, accounts: int = 3) -> Counter[str]:
    """Live through one run. Returns: what happened in it, by kind."""
    chance = random.Random(f"takeovers {seed}")
    with ExitStack() as stack:
        tenants = []
        for number in range(accounts):
            name, sims = f"s{seed}_{number}", chance.randint(60, 100)
            (folder / name).mkdir()
            carriers = carriers_of(seed * 100 + number, sims)
            stack.enter_context(carriers.running())
            tenants.append(Tenant(name, folder / name, carriers, server.url()))
            tenants[-1].plan(sims)
        trouble = Trouble(server, chance, tenants, SETTINGS)
        try:
            trouble.live()
            for tenant in tenants:
                tenant.check()
        finally:
            tell_story(folder, trouble.story, tenants)
        trouble.met["charged once"] += sum(tenant.claims for tenant in tenants)
    return trouble.met


SETTINGS = {"full_page_writes": "on", "autovacuum": "on"}


def main() -> None:
    """Live through as many runs as are asked for, and print what came of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1, help="of the first run")
    parser.add_argument("--accounts", type=int, default=3)
    asked = parser.parse_args()
    if running() is None:
        sys.exit(MISSING)
    with made(5432, **SETTINGS) as server:
        for seed in range(asked.seed, asked.seed + asked.runs):
            began, folder = time.perf_counter(), Path(tempfile.mkdtemp(prefix="migrator-takeovers-"))
            try:
                met = live_through_takeovers(server, seed, folder, asked.accounts)
            except AssertionError as error:
                sys.exit(f"seed {seed}: {error}\n  everything is in {folder}")
            shutil.rmtree(folder)
            told = ", ".join(f"{times} x {what}" for what, times in sorted(met.items()))
            print(f"seed {seed}: {told}; {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
