"""A small world for the engine: both simulated carriers, a real store, and a clock that jumps.

What happens in it goes through the true client, pacer, engine and SQL; only the network and the clock are ours.
"""

import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import anyio
import httpx

from migrator import wiring
from migrator.carriers.hologram.adapter import HologramTarget
from migrator.carriers.hologram.simulator import HologramBehaviour, HologramSimulator
from migrator.carriers.onence.adapter import OnenceSource
from migrator.carriers.onence.simulator import OnenceBehaviour, OnenceSimulator
from migrator.carriers.pacing import AdaptivePacer, Pacer
from migrator.carriers.simulation import FaultPlan, InProcessTransport
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import Pair, SourceSim
from migrator.core.plan.plan import PlanHeader
from migrator.core.run.results import ApplyResult, ExitCode, PullResult
from migrator.core.run.states import StepKind
from migrator.engine.pull.pull import Pulling
from migrator.engine.run.around import Around, Ask
from migrator.engine.run.context import ApplyOptions, Context, Hooks, Stopper, quiet
from migrator.inputs.policy.file import LoadedPolicy, parse_policy
from migrator.ports import Progress, SourcePage, SourcePlatform, SourceRow
from migrator.store import Owner, Store
from migrator.store.database.sqlite import SqliteDatabase
from migrator.wiring.pace import steer
from migrator.workflows.apply import applying
from migrator.workflows.plans.make import make_plan
from tests.quick import share_compiled
from tests.server import Kept
from tests.support import run_virtual

__all__ = ["POLICY", "Crash", "World", "crash_at", "new_sims"]

EPOCH = datetime(2026, 11, 20, tzinfo=UTC)
POLICY = """\
policy_version = 1
[claim]
data_plan_id = 2096
zone = "global"
[status]
disabled = "pause"
[[waves]]
name = "all"
[gates]
max_failures = 1000
max_failure_share = 1.0
"""


MOVES = """\
CREATE TABLE moves (source_key TEXT, kind TEXT, was TEXT, became TEXT);
CREATE TRIGGER first_move AFTER INSERT ON steps
    BEGIN INSERT INTO moves VALUES (NEW.source_key, NEW.kind, 'pending', NEW.state); END;
CREATE TRIGGER next_move AFTER UPDATE OF state ON steps
    BEGIN INSERT INTO moves VALUES (NEW.source_key, NEW.kind, OLD.state, NEW.state); END;
UPDATE meta SET value = 'simulation' WHERE name = 'lineage';
"""
"""SQLite itself keeps a list of every move of a step, whoever made it, and loses those that were rolled back."""


class Crash(BaseException):
    """The process dies here: no handler of ours may see it."""


def crash_at(point: str, count: int, doomed: StepKind | None = None) -> Hooks:
    """Hooks that die the `count`-th time that `point` is passed, by writes of one kind or of any."""
    left = count

    def pass_by(kind: StepKind) -> None:
        nonlocal left
        left -= doomed in {None, kind}
        if left == 0:
            left = -1
            raise Crash(f"{point}:{kind}")

    return Hooks(**{point: pass_by})


def new_sims(count: int) -> list[str]:
    """ICCIDs of SIMs that the target carrier delivered to us."""
    return [f"8944500{number:012d}" for number in range(1, count + 1)]


