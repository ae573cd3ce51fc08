"""What it costs to have an intent in the main file: commits of a claim's intent, with and without it.

Run it with `python -m bench.anchoring [FOLDER]`, on the disk that is to be told of.
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from migrator.core.run.states import StepKind
from tests.store.store_kit import NOW, SENT, change, key, open_store, planned

__all__ = ["intents"]

ROUNDS = 60


def intents(folder: Path, sims: int, *, anchor: bool) -> list[float]:
    """Seconds for each of `ROUNDS` intents for so many SIMs."""
    took = []
    with open_store(folder) as store:
        planned(store, [change(number) for number in range(1, ROUNDS * sims + 1)])
        run_id = store.journal.start_run("p1", "bench", NOW)
        for number in range(ROUNDS):
            keys = [key(number * sims + at) for at in range(1, sims + 1)]
            began = time.perf_counter()
            store.journal.begin(run_id, StepKind.CLAIM, keys, SENT, wave="all", now=NOW)
            if anchor and not store.journal.into_main_file():
                raise SystemExit("somebody reads the store")
            took.append(time.perf_counter() - began)
    return took


def main() -> None:
    """Print the medians and the longest."""
    where = sys.argv[1] if len(sys.argv) > 1 else None
    for sims in (1, 50, 500):
        for anchor in (False, True):
            with tempfile.TemporaryDirectory(dir=where) as folder:
                took = [seconds * 1000 for seconds in intents(Path(folder), sims, anchor=anchor)]
            words = "in the main file" if anchor else "in the -wal alone"
            print(f"{sims:4} SIMs, {words}: median {median(took):.1f} ms, longest {max(took):.1f} ms")


if __name__ == "__main__":
    main()
