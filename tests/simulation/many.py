"""Many seeds, on every core: `make simulate SEEDS=10000`, or `make simulate-cutover SEEDS=2000`.

Prints the seeds that fail, each with the command that replays it, and what the schedules met on their way: faults,
crash points, and every move of the transition table. Exit code 1 if a seed failed.
"""

import argparse
import gc
import logging
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from migrator.core.run.states import STEP_TRANSITIONS
from migrator.ports import WAITS
from tests.simulation.test_seeds import lived
from tests.worlds.cutover_world import Draw, live_through_a_cutover, of_onence
from tests.worlds.onomondo_world import of_onomondo

__all__ = ["Tally", "live", "main"]

SOURCES: dict[str, Draw] = {"1nce": of_onence, "onomondo": of_onomondo}
CHUNK = 20
MEMORY = Path("/dev/shm")  # noqa: S108 - private folders are made in it; a disk would have to forget these files again


@dataclass(slots=True)
class Tally:
    """What some seeds came to."""

    seeds: int = 0
    met: Counter[str] = field(default_factory=Counter)
    failed: dict[int, str] = field(default_factory=dict)

    def add(self, other: "Tally") -> None:
        """Count another's in."""
        self.seeds += other.seeds
        self.met += other.met
        self.failed |= other.failed


def live(
    seeds: Sequence[int], what: str = "migration", source: str = "1nce", *, is_first_the_last: bool = False
) -> Tally:
    """Live through some seeds, one after the other.

    Args:
        seeds: the seeds.
        what: "migration", or "cutover" (and the way back).
        source: of the old SIMs, one of `SOURCES`.
        is_first_the_last: end at the first seed that fails.
    """
    if not gc.get_freeze_count():  # once a process: what is garbage then is never freed
        gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    tally = Tally()
    for seed in seeds:
        with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
            try:
                if what == "cutover":
                    live_through_a_cutover(seed, Path(folder), SOURCES[source])
                else:
                    tally.met += lived(seed, Path(folder), source).met
            except Exception as error:  # noqa: BLE001 - whatever it was, it is told, and the next seed is tried
                where = "".join(traceback.format_tb(error.__traceback__)[-1:])
                tally.failed[seed] = f"{where}{type(error).__name__}: {error}"
        tally.seeds += 1
        if tally.failed and is_first_the_last:
            break
    return tally


def main() -> None:
    """Run many seeds and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    parser.add_argument("--what", choices=("migration", "cutover"), default="migration")
    parser.add_argument("--source", choices=tuple(SOURCES), default="1nce")
    parser.add_argument("--fail-fast", action="store_true", help="end at the first seed that fails")
    asked = parser.parse_args()
    logging.getLogger(WAITS).addHandler(logging.NullHandler())  # carriers that ask to wait are what is simulated
    began, total = time.monotonic(), Tally()
    for tally in _tallies(range(asked.first, asked.first + asked.seeds), asked):
        total.add(tally)
        for seed, why in tally.failed.items():
            print(f"\nseed {seed} failed: {why}\n{_replay(asked.what, seed, asked.source)}")
        _show_progress(total, began)
        if total.failed and asked.fail_fast:
            break
    seconds = time.monotonic() - began
    if asked.what == "migration":
        _print(total)
    _print_end(total, seconds, asked.jobs)
    sys.exit(bool(total.failed))


def _replay(what: str, seed: int, source: str) -> str:
    named = f"--what {what} --source {source} --first {seed} --seeds 1 --jobs 1"
    return f"replay: python -m tests.simulation.many {named}"


def _tallies(seeds: range, asked: argparse.Namespace) -> Iterator[Tally]:
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    alike = partial(live, what=asked.what, source=asked.source, is_first_the_last=asked.fail_fast)
    if asked.jobs == 1:
        yield from map(alike, chunks)
        return
    with ProcessPoolExecutor(asked.jobs) as pool:
        yield from pool.map(alike, chunks)


def _show_progress(total: Tally, began: float) -> None:
    rate = total.seeds / (time.monotonic() - began)
    end = "" if sys.stderr.isatty() else "\n"
    if sys.stderr.isatty() or total.seeds % 1000 == 0:
        print(f"\r{total.seeds} seeds, {len(total.failed)} failed, {rate:.1f} a second ", end=end, file=sys.stderr)


def _print(total: Tally) -> None:
    moves = {f"move {was} --{event}": f"{was} --{event}--> {to}" for (was, event), to in STEP_TRANSITIONS.items()}
    print("\nWhat went wrong, and how often:")
    for name, times in sorted(total.met.items()):
        if name not in moves:
            print(f"  {times:9,} {name}")
    print("\nMoves of the transition table:")
    for name, words in moves.items():
        print(f"  {total.met[name]:9,} {words}")
    never = [words for name, words in moves.items() if not total.met[name]]
    print(f"\nNever taken: {', '.join(never) or 'none'}")


def _print_end(total: Tally, seconds: float, jobs: int) -> None:
    failed = f"{len(total.failed)} failed" + "".join(f" {seed}" for seed in sorted(total.failed))
    print(f"{total.seeds} seeds, {failed}, {total.seeds / seconds:.1f} seeds a second with {jobs} processes")


if __name__ == "__main__":
    main()
