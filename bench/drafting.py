"""Rows of a plan written by a draft, held against the same rows by plain `sqlite3.executemany`."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.fleet import stock
from bench.measures import Measure
from bench.storing import by_sqlite
from bench.whole_way import POLICY
from migrator.chunks import PAGE
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import Pair
from migrator.core.plan.plan import Change
from migrator.core.plan.planner import Planner
from migrator.inputs.policy.file import parse_policy
from migrator.store import Store
from migrator.store.plans.draft import Draft
from migrator.wiring.gc import collecting_rarely
from migrator.wiring.rehearsal.rehearsal import pool_of

__all__ = ["claims_of", "drafting"]

SIMS, ROUNDS = 20_000, 5


def drafting(folder: Path) -> Iterator[Measure]:
    """20,000 changes, a commit per 1,000 of them as the store does; the best of five rounds of either, in turns."""
    state = folder / "migrator.db"
    stock(state, SIMS)
    whole, rows, plain = [], [], []
    with Store.open(f"sqlite:///{state}", now=0.0) as store, collecting_rarely():  # as `plan create` does
        changes = claims_of(store)
        for number in range(ROUNDS):
            with store.plans.draft(0.0) as draft:
                began = time.perf_counter()
                for start in range(0, SIMS, PAGE):
                    draft.add(changes[start : start + PAGE])
                whole.append(time.perf_counter() - began)
                other = folder / f"plain-{number}.db"
                plain.append(by_sqlite(other, state, "changes", "source_key", commit_every=PAGE))
            with store.plans.draft(0.0) as draft:
                rows.append(_written(draft, changes))
    yield Measure(
        what="plan rows written per second by a draft",
        value=SIMS / min(rows),
        against=SIMS / min(plain),
        against_what="plain executemany",
        least=0.5,
    )
    yield Measure(
        what="… their lines and hash made as well",
        value=SIMS / min(whole),
        against=SIMS / min(plain),
        against_what="plain executemany",
    )


def _written(draft: Draft, changes: Sequence[Change]) -> float:
    """The same rows, made before. Returns: seconds."""
    rows = list(map(draft._row, changes))
    began = time.perf_counter()
    for start in range(0, SIMS, PAGE):
        draft._write(rows[start : start + PAGE])
    return time.perf_counter() - began


def claims_of(store: Store) -> Sequence[Change]:
    """A claim for every SIM of the inventory."""
    targets = map(Iccid.parse, pool_of(SIMS))
    pairs = [Pair(sim.iccid, new, "bench") for sim, new in zip(store.inventory.sims(), targets, strict=True)]
    store.pairs.add(pairs, replace=False, now=0.0)
    return list(Planner(parse_policy(POLICY, name="bench").policy, org_id=4711).changes(store.plans.candidates()))
