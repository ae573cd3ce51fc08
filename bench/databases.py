"""Both databases in one run: rows of pages and plans, and the way of a request. Nothing where there is no server."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sqlalchemy import event

from bench.drafting import claims_of
from bench.fleet import stock
from bench.measures import Measure
from bench.storing import pages_of_simulator
from migrator.core.fleet.sims import Pair
from migrator.core.plan.plan import Change, Fingerprints, PlanHeader
from migrator.core.run.states import StepKind
from migrator.core.run.steps import RequestOutcome
from migrator.ports import Request, SourcePage
from migrator.store import Store
from tests.server import MISSING, made, running

__all__ = ["databases"]

SIMS, PAGE, ROUNDS, REQUESTS = 20_000, 1000, 3, 100
SENT = Request("POST", "/links/cellular/bulkclaim", {"sims": []})
Open = Callable[[str], Store]


def databases(folder: Path) -> Iterator[Measure]:
    """20,000 rows of an inventory and of a plan, and 100 requests, on disk; the best of three rounds, in turns."""
    if running() is None:
        print(MISSING, file=sys.stderr)
        return
    stock(folder / "fleet.db", SIMS)
    with Store.open(f"sqlite:///{folder / 'fleet.db'}", now=0.0) as store:
        changes = claims_of(store)
    pages = pages_of_simulator()
    with made(fsync="on", full_page_writes="on", autovacuum="on") as server:
        kinds: dict[str, Open] = {
            "SQLite": lambda name: Store.open(f"sqlite:///{folder / name}.db", now=0.0),
            "PostgreSQL": lambda name: Store.open(server.url(), account=name, now=0.0),
        }
        took: dict[str, list[tuple[float, ...]]] = {kind: [] for kind in kinds}
        for number in range(ROUNDS):
            for kind, opened in kinds.items():
                with opened(f"round{number}") as store:
                    took[kind].append((_pages(store, pages), _plan(store, changes), *_requests(store, changes)))
    sqlite, postgresql = (tuple(map(min, zip(*took[kind], strict=True))) for kind in kinds)
    for at, what in enumerate(("inventory rows written per second", "plan rows written per second")):
        yield Measure(
            what=f"{what}, PostgreSQL",
            value=SIMS / postgresql[at],
            against=SIMS / sqlite[at],
            against_what="SQLite",
            least=0.5,
        )
    yield Measure(
        what="a request begun and answered, PostgreSQL",
        value=postgresql[2],
        unit="ms",
        against=sqlite[2],
        against_what="SQLite",
    )
    yield Measure(what="ways to the server for it", value=postgresql[3])


def _pages(store: Store, pages: Sequence[SourcePage]) -> float:
    """Returns: seconds."""
    snapshot = store.inventory.open_snapshot("v2", 0.0)
    began = time.perf_counter()
    for page in pages:
        store.inventory.save_pages(snapshot.snapshot_id, 1, [page], 0.0)
    took_s = time.perf_counter() - began
    store.inventory.end_pass(snapshot.snapshot_id, 1)
    store.inventory.complete_snapshot(snapshot.snapshot_id, 1, 0.0)
    return took_s


def _plan(store: Store, changes: Sequence[Change]) -> float:
    """Returns: seconds, without the lines and their hash."""
    with store.plans.draft(0.0) as draft:
        rows = list(map(draft._row, changes))
        began = time.perf_counter()
        for start in range(0, SIMS, PAGE):
            draft._write(rows[start : start + PAGE])
        return time.perf_counter() - began


def _requests(store: Store, changes: Sequence[Change]) -> tuple[float, float]:
    """Returns: seconds of a request of one SIM, and the ways to the database that it takes."""
    some = changes[:REQUESTS]
    pairs = [Pair(one.source_iccid, one.target_iccid, "bench") for one in some if one.target_iccid is not None]
    store.pairs.add(pairs, replace=False, now=0.0)
    with store.plans.draft(0.0) as draft:
        draft.add(some)
        draft.finish(lambda sha256: _header(store, some, sha256))
    run = store.journal.start_run("p1", "bench", 0.0)
    ways = 0

    def count(*_about: object) -> None:
        nonlocal ways
        ways += 1

    for name in ("before_cursor_execute", "commit"):
        event.listen(store._db._engine, name, count)
    began = time.perf_counter()
    for one in some:
        keys = [one.source_iccid.key]
        number = store.journal.begin(run, StepKind.CLAIM, keys, SENT, wave=one.wave or "", now=0.0)
        store.journal.answered(number, RequestOutcome.ACCEPTED, now=0.0)
    return (time.perf_counter() - began) / REQUESTS, ways / REQUESTS


def _header(store: Store, changes: Sequence[Change], sha256: str) -> PlanHeader:
    return PlanHeader(
        plan_id="p1",
        lineage=store.lineage,
        org_id=4711,
        fingerprints=Fingerprints("", "", "", sha256),
        claims=len(changes),
        counts={},
        waves=tuple(dict.fromkeys(one.wave for one in changes if one.wave is not None)),
    )
