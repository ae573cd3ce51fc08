"""`campaign run --once` of a fleet that has nothing to do: the lists of both carriers are read, and no more.

The carriers are a process of their own: what is held against the bar are the seconds of our own processor.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bench.carriers import Setup, serving
from bench.commands import Desk
from bench.fleet import NOW
from bench.measures import MIB, Measure
from bench.whole_way import POLICY
from migrator.chunks import chunks
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import Pair
from migrator.core.plan.planner import Planner
from migrator.inputs.policy.file import parse_policy
from migrator.store import Store
from migrator.wiring.gc import collecting_rarely
from migrator.wiring.rehearsal.rehearsal import pool_of
from tests.store.store_kit import header_for

__all__ = ["ticking"]

FLEET = 100_000
ORG = 98765  # of the simulated carrier
MOST_S, MOST_BYTES = 30.0, 200 * MIB
BOUNDS = """
[campaign]
until = 2099-12-31
claims_per_day = 500
claims_total = 1000000
spend_per_day = 100000.00
spend_total = 10000000.00
"""
_CLAIMED = """
INSERT INTO steps (plan_no, source_key, kind, state, attempts, since, not_before, code, message)
    SELECT plan_no, source_key, 'claim', 'done', 1, {now}, 0, '', '' FROM changes;
INSERT INTO verifications (plan_no, source_key, verdict, findings, verified_at)
    SELECT plan_no, source_key, 'ok', '[]', {now} FROM changes;
UPDATE plans SET state = 'finished', started_at = {now}, finished_at = {now}, campaign_no = 1;
"""
_A_DAY_LATER = "UPDATE ticks SET began_at = began_at - 86400, ended_at = ended_at - 86400"


def ticking(folder: Path) -> Iterator[Measure]:
    """A fleet that was claimed, verified and cut over; then three calls.

    The first of all takes note of every living SIM, and hands every unit over. Only then is there nothing to do: for a
    later call of that day, and for the first one of the next day, which writes the report of all SIMs.
    """
    sims = int(os.environ.get("BENCH_SIMS", FLEET))
    with serving(Setup(sims=sims, claimed=True, off=True)) as carriers:
        desk = Desk(folder, carriers.environment)
        (folder / "policy.toml").write_text(POLICY + BOUNDS)
        desk.run("inventory", "pull")
        desk.run("campaign", "create", "--policy", "policy.toml")
        desk.run("campaign", "approve", "--by", "bench")
        _migrated(folder / "migrator.db", sims)
        first = desk.run("campaign", "run", "--once", expect=(0, 3))
        before = len(carriers.asked("onence")), len(carriers.asked("hologram"))
        again = desk.run("campaign", "run", "--once", expect=(0, 3))
        asked = [*carriers.asked("onence")[before[0] :], *carriers.asked("hologram")[before[1] :]]
        with closing(sqlite3.connect(folder / "migrator.db")) as plain, plain:
            plain.execute(_A_DAY_LATER)
        of_day = desk.run("campaign", "run", "--once", expect=(0, 3))
    what = f"`campaign run --once`, {sims:,} SIMs with nothing to do"
    yield Measure(what=f"{what}: seconds of our own", value=again.cpu_s, unit="s", most=MOST_S)
    yield Measure(what="… seconds by the clock, the simulators' included", value=again.seconds, unit="s")
    yield Measure(what="… peak memory", value=again.peak_bytes, unit="MiB", most=MOST_BYTES)
    yield Measure(what="… its requests", value=len(asked))
    yield Measure(what="… of them writes", value=sum(one.method != "GET" for one in asked), most=1)  # the login
    yield Measure(
        what="… the first call of a day, with its report: seconds of our own", value=of_day.cpu_s, unit="s", most=MOST_S
    )
    yield Measure(what="… its peak memory", value=of_day.peak_bytes, unit="MiB", most=MOST_BYTES)
    yield Measure(
        what="… the very first call: every SIM newly alive, every unit handed over", value=first.cpu_s, unit="s"
    )
    yield Measure(what="… its peak memory", value=first.peak_bytes, unit="MiB", most=MOST_BYTES)


def _migrated(state: Path, sims: int) -> None:
    """Write a plan over every SIM of the inventory, and its journal, as a campaign leaves them."""
    policy = parse_policy(POLICY, name="bench").policy
    with Store.open(f"sqlite:///{state}", now=NOW) as store, collecting_rarely():
        cards = map(Iccid.parse, pool_of(sims))
        pairs = [Pair(sim.iccid, new, "bench") for sim, new in zip(store.inventory.sims(), cards, strict=False)]
        store.pairs.add(pairs, replace=False, now=NOW)
        changes = list(Planner(policy, org_id=ORG).changes(store.plans.candidates()))
        with store.plans.draft(NOW) as draft:
            for some in chunks(changes):
                draft.add(some)
            draft.finish(lambda sha256: header_for(store, changes, sha256, plan_id="p1", org_id=ORG))
    with closing(sqlite3.connect(state)) as plain, plain:
        plain.executescript(_CLAIMED.format(now=NOW))
