"""`pair discover` from what is on disk: old and new SIMs by the million, brought together by their hardware.

`BENCH_SIMS=1000000` measures a fleet of that size in place of the smaller one.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.commands import Desk
from bench.fleet import NOW, stock
from bench.measures import MIB, Measure
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import TargetLink, link_state
from migrator.store import Store
from migrator.wiring.rehearsal.rehearsal import pool_of

__all__ = ["discovering"]

FLEET, MILLION = 100_000, 1_000_000
MOST_S, MOST_BYTES = 60.0, 200 * MIB
"""For a million old and new SIMs; a smaller fleet may take its share of the time, and all of the memory."""
CROSSED_EVERY, STRANGE_EVERY = 10, 50


def discovering(folder: Path) -> Iterator[Measure]:
    """Every new SIM in the hardware of an old one, but for some in hardware that nobody knows."""
    sims = int(os.environ.get("BENCH_SIMS", FLEET))
    stock(folder / "migrator.db", sims)
    with Store.open(f"sqlite:///{folder / 'migrator.db'}", now=NOW) as store:
        store.journal.observed(_links(sims), (), now=NOW)
    ended = Desk(folder).run("pair", "discover", "--out", "out.csv", "--exceptions", "rest.csv", expect=(0, 3))
    what = f"`pair discover`, {sims:,} old and new SIMs"
    yield Measure(what=f"{what}: seconds", value=ended.seconds, unit="s", most=MOST_S * sims / MILLION)
    yield Measure(what="… of the processor", value=ended.cpu_s, unit="s")
    yield Measure(what="… peak memory", value=ended.peak_bytes, unit="MiB", most=MOST_BYTES)
    yield Measure(what="… new SIMs looked at", value=ended.data["looked_at"])


def _links(sims: int) -> Iterator[TargetLink]:
    claimed = datetime.fromtimestamp(NOW, UTC) - timedelta(days=30)
    lived = claimed + timedelta(days=3)
    for number, iccid in enumerate(pool_of(sims)):
        unit = number ^ 1 if number % CROSSED_EVERY < 2 else number
        maker = "86" if number % STRANGE_EVERY == 0 else "35"
        yield TargetLink(
            iccid=Iccid.parse(iccid),
            org_id=None,
            device_id=number + 1,
            link_id=number + 1,
            state=link_state("LIVE"),
            state_word="LIVE",
            claimed_at=f"{claimed:%Y-%m-%d %H:%M:%S}",
            last_connected_at=f"{lived:%Y-%m-%d %H:%M:%S}",
            imei=f"{maker}{unit:012d}17",
        )
