"""`inventory pull`: its pace under 1NCE's limit, its memory, and what it asks for again after it was killed."""

import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx

from bench.carriers import Asked, Carriers, Setup, serving
from bench.commands import Desk, Ended
from bench.measures import Measure
from migrator.carriers.onence.adapter import OnenceSource
from migrator.carriers.onence.simulator import OnenceSimulator, OnenceSwitches
from migrator.carriers.onomondo.adapter import OnomondoSource
from migrator.carriers.onomondo.simulator import OnomondoSimulator, OnomondoSwitches
from migrator.carriers.pacing import Pacer
from migrator.carriers.simulation import InProcessTransport, RateLimit
from migrator.engine.pull import Pulling
from migrator.engine.run.context import Stopper
from migrator.ports import SourcePlatform
from migrator.store import Store
from tests.support import run_virtual

__all__ = ["killed", "pace", "pace_virtual", "pulled"]

EPOCH = datetime(2026, 11, 20, tzinfo=UTC)
RPS, LATENCY_S, PAGE = 10, 0.15, 100
SLOW_RPS = 5
"""Requests a second of which each has its answer before the next may leave."""
MANY, ONOMONDO_PAGE, RECORDS = 50_000, 1000, 1000
SIMS = 10_000
FLOOR_S = SIMS / PAGE / RPS
KILLS, KILLED_SIMS = 3, 2000
TOO_MANY = 429


def pace(folder: Path) -> Iterator[Measure]:
    """10,000 SIMs over loopback in real time."""
    with serving(Setup(sims=SIMS, onence_rps=RPS, latency_s=LATENCY_S)) as carriers:
        ended = Desk(folder, {**carriers.environment, "ONENCE_MAX_RPS": str(RPS)}).run("inventory", "pull")
        asked = carriers.asked("onence")
    spent_s = asked[-1].at_s - asked[0].at_s + LATENCY_S
    what = "10,000 SIMs, 10 requests/s, 150 ms replies, loopback"
    yield _pace(f"{what}: first request to last reply", spent_s)
    yield Measure(
        what="… the whole command, start of Python included",
        value=ended.seconds,
        unit="s",
        against=FLOOR_S,
        against_what="pages ÷ rate",
    )
    yield _refusals([entry.status for entry in asked])


def pace_virtual(folder: Path) -> Iterator[Measure]:
    """The same for both sources on a virtual clock: nothing but waiting takes time."""
    yield from _of_onence(folder)
    for rps in (RPS, SLOW_RPS):
        yield from _of_onomondo(folder, rps)


def _of_onence(folder: Path) -> Iterator[Measure]:
    for sims, most in ((SIMS, 1.05), (MANY, 1.03)):
        limit = RateLimit(RPS, RPS)
        simulator = OnenceSimulator(sims=sims, switches=OnenceSwitches(rate_limit=limit, latency_s=LATENCY_S))
        source = partial(
            OnenceSource, client_id=simulator.client_id, client_secret=simulator.client_secret, pacer=Pacer(RPS)
        )
        spent_s = _virtual_pull(simulator, source, folder / f"onence-{sims}.db")
        yield _pace(f"{sims:,} SIMs, 1NCE, {RPS} requests/s, 150 ms replies, virtual clock", spent_s, sims, most)
        yield _refusals([entry.status for entry in simulator.ledger.entries])


def _of_onomondo(folder: Path, rps: int) -> Iterator[Measure]:
    """Its list, whose pages name each other, and the records that tell what the list does not."""
    pages = MANY // ONOMONDO_PAGE
    what = f"Onomondo, {rps} requests/s, 150 ms replies, virtual clock"
    for sims, requests, quotas in ((MANY, pages, False), (RECORDS, 1 + RECORDS, True)):
        switches = OnomondoSwitches(rate_limit=RateLimit(rps, rps), latency_s=LATENCY_S)
        simulator = OnomondoSimulator(sims=sims, switches=switches)
        source = partial(OnomondoSource, api_key=simulator.api_key, pacer=Pacer(rps))
        spent_s = _virtual_pull(simulator, source, folder / f"onomondo-{rps}-{sims}.db", quotas=quotas)
        read = f"{sims:,} records one by one" if quotas else f"{sims:,} SIMs"
        yield Measure(
            what=f"{read}, {what}",
            value=spent_s,
            unit="s",
            against=requests / rps,
            against_what="requests ÷ rate" if quotas else "pages ÷ rate",
            most=1.03,
        )
        yield _refusals([entry.status for entry in simulator.ledger.entries])


