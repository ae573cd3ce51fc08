"""`python -m tests.simulation.campaigns --units 3000 --days 120 --seed 1`: a campaign over months, day by day."""

import argparse
import tempfile
import time
from pathlib import Path

from tests.simulation.campaign_days import live_through_a_campaign


def told(words: str) -> None:
    """Say how far a long campaign is."""
    print(f"  {words}", flush=True)


def main() -> None:
    """Live through campaigns of the seeds that are asked for, and print what came of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=3000)
    parser.add_argument("--days", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from --seed on")
    asked = parser.parse_args()
    for seed in range(asked.seed, asked.seed + asked.seeds):
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            lived = live_through_a_campaign(seed, Path(folder), units=asked.units, days=asked.days, tell=told)
            off, claims = len(lived.world.off() & set(lived.units)), lived.world.claims()
        ours, all_at_once = lived.idle()
        print(f"seed {seed}: {len(lived.units)} units, {off} cut over, {len(lived.bad)} bad cards, {claims} claims")
        print(f"  idle, in monthly fees: {ours} as claimed, {all_at_once} if all on day one: {ours / all_at_once:.1%}")
        print(f"  killed {lived.kills} times; ticks by exit code: {dict(sorted(lived.codes.items()))}")
        for reason, times in lived.reasons.most_common(8):
            print(f"    {times} x {reason}")
        print(f"  {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
