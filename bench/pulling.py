"""`inventory pull`: its pace under each source's limit, its memory, and what it asks for again after it was killed."""

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
from migrator.carriers.onence.simulator import OnenceBehaviour, OnenceSimulator
from migrator.carriers.onomondo.adapter import OnomondoSource
from migrator.carriers.onomondo.simulator import OnomondoBehaviour, OnomondoSimulator
from migrator.carriers.pacing import Pacer
from migrator.carriers.simulation import InProcessTransport, RateLimit
from migrator.core.run.sources import SOURCES, KnownSource
from migrator.engine.pull.pull import Pulling
from migrator.engine.run.context import Stopper
from migrator.ports import SourcePlatform
from migrator.store import Store
from tests.support import run_virtual

__all__ = ["killed", "pace", "pace_virtual", "pulled"]

EPOCH = datetime(2026, 11, 20, tzinfo=UTC)
RPS, LATENCY_S, PAGE = 10, 0.15, 100
QUICK_S = 0.02
"""Seconds of a reply that is there before the next request may leave."""
ONOMONDO_PAGE, RECORDS = 1000, 1000
SIMS, MANY = 10_000, 50_000
FLOOR_S = SIMS / PAGE / RPS
KILLS, KILLED_SIMS = 3, 2000
TOO_MANY = 429


def pace(folder: Path) -> Iterator[Measure]:
    """As many pages of each source over loopback in real time."""
    for source, sims, latency_s, most in (
        ("1nce", SIMS, LATENCY_S, 1.05),
        ("onomondo", SIMS * ONOMONDO_PAGE // PAGE, QUICK_S, 1.03),
        ("onomondo", SIMS * ONOMONDO_PAGE // PAGE, LATENCY_S, None),
    ):
        yield from _over_loopback(folder, SOURCES[source], sims, latency_s, most)


def _over_loopback(
    folder: Path, source: KnownSource, sims: int, latency_s: float, most: float | None
) -> Iterator[Measure]:
    """A pull, held against the limit; without a bar, also against one who does nothing but ask for the next page."""
    with serving(Setup(sims=sims, source=source.key, source_rps=RPS, latency_s=latency_s)) as carriers:
        store = f"sqlite:///{source.key}-{latency_s}.db"
        desk = Desk(folder, {**carriers.environment, f"{source.prefix}_MAX_RPS": str(RPS), "MIGRATOR_STATE": store})
        ended = desk.run("inventory", "pull")
        asked = carriers.asked(source.section)
        bare_s = None if most is not None else _followed(carriers)
    spent_s = asked[-1].at_s - asked[0].at_s + latency_s
    what = f"{sims:,} SIMs, {source.name}, {RPS} requests/s, {latency_s * 1000:.0f} ms replies, loopback"
    yield _pace(f"{what}: first request to last reply", spent_s, most=most)
    if bare_s is not None:
        told = "by tokens alone"
        yield Measure(what="… of that", value=spent_s, unit="s", against=bare_s, against_what=told, most=1.03)
    yield Measure(
        what="… the whole command, start of Python included",
        value=ended.seconds,
        unit="s",
        against=FLOOR_S,
        against_what="pages ÷ rate",
    )
    yield _refusals([entry.status for entry in asked])


def _followed(carriers: Carriers) -> float:
    """Follow Onomondo's list from token to token, and do nothing with it. Returns: seconds."""
    login = {"Authorization": f"Bearer {carriers.environment['ONOMONDO_API_KEY']}"}
    params: dict[str, str | int] = {"limit": ONOMONDO_PAGE}
    with httpx.Client(base_url=carriers.environment["ONOMONDO_BASE_URL"], headers=login, timeout=60) as http:
        began = time.perf_counter()
        while token := http.get("/sims", params=params).raise_for_status().json().get("next_page"):
            params["next_page"] = token
        return time.perf_counter() - began


def pace_virtual(folder: Path) -> Iterator[Measure]:
    """The same for both sources on a virtual clock: nothing but waiting takes time."""
    yield from _of_onence(folder)
    for latency_s in (LATENCY_S, QUICK_S):
        yield from _of_onomondo(folder, latency_s)


def _of_onence(folder: Path) -> Iterator[Measure]:
    for sims, most in ((SIMS, 1.05), (MANY, 1.03)):
        limit = RateLimit(RPS, RPS)
        simulator = OnenceSimulator(sims=sims, behaviour=OnenceBehaviour(rate_limit=limit, latency_s=LATENCY_S))
        source = partial(
            OnenceSource, client_id=simulator.client_id, client_secret=simulator.client_secret, pacer=Pacer(RPS)
        )
        spent_s = _virtual_pull(simulator, source, folder / f"onence-{sims}.db")
        yield _pace(f"{sims:,} SIMs, 1NCE, {RPS} requests/s, 150 ms replies, virtual clock", spent_s, sims, most)
        yield _refusals([entry.status for entry in simulator.ledger.entries])


def _of_onomondo(folder: Path, latency_s: float) -> Iterator[Measure]:
    """Its list, whose pages name each other, and the records that tell what the list does not.

    A page is asked for once the one before has come: the list takes as long as its replies, where these take longer
    than the limit asks.
    """
    pages = MANY // ONOMONDO_PAGE
    page_s, page_floor = max((latency_s, "reply after reply"), (1 / RPS, "pages ÷ rate"))
    what = f"Onomondo, {RPS} requests/s, {latency_s * 1000:.0f} ms replies, virtual clock"
    for sims, least_s, floor, quotas in (
        (MANY, pages * page_s, page_floor, False),
        (RECORDS, (1 + RECORDS) / RPS, "requests ÷ rate", True),
    ):
        behaviour = OnomondoBehaviour(rate_limit=RateLimit(RPS, RPS), latency_s=latency_s)
        simulator = OnomondoSimulator(sims=sims, behaviour=behaviour)
        source = partial(OnomondoSource, api_key=simulator.api_key, pacer=Pacer(RPS))
        spent_s = _virtual_pull(simulator, source, folder / f"onomondo-{latency_s}-{sims}.db", quotas=quotas)
        read = f"{sims:,} records one by one" if quotas else f"{sims:,} SIMs"
        yield Measure(what=f"{read}, {what}", value=spent_s, unit="s", against=least_s, against_what=floor, most=1.03)
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


def _pace(what: str, spent_s: float, sims: int = SIMS, most: float | None = 1.05) -> Measure:
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
    with serving(Setup(sims=KILLED_SIMS, source_rps=RPS, latency_s=LATENCY_S)) as carriers:
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
