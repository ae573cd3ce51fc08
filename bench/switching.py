"""Plans of a cutover and of the way back as the fleet grows: 10,000 and 100,000 SIMs."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.commands import COST, Desk
from bench.measures import MIB, Measure
from bench.reporting import stored_fleet
from bench.sizes import FLAT, PAGE_CACHE_BYTES

__all__ = ["switching"]

FLEETS = (10_000, 100_000)
MOST_BYTES = 200 * MIB


def switching(folder: Path) -> Iterator[Measure]:
    """Both plans in one process, which is another for each size."""
    costs = {sims: _planned(folder / str(sims), sims) for sims in FLEETS}
    for sims, cost in costs.items():
        yield Measure(what=f"`cutover plan` and `rollback plan`, {sims:,} SIMs", value=cost["seconds"], unit="s")
        yield Measure(what="… peak memory", value=cost["peak_bytes"], unit="MiB", most=MOST_BYTES)
    small, large = (costs[sims]["peak_bytes"] for sims in FLEETS)
    yield Measure(
        what="… peak memory of the larger fleet",
        value=large,
        unit="MiB",
        against=small + PAGE_CACHE_BYTES,
        against_what="of the smaller + page cache",
        most=FLAT,
    )


def _planned(folder: Path, sims: int) -> dict[str, Any]:
    folder.mkdir()
    stored_fleet(folder, sims)
    desk = Desk(folder)
    words = [sys.executable, "-m", "bench.cut_over", COST]
    subprocess.run(words, cwd=folder, env=desk.environment(), check=True)
    cost: dict[str, Any] = json.loads((folder / COST).read_text())
    if not cost["off"]:
        raise RuntimeError("nothing would be switched off: this measures nothing")
    return cost
