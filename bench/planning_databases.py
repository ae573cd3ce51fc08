"""`plan create` of the same fleet in both databases, in one run: 100,000 SIMs, or `BENCH_SIMS`.

Nothing where there is no server.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.commands import Desk, Ended, planned
from bench.fleet import stock, write_pairs
from bench.measures import Measure
from bench.sizes import PAGE_CACHE_BYTES
from bench.whole_way import POLICY
from tests.server import MISSING, made, running

__all__ = ["planning_databases"]

MOST, FLAT = 2.0, 1.25


def planning_databases(folder: Path) -> Iterator[Measure]:
    """A plan in the file, the fleet copied to the server, and a plan there."""
    if running() is None:
        print(MISSING, file=sys.stderr)
        return
    sims = int(os.environ.get("BENCH_SIMS", "100000"))
    with made(fsync="on", full_page_writes="on", autovacuum="on") as server:
        _, small = _both(folder / "small", sims // 10, "small", server.url())
        here, there = _both(folder / "large", sims, "large", server.url())
    what = f"`plan create`, {sims:,} SIMs, PostgreSQL"
    yield Measure(
        what=f"{what}: seconds", value=there.seconds, unit="s", against=here.seconds, against_what="SQLite", most=MOST
    )
    yield Measure(what="… of this process", value=there.cpu_s, unit="s", against=here.cpu_s, against_what="SQLite")
    yield Measure(
        what="… peak memory",
        value=there.peak_bytes,
        unit="MiB",
        against=small.peak_bytes + PAGE_CACHE_BYTES,
        against_what=f"at {sims // 10:,} + page cache",
        most=FLAT,
    )


def _both(folder: Path, sims: int, account: str, url: str) -> tuple[Ended, Ended]:
    """Returns: what a plan took in the file, and in PostgreSQL."""
    folder.mkdir()
    stock(folder / "migrator.db", sims)
    write_pairs(folder / "pairs.csv", sims)
    (folder / "policy.toml").write_text(POLICY)
    Desk(folder).run("pair", "import", "pairs.csv")
    shutil.copyfile(folder / "migrator.db", folder / "moved.db")
    Desk(folder, {"MIGRATOR_ACCOUNT": account}).run("state", "copy", "sqlite:///moved.db", url)
    return planned(Desk(folder)), planned(Desk(folder, {"MIGRATOR_STATE": url, "MIGRATOR_ACCOUNT": account}))
