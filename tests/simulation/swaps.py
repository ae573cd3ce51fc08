"""`python -m tests.simulation.swaps --units 3000 --seed 1`: one large fleet that is swapped over twenty days."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.worlds.swapped import live_through_swaps


def main() -> None:
    """Swap fleets of the seeds that are asked for, and print what came of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=3000, help="how many units are swapped")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from --seed on")
    asked = parser.parse_args()
    for seed in range(asked.seed, asked.seed + asked.seeds):
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            fleet = live_through_swaps(seed, Path(folder), asked.units)
            bar, off = fleet.bar(), len(fleet.world.off())
        print(
            f"seed {seed}: {len(fleet.truth)} units swapped of {len(fleet.units)}, "
            f"{len(fleet.nameless)} with no IMEI of their own; {fleet.accepted} pairs found; {off} old SIMs off\n"
            f"  pairs that the evidence settles: {bar.right} of {bar.settled} right\n"
            f"  wrong pairs accepted: {bar.wrong}; old SIMs in use switched off: {bar.in_use_off}; "
            f"cards charged twice: {bar.charged_twice}\n"
            f"  {'the bar is met' if bar.is_met else 'THE BAR IS MISSED'}; {time.perf_counter() - began:.0f} s",
            flush=True,
        )
        if not bar.is_met:
            sys.exit(1)


if __name__ == "__main__":
    main()
