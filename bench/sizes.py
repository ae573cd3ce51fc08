"""How memory and time of `inventory pull` and `pair pool` grow with the fleet: 1,000, 10,000 and 100,000 SIMs."""

from collections.abc import Iterator
from pathlib import Path

from bench.commands import Desk, Ended
from bench.measures import Measure
from bench.pulling import pulled
from migrator.store.database.sqlite import CACHE_KIB
from migrator.wiring.rehearsal.rehearsal import pool_of

__all__ = ["sizes"]

FLEETS = (1000, 10_000, 100_000)
SMALL, MIDDLE, LARGE = FLEETS
FLAT = 1.25
"""A peak that is at most a quarter higher for a hundred times the SIMs, the page cache aside, is called flat."""
PAGE_CACHE_BYTES = CACHE_KIB * 1024
"""What SQLite keeps of the file in memory: a large store fills it, and none exceeds it."""


def sizes(folder: Path) -> Iterator[Measure]:
    """Pull fleets of three sizes without a rate limit, and pair them."""
    pulls: dict[int, Ended] = {}
    pairs: dict[int, Ended] = {}
    for sims in FLEETS:
        here = folder / str(sims)
        here.mkdir()
        pulls[sims] = pulled(here, sims)
        pairs[sims] = _paired(here, sims)
    yield from _memory("inventory pull", pulls, most=FLAT)
    yield from _memory("pair pool", pairs, most=None)


def _paired(folder: Path, sims: int) -> Ended:
    """Pair the fleet in this folder from a pool."""
    (folder / "pool.txt").write_text("".join(f"{iccid}\n" for iccid in pool_of(sims)))
    return Desk(folder).run("pair", "pool", "pool.txt")


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