def _virtual_pull(
    simulator: Any, make: Callable[[httpx.AsyncClient], SourcePlatform], path: Path, *, quotas: bool = False
) -> float:
    """Returns: seconds of the virtual clock."""

    async def body() -> float:
        base = (
            "https://source.test/management-api/" if isinstance(simulator, OnenceSimulator) else "https://source.test"
        )
        began = anyio.current_time()
        async with httpx.AsyncClient(transport=InProcessTransport(simulator), base_url=base) as http:
            await Pulling(make(http), store.inventory, _VirtualClock(), Stopper(), quotas=quotas).run()
        return anyio.current_time() - began

    with closing(Store.open(f"sqlite:///{path}", now=EPOCH.timestamp(), create=True)) as store:
        return run_virtual(body)


class _VirtualClock:
    """Dates that go with the event loop."""

    def now(self) -> datetime:
        """The time in UTC."""
        return EPOCH + timedelta(seconds=anyio.current_time())


def _pace(what: str, spent_s: float, sims: int = SIMS, most: float = 1.05) -> Measure:
    floor_s = sims / PAGE / RPS
    return Measure(what=what, value=spent_s, unit="s", against=floor_s, against_what="pages ÷ rate", most=most)


def _refusals(statuses: list[int | None]) -> Measure:
    return Measure(what="… answers 429", value=statuses.count(TOO_MANY), most=0)


def pulled(folder: Path, sims: int) -> Ended:
    """Pull so many SIMs as fast as the simulator lets us; the store stays in `folder`."""
    with serving(Setup(sims=sims)) as carriers:
        return Desk(folder, carriers.environment).run("inventory", "pull")


def killed(folder: Path) -> Iterator[Measure]:
    """SIGKILL at a random moment, then the same command again; the worst of several."""
    chance = random.Random(20)
    again: list[int] = []
    on_disk: list[int] = []
    with serving(Setup(sims=KILLED_SIMS, onence_rps=RPS, latency_s=LATENCY_S)) as carriers:
        for number in range(KILLS):
            store = folder / f"killed-{number}.db"
            desk = Desk(
                folder,
                {**carriers.environment, "ONENCE_MAX_RPS": str(RPS), "MIGRATOR_STATE": f"sqlite:///{store.name}"},
            )
            known = len(carriers.asked("onence"))
            _kill(desk, carriers, pages=chance.randint(3, 17), pause_s=chance.random() / RPS)
            done = _pages_on_disk(store)
            desk.run("inventory", "pull")
            twice = _twice(carriers.asked("onence")[known:])
            again.append(len(twice))
            on_disk.append(len(twice & done))
    what = f"pull killed at a random moment, worst of {KILLS}"
    yield Measure(what=f"{what}: list pages asked for twice", value=max(again), most=1)
    yield Measure(what="… of those, pages that were on disk already", value=max(on_disk), most=1)


def _kill(desk: Desk, carriers: Carriers, *, pages: int, pause_s: float) -> None:
    """Kill a pull a moment after it asked for so many pages."""
    known = len(carriers.asked("onence"))
    process = desk.start("inventory", "pull")
    while sum(entry.page is not None for entry in carriers.asked("onence")[known:]) < pages:
        time.sleep(0.01)
    time.sleep(pause_s)
    process.kill()
    process.communicate()


def _pages_on_disk(store: Path) -> set[int]:
    with closing(sqlite3.connect(store)) as connection:
        return {page for (page,) in connection.execute("SELECT page FROM snapshot_pages")}


def _twice(asked: list[Asked]) -> set[int]:
    times = Counter(entry.page for entry in asked if entry.page is not None)
    return {page for page, count in times.items() if count > 1}
