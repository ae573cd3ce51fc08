"""How memory and time of `inventory pull` and `plan create` grow with the fleet: 1,000, 10,000 and 100,000 SIMs."""

from collections.abc import Iterator
from pathlib import Path

from migrator.bootstrap.rehearsal import pool_of
from migrator.store.engine import CACHE_KIB
from tests.bench.carriers import Setup, serving
from tests.bench.commands import Desk, Ended
from tests.bench.measures import MIB, Measure
from tests.bench.pulling import pulled
from tests.bench.whole_way import POLICY

__all__ = ["sizes"]

FLEETS = (1000, 10_000, 100_000)
SMALL, MIDDLE, LARGE = FLEETS
FLAT = 1.25
"""A peak that is at most a quarter higher for a hundred times the SIMs, the page cache aside, is called flat."""
PAGE_CACHE_BYTES = CACHE_KIB * 1024
"""What SQLite keeps of the file in memory: a large store fills it, and none exceeds it."""
PLAN_MOST_S, PLAN_MOST_BYTES = 4.0, 200 * MIB
"""For 100,000 SIMs: a tenth of the time that a million may take, and all of the memory."""


def sizes(folder: Path) -> Iterator[Measure]:
    """Pull fleets of three sizes without a rate limit, pair them, and plan them."""
    pulls: dict[int, Ended] = {}
    pairs: dict[int, Ended] = {}
    plans: dict[int, Ended] = {}
    for sims in FLEETS:
        here = folder / str(sims)
        here.mkdir()
        pulls[sims] = pulled(here, sims)
        pairs[sims], plans[sims] = _planned(here, sims)
    yield from _memory("inventory pull", pulls, most=FLAT)
    yield from _memory("pair pool", pairs, most=None)
    yield from _memory("plan create", plans, most=FLAT)
    yield from _plan(plans)


def _planned(folder: Path, sims: int) -> tuple[Ended, Ended]:
    """Pair the fleet in this folder from a pool, and plan it; the organization at Hologram is empty."""
    (folder / "pool.txt").write_text("".join(f"{iccid}\n" for iccid in pool_of(sims)))
    (folder / "policy.toml").write_text(POLICY)
    with serving(Setup(sims=0)) as carriers:
        desk = Desk(folder, carriers.environment)
        return desk.run("pair", "pool", "pool.txt"), desk.run("plan", "create", "--policy", "policy.toml")


def _memory(command: str, ended: dict[int, Ended], *, most: float | None) -> Iterator[Measure]:
    """The peak at each size, over that of the smallest fleet with a full page cache."""
    at_least = ended[SMALL].peak_bytes + PAGE_CACHE_BYTES
    for sims in (MIDDLE, LARGE):
        yield Measure(
            what=f"`{command}`: peak memory at {sims:,} SIMs",
            value=ended[sims].peak_bytes,
            unit="MiB",
            against=at_least,
            against_what=f"at {SMALL:,} + page cache",
            most=most if sims == LARGE else None,
        )
    yield Measure(what=f"… seconds at {LARGE:,} SIMs", value=ended[LARGE].seconds, unit="s")


def _plan(plans: dict[int, Ended]) -> Iterator[Measure]:
    """What a plan of a large fleet costs, and whether it grows faster than the fleet."""
    planned, start_s = plans[LARGE], plans[SMALL].cpu_s
    yield Measure(what=f"… memory at {LARGE:,} SIMs", value=planned.peak_bytes, unit="MiB", most=PLAN_MOST_BYTES)
    yield Measure(what=f"… CPU seconds at {LARGE:,} SIMs", value=planned.cpu_s, unit="s", most=PLAN_MOST_S)
    yield Measure(
        what=f"… CPU time per SIM beyond {SMALL:,}",
        value=(planned.cpu_s - start_s) / (LARGE - SMALL),
        unit="ms",
        against=(plans[MIDDLE].cpu_s - start_s) / (MIDDLE - SMALL),
        against_what=f"at {MIDDLE:,}",
        most=1.25,
    )
