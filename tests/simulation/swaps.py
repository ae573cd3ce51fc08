"""`python -m tests.simulation.swaps --units 3000 --seed 1`: one large fleet that is swapped over twenty days."""

import argparse
import tempfile
import time
from pathlib import Path

from tests.worlds.swapped import live_through_swaps


def main() -> None:
    """Swap fleets of the seeds that are asked for, and print what came of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from --seed on")
    asked = parser.parse_args()
    for seed in range(asked.seed, asked.seed + asked.seeds):
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            fleet = live_through_swaps(seed, Path(folder), asked.units)
            off = len(fleet.world.off())
        what = f"{len(fleet.units)} units, {len(fleet.truth)} swapped, {len(fleet.nameless)} with no IMEI of their own"
        came = f"{fleet.accepted} pairs found, all right; {off} old SIMs off; no card charged twice"
        print(f"seed {seed}: {what}; {came}; {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
