"""`python -m bench [NAME...]`: run all measurements, or some, and print them as one table."""

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench.applying import applying
from bench.campaigning import campaigning
from bench.databases import databases
from bench.discovering import discovering
from bench.drafting import drafting
from bench.handing_over import handing_over
from bench.measures import Measure, table
from bench.pacing import pacing
from bench.planning import planning
from bench.planning_databases import planning_databases
from bench.pulling import killed, pace, pace_virtual
from bench.reporting import reporting
from bench.sizes import sizes
from bench.startup import startup
from bench.storing import storing
from bench.switching import switching
from bench.ticking import ticking
from bench.watching import watching
from bench.whole_way import whole_way

MEASUREMENTS: Mapping[str, Callable[[Path], Iterator[Measure]]] = {
    "whole_way": whole_way,
    "pace": pace,
    "pace_virtual": pace_virtual,
    "pacing": pacing,
    "applying": applying,
    "sizes": sizes,
    "planning": planning,
    "killed": killed,
    "storing": storing,
    "reporting": reporting,
    "campaigning": campaigning,
    "switching": switching,
    "handing_over": handing_over,
    "watching": watching,
    "drafting": drafting,
    "discovering": discovering,
    "databases": databases,
    "planning_databases": planning_databases,
    "ticking": ticking,
    "startup": startup,
}


def main(names: list[str]) -> int:
    """Measure what is named, or everything. Returns: 0 whatever came out, or 2 for a name that there is not."""
    unknown = set(names) - set(MEASUREMENTS)
    if unknown:
        known = ", ".join(MEASUREMENTS)
        print(f"no such measurement: {', '.join(sorted(unknown))}; there are {known}", file=sys.stderr)
        return 2
    began = time.perf_counter()
    measures: list[Measure] = []
    for name in names or MEASUREMENTS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as folder:
            measures += MEASUREMENTS[name](Path(folder))
    print(table(measures))
    spent_s = time.perf_counter() - began
    print(f"\nPython {platform.python_version()}, {os.cpu_count()} cores, {spent_s:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
