"""`serve` beside a fleet of 100,000 SIMs: what each page takes at the server, and what a run beside it is slowed by."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import httpx

from bench.carriers import Setup, serving
from bench.commands import Desk
from bench.measures import Measure
from bench.reporting import stored_fleet
from bench.whole_way import POLICY
from migrator.store import Store
from migrator.wiring.rehearsal.rehearsal import pool_of
from tests.builders import source_iccid, target, target_iccid
from tests.store.store_kit import NOW

__all__ = ["watching"]

SIMS, RUN_SIMS = 100_000, 1500
RATE = {"HOLOGRAM_MAX_RPS": "50"}
LOOKS, EVERY_S, ROUNDS = 7, 1.0, 2
MOST_S, MOST_SLOWER = 0.3, 1.05
COUNTED_S = 120.0
PAGES = (
    ("the overview", "/"),
    ("exceptions", "/sims?stage=exception"),
    ("the last page of all SIMs", "/sims?page=1000"),
    ("the last page of the stock", "/sims?stage=in_stock&page=1000"),
    ("runs and plans", "/runs"),
    ("a plan", "/runs/p1"),
    ("the story of a unit", f"/find?q={source_iccid(777)}"),
    ("a search by label", "/find?q=unit%204711"),
    ("a search in vain", "/find?q=359999999999999"),
    ("/metrics", "/metrics"),
)


def watching(folder: Path) -> Iterator[Measure]:
    """Each page of a large store, then two runs, one of them watched each second."""
    large = folder / "large"
    large.mkdir()
    stored_fleet(large, SIMS)
    _stocked(large)
    with _served(large) as http:
        for name, path in PAGES:
            took = sorted(_timed(http, path) for _ in range(LOOKS))
            yield Measure(
                what=f"`serve`, {SIMS:,} SIMs: {name}, median of {LOOKS}", value=took[LOOKS // 2], unit="s", most=MOST_S
            )
    alone, watched = [], []
    for number in range(ROUNDS):  # in turn, so that both meet the same machine
        alone.append(_run(folder / f"alone-{number}", is_watched=False))
        watched.append(_run(folder / f"watched-{number}", is_watched=True))
    yield Measure(
        what=f"`apply` of {RUN_SIMS:,} SIMs, 50 requests/s, with `serve` asked three pages each second",
        value=min(watched),
        unit="s",
        against=min(alone),
        against_what="alone",
        most=MOST_SLOWER,
    )


def _stocked(folder: Path) -> None:
    """Add claimed cards without a unit, as many as there are SIMs."""
    with closing(Store.open(f"sqlite:///{folder / 'migrator.db'}", now=NOW)) as store:
        for start in range(SIMS, 2 * SIMS, 2500):
            cards = range(start, start + 2500)
            store.stock.add([(target_iccid(number), "cards.csv") for number in cards], NOW)
            store.journal.observed([target(number) for number in cards], [], now=NOW)


def _timed(http: httpx.Client, path: str) -> float:
    began = time.perf_counter()
    answer = http.get(path)
    took = time.perf_counter() - began
    if answer.status_code not in {200, 404}:
        raise RuntimeError(f"{path}: {answer.status_code}")
    return took


@contextmanager
def _served(folder: Path) -> Iterator[httpx.Client]:
    """Serve the store in a folder, as a process. The whole fleet is counted before it is measured."""
    command = [sys.executable, "-m", "migrator", "serve", "--listen", "127.0.0.1:0"]
    environment = Desk(folder).environment()
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
        assert told is not None
        try:
            with httpx.Client(
                base_url=told[0], trust_env=False, timeout=COUNTED_S, headers={"accept": "text/html"}
            ) as http:
                http.get("/metrics")
                for path in ("/", "/runs/p1"):
                    while "are being counted" in http.get(path).text:
                        time.sleep(0.2)
                yield http
        finally:
            process.terminate()


def _run(folder: Path, *, is_watched: bool) -> float:
    """Carry a plan out. Returns: the seconds of `apply`."""
    folder.mkdir()
    with serving(Setup(sims=RUN_SIMS)) as carriers:
        desk = Desk(folder, {**carriers.environment, **RATE})
        (folder / "pool.txt").write_text("".join(f"{iccid}\n" for iccid in pool_of(RUN_SIMS)))
        (folder / "policy.toml").write_text(POLICY)
        desk.run("inventory", "pull")
        desk.run("pair", "pool", "pool.txt")
        claims = desk.run("plan", "create", "--policy", "policy.toml").data["claims"]
        with _looked_at(folder) if is_watched else nullcontext():
            return desk.run("apply", "--confirm", str(claims)).seconds


@contextmanager
def _looked_at(folder: Path) -> Iterator[None]:
    """Ask for three pages each second while the block lasts, as three open windows would."""
    with _served(folder) as http:
        is_over = threading.Event()

        def look() -> None:
            while not is_over.wait(EVERY_S):
                for path in ("/", "/runs", "/metrics"):
                    http.get(path)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        yield
        is_over.set()
        thread.join()
