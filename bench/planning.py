"""`pair import`, `plan create` and `plan export` as the fleet grows: 10,000 and 100,000 SIMs, and a million on demand.

`BENCH_SIMS=1000000` adds a fleet of that size.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.commands import Desk, Ended, planned
from bench.fleet import stock, write_pairs
from bench.measures import MIB, Measure
from bench.planned import MAX_RPS
from bench.sizes import PAGE_CACHE_BYTES
from bench.whole_way import POLICY

__all__ = ["planning"]

FLEETS = (10_000, 100_000)
MILLION = 1_000_000
PLAN_MOST_S, PLAN_MOST_BYTES = 40.0, 200 * MIB
PAIR_MOST_S, PAIR_MOST_BYTES = 20.0, 150 * MIB
"""For a million SIMs; a smaller fleet may take its share of the time, and all of the memory."""
FLAT = 1.25


@dataclass(frozen=True, slots=True)
class Fleet:
    """What each command took."""

    sims: int
    pairing: Ended
    plan: Ended
    export: Ended


def planning(folder: Path) -> Iterator[Measure]:
    """Every size, then how the largest compares with the smallest."""
    more = os.environ.get("BENCH_SIMS")
    fleets = []
    for sims in (*FLEETS, int(more)) if more else FLEETS:
        here = folder / str(sims)
        here.mkdir()
        fleets.append(_fleet(here, sims))
        yield from _shown(fleets[-1])
    yield from _growth(fleets[0], fleets[-1])


def _fleet(folder: Path, sims: int) -> Fleet:
    stock(folder / "migrator.db", sims)
    write_pairs(folder / "pairs.csv", sims)
    (folder / "policy.toml").write_text(POLICY)
    desk = Desk(folder)
    pairing = desk.run("pair", "import", "pairs.csv")
    plan = planned(desk)
    return Fleet(sims, pairing, plan, desk.run("plan", "export", "plan.jsonl"))


def _shown(fleet: Fleet) -> Iterator[Measure]:
    yield from _command("pair import", fleet.sims, fleet.pairing, PAIR_MOST_S, PAIR_MOST_BYTES)
    yield from _command("plan create", fleet.sims, fleet.plan, PLAN_MOST_S, PLAN_MOST_BYTES)
    lookups = fleet.plan.data["lookups"]
    yield Measure(what="… of these seconds, to ask and keep what the target shows", value=_observing_s(fleet), unit="s")
    yield Measure(what=f"… the carrier's own: look-ups, at {MAX_RPS:g} a second", value=lookups / MAX_RPS, unit="s")
    yield from _command("plan export", fleet.sims, fleet.export, None, PLAN_MOST_BYTES)


def _command(command: str, sims: int, ended: Ended, most_s: float | None, most_bytes: int) -> Iterator[Measure]:
    """Seconds with their bar for so many SIMs, SIMs a second, and the peak."""
    most = None if most_s is None else most_s * sims / MILLION
    what = f"`{command}`, {sims:,} SIMs"
    yield Measure(what=f"{what}: seconds", value=ended.seconds, unit="s", most=most if sims >= FLEETS[-1] else None)
    yield Measure(what="… of the processor", value=ended.cpu_s, unit="s")
    yield Measure(what="… SIMs a second", value=sims / ended.seconds)
    yield Measure(what="… peak memory", value=ended.peak_bytes, unit="MiB", most=most_bytes)


def _growth(small: Fleet, large: Fleet) -> Iterator[Measure]:
    """Processor time per SIM and memory, of the largest fleet against the smallest."""
    yield Measure(
        what=f"`plan create`: processor time per SIM at {large.sims:,}",
        value=large.plan.cpu_s / large.sims,
        unit="ms",
        against=small.plan.cpu_s / small.sims,
        against_what=f"at {small.sims:,}",
        most=FLAT,
    )
    yield Measure(
        what=f"… peak memory at {large.sims:,}",
        value=large.plan.peak_bytes,
        unit="MiB",
        against=small.plan.peak_bytes + PAGE_CACHE_BYTES,
        against_what=f"at {small.sims:,} + page cache",
        most=FLAT,
    )


def _observing_s(fleet: Fleet) -> float:
    return float(fleet.plan.data["observing_s"])
