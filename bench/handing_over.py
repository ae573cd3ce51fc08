"""`handover export` as the fleet grows: all units, then `--since` without a change. BENCH_SIMS adds a fleet."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bench.commands import Desk, Ended
from bench.measures import MIB, Measure
from bench.reporting import CLAIM, stored_fleet
from bench.sizes import FLAT, PAGE_CACHE_BYTES
from migrator.core.cutover.life import Life, Proof
from migrator.core.fleet.imei import Unit
from migrator.core.fleet.sims import TargetLink
from migrator.store import Store
from tests.builders import source_iccid, target, target_iccid
from tests.store.store_kit import NOW

__all__ = ["handing_over"]

FLEETS = (10_000, 100_000)
MOST_BYTES = 200 * MIB
CLAIMED = "2025-11-24 16:00:00"


def handing_over(folder: Path) -> Iterator[Measure]:
    """Each export is a process of its own."""
    more = os.environ.get("BENCH_SIMS")
    fleets = (*FLEETS, int(more)) if more else FLEETS
    peaks = {}
    for sims in fleets:
        whole, delta = _exports(folder / str(sims), sims)
        peaks[sims] = max(whole.peak_bytes, delta.peak_bytes)
        yield Measure(what=f"`handover export`, {sims:,} units", value=whole.seconds, unit="s")
        yield Measure(what="… `--since`, and nothing changed", value=delta.seconds, unit="s")
        yield Measure(what="… peak memory of the larger of the two", value=peaks[sims], unit="MiB", most=MOST_BYTES)
    yield Measure(
        what="… peak memory of the largest fleet",
        value=peaks[fleets[-1]],
        unit="MiB",
        against=peaks[fleets[0]] + PAGE_CACHE_BYTES,
        against_what="of the smallest + page cache",
        most=FLAT,
    )


def _exports(folder: Path, sims: int) -> tuple[Ended, Ended]:
    folder.mkdir()
    stored_fleet(folder, sims)
    with closing(Store.open(f"sqlite:///{folder / 'migrator.db'}", now=NOW)) as store:
        for start in range(0, sims, CLAIM):
            numbers = range(start, min(start + CLAIM, sims))
            store.journal.observed(map(_observed, numbers), [], now=NOW + 9001)
            store.proofs.keep("p1", map(_proved, numbers), NOW + 9001)
    desk = Desk(folder)
    whole = desk.run("handover", "export", "--out", "all.csv")
    delta = desk.run("handover", "export", "--out", "delta.csv", "--since", "all.csv.cursor")
    if whole.data["rows"] != sims or delta.data["rows"]:
        raise RuntimeError(f"{whole.data['rows']} and {delta.data['rows']} rows: this measures nothing")
    return whole, delta


def _observed(number: int) -> TargetLink:
    """A record with the numbers that Hologram tells."""
    profile = {
        "sim": target_iccid(number).digits,
        "simcardid": 4_860_000 + number,
        "imsi": 234_500_000_000_000 + number,
        "msisdn": f"8829{number:011d}",
        "eid": None,
        "apn": "hologram",
    }
    raw = {"id": 1000 + number, "simcardid": 4_860_000 + number, "links": {"cellular": [profile]}}
    return target(number, raw=raw, claimed_at=CLAIMED, last_connected_at=CLAIMED)


def _proved(number: int) -> Proof:
    iccids = source_iccid(number).digits, target_iccid(number).digits
    return Proof(*iccids, Life.ALIVE, Unit.MATCHED, NOW + 9000)