@lru_cache(maxsize=1)
def empty_store() -> bytes:
    """A new store, as a file's content: bringing one up to the newest schema takes as long as a small migration."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        with Store.open(f"sqlite:///{path}", now=EPOCH.timestamp()) as store, store._db.write() as connection:
            for statement in MOVES.split(";\n"):
                if statement.strip():
                    connection.exec_driver_sql(_whole(statement))
        return path.read_bytes()


@dataclass(slots=True)
class World:
    """Everything there is. Each `run_*` is one process: it begins, it ends or dies, and the clock goes on."""

    folder: Path
    sims: int = 12
    seed: int = 1
    onence_behaviour: OnenceBehaviour = field(default_factory=OnenceBehaviour)
    behaviour: HologramBehaviour = field(default_factory=HologramBehaviour)
    faults: FaultPlan = field(default_factory=FaultPlan)
    policy_text: str = POLICY
    options: ApplyOptions = field(default_factory=ApplyOptions)
    source: OnenceSimulator = field(init=False)
    target: HologramSimulator = field(init=False)
    ask: Ask | None = field(default=None, init=False)  # the hook of the policy, as somebody answers it
    ref: str = field(default="", init=False)
    carrier: ClassVar[str] = "1nce"
    source_url: ClassVar[str] = "https://onence.test/management-api/"
    start_rps: ClassVar[float] = wiring.START_RPS
    ceiling_rps: ClassVar[float] = 200.0
    stopper: Stopper = field(default_factory=Stopper, init=False)
    elapsed_s: float = field(default=0.0, init=False)
    naps: list[tuple[float, float]] = field(default_factory=list, init=False)  # when by the target, and how long
    _began_at: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.source = OnenceSimulator(seed=self.seed, sims=self.sims, behaviour=self.onence_behaviour, epoch=EPOCH)
        self.target = HologramSimulator(seed=self.seed, behaviour=self.behaviour, epoch=EPOCH)

    # --- time: one clock over all processes ---

    def now(self) -> datetime:
        """The time in UTC."""
        try:
            here = anyio.current_time() - self._began_at
        except RuntimeError:  # between two processes
            here = 0.0
        return EPOCH + timedelta(seconds=self.elapsed_s + here)

    def _process(self, body: Callable[[], Any]) -> Any:
        async def lived() -> Any:
            self._began_at = anyio.current_time()
            self.wait(0.0)
            try:
                return await body()
            finally:
                self.elapsed_s += anyio.current_time() - self._began_at
                self._began_at = anyio.current_time()

        try:
            return run_virtual(lived)
        except BaseExceptionGroup as group:
            raise _first(group) from None

    def wait(self, seconds: float) -> None:
        """Let time pass between two processes, for the carriers as well."""
        self.elapsed_s += seconds
        for clock in (self.source._account.clock, self.target._clock):
            clock._now_s = self.elapsed_s
            clock._loop_s = float("inf")  # whichever event loop asks next is a new one

    # --- the parts ---

    def store(self) -> Store:
        """The store, opened anew: what a process sees that starts. It need not outlive a power cut, and is quick."""
        if Kept.accounts is not None:
            return Store.open(Kept.accounts.url, account=Kept.accounts.of(self.folder), now=self.now().timestamp())
        path = self.folder / "state.db"
        if not path.exists():
            path.write_bytes(empty_store())
        store = Store.open(f"sqlite:///{path}", now=self.now().timestamp())
        assert isinstance(store._db, SqliteDatabase)
        store._db._synchronous = "OFF"
        store._db.pragma("synchronous = OFF")
        share_compiled(store._db._connection)
        return store

    def policy(self) -> LoadedPolicy:
        """The policy, parsed."""
        return parse_policy(self.policy_text, name="policy.toml")

    def hologram(
        self, http: httpx.AsyncClient, store: Store | None = None, stopper: Stopper | None = None
    ) -> HologramTarget:
        """The true adapter on the simulated carrier, steered from the store where there is one."""
        pacer = AdaptivePacer(min(self.start_rps, self.ceiling_rps), ceiling=self.ceiling_rps)
        if store is not None and stopper is not None:
            steer(pacer, stopper, store, "hologram", self.ceiling_rps)
        return HologramTarget(
            http,
            api_key=self.target.api_key,
            org_id=self.target.org_id,
            pacer=pacer,
            claim_timeout_s=self.options.claim_timeout_s,
        )

    def source_at(self, http: httpx.AsyncClient, pacer: Pacer) -> SourcePlatform:
        """The true adapter on the simulated carrier."""
        return OnenceSource(http, client_id=self.source.client_id, client_secret=self.source.client_secret, pacer=pacer)

    # --- what an operator does ---

    def pull(
        self,
        *,
        quotas: bool = False,
        workers: int = 4,
        stop_after_s: float | None = None,
        rps: float = 8.0,
        **asked: Any,
    ) -> PullResult:
        """`inventory pull`, stopped by its operator after some seconds if so."""

        async def body() -> PullResult:
            stopper = Stopper()
            if stop_after_s is not None:
                stopper.stop_after(stop_after_s, "Ctrl-C", 130)
            async with httpx.AsyncClient(transport=InProcessTransport(self.source), base_url=self.source_url) as http:
                source = self.source_at(http, Pacer(rps, gate=stopper.checkpoint))
                pulling = Pulling(source, store.inventory, self, stopper, quotas=quotas, workers=workers, **asked)
                return await pulling.run()

        with self.store() as store:
            result: PullResult = self._process(body)
            return result

    def pulled(self, sims: Sequence[SourceSim]) -> None:
        """What a pull of these SIMs leaves in the store, without the pull."""
        rows = [SourceRow({"iccid": sim.iccid.digits}, sim) for sim in sims]
        now = self.now().timestamp()
        with self.store() as store:
            snapshot = store.inventory.open_snapshot("v2", now)
            store.inventory.save_pages(snapshot.snapshot_id, 1, [SourcePage(1, rows, len(rows), 1)], now)
            store.inventory.end_pass(snapshot.snapshot_id, 1)
            store.inventory.complete_snapshot(snapshot.snapshot_id, 1, now)

    def pair(self, targets: Iterable[str] | None = None) -> None:
        """Deal new SIMs to the old ones in order; they lie in our inventory at Hologram unless given."""
        if targets is None:
            targets = new_sims(self.sims)
            self.target.stock(list(targets))
        with self.store() as store:
            sims = [sim.iccid for sim in store.inventory.sims()]
            pairs = [Pair(old, Iccid.parse(new), "test") for old, new in zip(sims, targets, strict=False)]
            store.pairs.add(pairs, replace=False, now=self.now().timestamp())

    def plan(self) -> PlanHeader:
        """`plan create`."""

        async def body() -> PlanHeader:
            async with self.http() as http:
                return await make_plan(
                    store,
                    self.hologram(http),
                    self.policy(),
                    max_rps=10.0,
                    clock=self,
                    stopper=Stopper(),
                    progress=quiet,
                )

        with self.store() as store:
            header: PlanHeader = self._process(body)
            return header

    def apply(
        self,
        *,
        hooks: Hooks | None = None,
        options: ApplyOptions | None = None,
        progress: Progress = quiet,
        beside: Callable[[], Coroutine[Any, Any, None]] | None = None,
        before: Callable[[Store], None] | None = None,
        leased: bool = False,
        plan_id: str | None = None,
    ) -> ApplyResult:
        """`apply`: goes on with the newest plan, or another. Raises: Crash, where the hooks say so.

        Args:
            hooks: crash points.
            options: instead of the world's own.
            progress: told what happens.
            beside: what somebody else does meanwhile; `self.stopper` is this run's.
            before: is shown the run's store before anything is done with it.
            leased: whether the run holds the lease and beats. Each beat takes as long as a request.
            plan_id: the plan; None for the newest.
        """
        stopper = self.stopper = Stopper()

        async def body() -> ApplyResult:
            async with self.http() as http, self._holding(store, stopper, wanted=leased):
                ctx = self._context(http, store, stopper, options, plan_id, progress=progress, hooks=hooks or Hooks())
                stopper.obey(store.signs, ctx.plan_id, progress)
                async with anyio.create_task_group() as others:
                    if beside is not None:
                        others.start_soon(beside)
                    result = await applying(store, ctx).run()
                    others.cancel_scope.cancel()
                return result

        with self.store() as store:
            if before is not None:
                before(store)
            result: ApplyResult = self._process(body)
            return result

    async def apply_beside(self, http: httpx.AsyncClient, options: ApplyOptions | None = None) -> ApplyResult:
        """Another process takes the lease from the run at work, and does a whole run of its own beside it.

        Args:
            http: its own way to the carrier.
            options: instead of the world's own.
        """
        other = Owner("elsewhere", 2, self.now().timestamp())
        stopper = Stopper()
        with self.store() as store:
            store.lease.acquire(other, other.started_at, is_gone=lambda _first: True)
            stopper.while_leased(store.signs, other)
            result = await applying(store, self._context(http, store, stopper, options)).run()
            store.lease.release(other)
            return result

    def _context(
        self,
        http: httpx.AsyncClient,
        store: Store,
        stopper: Stopper,
        options: ApplyOptions | None,
        plan_id: str | None = None,
        **more: Any,
    ) -> Context:
        """A new run of a plan, the newest if none is named, and what it needs."""
        header = store.plans.header(plan_id or store.plans.newest() or "")
        policy = self.policy().policy
        return Context(
            around=Around(self.ask, store.outbox.tell, policy.notify, self.ref, "test"),
            header=header,
            policy=policy,
            run_id=store.journal.start_run(header.plan_id, "test", self.now().timestamp(), ref=self.ref),
            target=self.hologram(http, store, stopper),
            journal=store.journal,
            clock=self,
            options=options or self.options,
            stopper=stopper,
            **more,
        )

    @asynccontextmanager
    async def _holding(self, store: Store, stopper: Stopper, *, wanted: bool) -> AsyncIterator[None]:
        """Hold the lease as a process of this host does; one that crashes never gives it back."""
        if not wanted:
            yield
            return
        me = Owner("here", 1, self.now().timestamp())
        if store.file is not None:
            store.file.lock()
        store.lease.acquire(me, me.started_at, is_gone=lambda _other: True)
        async with wiring.heartbeat(store, me, stopper, self):
            yield
        if not store.presence.ended_badly():
            store.lease.release(me)

    def apply_until_quiet(self, most: int = 12) -> ApplyResult:
        """Run `apply` again and again, as an operator does after exit 7."""
        result = self.apply()
        for _ in range(most):
            if result.exit_code is not ExitCode.RESUMABLE:
                break
            self.wait(60)
            result = self.apply()
        return result

    def ready(self) -> PlanHeader:
        """Pull, pair and plan on a quiet network; faults begin with what comes after."""
        self.pull()
        self.pair()
        header = self.plan()
        self.target.faults = self.faults
        return header

    def http(self, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
        """The way to the simulated carrier."""
        base = "https://hologram.test/api/1/"
        return httpx.AsyncClient(transport=transport or InProcessTransport(self.target), base_url=base)

    # --- the truth ---

    def ours(self) -> set[str]:
        """ICCIDs that truly are on our organization, with a device."""
        return {
            iccid
            for iccid, link in self.target.sims.items()
            if link.org_id == self.target.org_id and link.device_id is not None
        }

    def claims_sent(self) -> list[tuple[float, Sequence[str]]]:
        """Every claim that arrived: when, and for which ICCIDs."""
        return [
            (entry.at_s, entry.body["sims"])
            for entry in self.target.ledger.requests("POST", "bulkclaim")
            if isinstance(entry.body, dict)
        ]

    def check(self) -> None:
        """What must hold after anything: no SIM charged twice, none claimed again that was ours, nothing forbidden."""
        charges = self.target.ledger.charges
        assert all(times == 1 for times in charges.values()), charges
        assert set(charges) <= self.ours()
        assert self.target.ledger.forbidden == []
        for at_s, iccids in self.claims_sent():
            for iccid in iccids:
                claimed_at = self.target.sims[iccid].claimed_at
                was_ours = claimed_at is not None and (claimed_at - EPOCH).total_seconds() < at_s - 1e-6
                assert not (was_ours and iccid in charges), f"{iccid} was ours, and was claimed again at {at_s}"

    def check_fulfilled(self) -> None:
        """Every acting SIM of the plan is on our organization as planned, and the journal says so."""
        self.check()
        with self.store() as store:
            plan_id = store.plans.newest() or ""
            verdicts = store.journal.verdicts(plan_id)
            acting = [change for change in store.plans.changes(plan_id) if change.action.acts]
        assert dict(verdicts) == ({"ok": len(acting)} if acting else {})
        for change in acting:
            link = self.target.sims[str(change.target_iccid)]
            truth = (link.name, link.overage_limit, link.sms_limit, link.plan_id, link.zone)
            assert truth == (
                change.name,
                change.overage_limit_bytes,
                change.sms_limit,
                change.data_plan_id,
                change.zone,
            )
            assert link.state == ("LIVE" if change.state == "live" else "PAUSED-USER")


def _whole(statement: str) -> str:
    """A trigger's body ends in a semicolon of its own."""
    return f"{statement};" if statement.rstrip().endswith("END") else statement


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The crash, if there is one, else the first error."""
    flat = [_first(error) if isinstance(error, BaseExceptionGroup) else error for error in group.exceptions]
    return next((error for error in flat if isinstance(error, Crash)), flat[0])
