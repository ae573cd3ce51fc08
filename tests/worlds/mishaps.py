"""What can go wrong beside single requests: a process that dies in the midst of SQL, people, money, another run."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from migrator.carriers.simulation import Fault, FaultPlan
from migrator.store import Owner, Store
from tests.server import Kept, sql
from tests.worlds.moving import Prices
from tests.worlds.world import Crash, World

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = ["Death", "People", "Trouble", "take_over"]

STALE_S = 1e6
FAILED = """\
SELECT count(DISTINCT source_key) FROM steps WHERE state = 'failed'
AND (plan_no, source_key) NOT IN (SELECT plan_no, source_key FROM verifications WHERE verdict = 'ok')
"""
FRESH_BETWEEN = 8
"""Look-ups after a stale one that are not: more than the client tries for one answer, so that one read is bad."""


@dataclass(slots=True)
class Death:
    """The process dies right before its `count`-th change of the store, or before its `count`-th commit.

    From then on nothing of it reaches the store: a dead process notes nothing.
    """

    phase: str
    count: int
    met: Counter[str] = field(default_factory=Counter)
    is_dead: bool = False

    def watch(self, store: Store) -> None:
        """Lie in wait on this store's connection."""
        engine = store._db._engine
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "commit", lambda _connection: self._pass("commit", "commit"))

    def _before(self, _conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        self._pass("before", statement)

    def _pass(self, phase: str, statement: str) -> None:
        if self.is_dead:
            raise Crash("dead already")
        if phase != self.phase or not statement.startswith(("INSERT", "UPDATE", "DELETE", "commit")):
            return
        self.count -= 1
        if self.count == 0:
            self.is_dead = True
            words = statement.replace("INTO ", "").split()
            self.met[f"crash sql:{' '.join(words[:2]) if words[0] in {'INSERT', 'UPDATE'} else words[0]}"] += 1
            raise Crash(f"sql {phase}")


class Trouble(FaultPlan):
    """Faults by chance, and happenings at certain requests.

    Args:
        world: where they happen.
        at: what happens when the n-th request from now arrives, from 1.
        stale: chance that a look-up by ICCID is answered by a replica that knows nothing yet; two such answers
            never follow each other.
        late: how many of the first claims are carried out long after their connection broke.
        prices: how prices change; None, if they stay.
    """

    def __init__(
        self,
        world: World,
        *,
        rates: Mapping[Fault, float],
        seed: int,
        scripted: list[Fault],
        at: Mapping[int, Callable[[], None]],
        stale: float = 0.0,
        late: int = 0,
        prices: Prices | None = None,
    ) -> None:
        FaultPlan.__init__(self, rates=rates, seed=seed, scripted=scripted, scripted_for=_is_journaled)
        self._world, self._at, self._stale, self._seen = world, dict(at), stale, 0
        self._late_left = late
        self._lag_s: float | None = None
        self._fresh_left = 0
        self.balance_read: float | None = None
        self._prices = prices
        self.price_at: dict[int, Decimal | None] = {}
        self.known: dict[int, float | None] = {}
        self.failed: dict[int, int] = {}
        self.stale_reads: set[int] = set()
        self.met: Counter[str] = Counter()

    def next(self, method: str, path: str) -> Fault:
        """The fault for the request that just arrived, after whatever happens at this moment."""
        self._seen += 1
        if (happens := self._at.pop(self._seen, None)) is not None:
            happens()
        self._maybe_stale(method, path)
        if self._prices is not None and (word := self._prices.arrived(path)) is not None:
            self.met[f"price {word}"] += 1
        balance = self._world.target.balance
        if path.endswith("/balance"):
            self.balance_read = None if balance is None else float(balance)
        if path.endswith("bulkclaim"):
            number = len(self._world.target.ledger.entries)
            if self._prices is not None:
                self.price_at[number] = self._prices.read
            self.known[number], self.failed[number] = self.balance_read, _failed(self._world)
            if self._late_left:
                self._late_left -= 1
                return Fault.LATE
        return FaultPlan.next(self, method, path)

    def _maybe_stale(self, method: str, path: str) -> None:
        target = self._world.target
        if self._lag_s is not None:
            target.behaviour = replace(target.behaviour, read_lag_s=self._lag_s)
            self._lag_s = None
        if method != "GET" or not path.endswith("links/cellular"):
            return
        self._fresh_left -= 1
        if self._stale and self._fresh_left < 0 and self._random.random() < self._stale:
            self.met["stale look-up"] += 1
            self.stale_reads.add(len(target.ledger.entries))
            self._fresh_left = FRESH_BETWEEN
            self._lag_s = target.behaviour.read_lag_s
            target.behaviour = replace(target.behaviour, read_lag_s=STALE_S)


def _failed(world: World) -> int:
    """SIMs that failed and were not verified, counted in the store by SQL of our own."""
    if Kept.accounts is not None:
        return int(sql(Kept.accounts.url, f"SET search_path TO a_{Kept.accounts.of(world.folder)}", FAILED)[0][0])
    with closing(sqlite3.connect(world.folder / "state.db")) as connection:
        return int(connection.execute(FAILED).fetchone()[0])


def _is_journaled(method: str, path: str) -> bool:
    """A write about SIMs: not that of the tag, which comes first and would use a whole script up."""
    return method != "GET" and not path.endswith("/devices/tags")


@dataclass(slots=True)
class People:
    """What people do at the carrier's dashboard, and what they did, by ICCID and in order of time."""

    world: World
    deeds: list[tuple[float, str, str]] = field(default_factory=list)
    meant: dict[str, dict[str, Any]] = field(default_factory=dict)

    def touched(self, iccid: str) -> bool:
        """Whether anybody did anything to a SIM."""
        return any(iccid == other for _, other, _ in self.deeds)

    def note(self, iccid: str, deed: str) -> None:
        """Keep in mind what was done."""
        self.deeds.append((self.world.target._clock.now_s(), iccid, deed))

    def claim(self, iccid: str, *, org_id: int | None = None, plan_id: int = 2096, **facts: Any) -> None:
        """Claim a SIM by hand, as it lies in our inventory, for us or for another organization of ours."""
        carrier = self.world.target._world
        link = carrier.sims[iccid]
        if link.device_id is not None:
            return
        if org_id is not None:
            carrier.other_org_visible = True
        defaults: dict[str, Any] = {"state": "LIVE", "name": "by hand", "overage_limit": -1, "sms_limit": 100}
        link.change(
            carrier.clock.now_s(),
            org_id=org_id or carrier.org_id,
            device_id=carrier.new_device_id(link),
            link_id=link.link_id or carrier.new_link_id(link),
            plan_id=plan_id,
            zone="global" if plan_id == 2096 else "US",
            claimed_at=carrier.clock.now(),
            **(defaults | facts),
        )
        self.note(iccid, "claimed")

    def change(self, iccid: str, **facts: Any) -> None:
        """Change settings of a SIM that is claimed; they are meant to stay if it was verified before."""
        link = self.world.target.sims[iccid]
        if link.device_id is None or "PENDING" in link.state:
            return
        link.change(self.world.target._clock.now_s(), **facts)
        self.meant[iccid] = self.meant.get(iccid, {}) | facts
        self.note(iccid, "changed")

    def unlock(self) -> None:
        """The carrier's support settles what is stuck."""
        for link in self.world.target.sims.values():
            if "PENDING" in link.state:
                link.state = "PAUSED-USER" if link.state.startswith("PAUSED") else "LIVE"
                self.note(link.iccid, "unlocked")


def take_over(world: World, plan_id: str, *, reclaims: bool) -> None:
    """Another process takes the lease, begins its own run, perhaps takes in what the first has in flight, and dies."""
    with world.store() as store:
        now = world.now().timestamp()
        store.lease.acquire(Owner("elsewhere", 2, now), now, is_gone=lambda _other: True)
        store.journal.start_run(plan_id, "elsewhere", now)
        if reclaims:
            store.journal.reclaim_in_flight(plan_id, now)
