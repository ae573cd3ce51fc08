"""How long a person waits for the first word."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.commands import Desk
from bench.measures import Measure
from tests.worlds.world import World

__all__ = ["startup"]

RUNS = 10


def startup(folder: Path) -> Iterator[Measure]:
    """The help, and a light command that opens a store and shows a plan."""
    World(folder, sims=12).ready()
    status = f"--state sqlite:///{folder / 'state.db'} status".split()
    yield Measure(what="`migrator --help`, median of 10", value=_median_s(folder, "--help"), unit="ms", most=0.25)
    yield Measure(what="`migrator status`, median of 10", value=_median_s(folder, *status), unit="ms")


def _median_s(folder: Path, *words: str) -> float:
    return statistics.median(_seconds(folder, words) for _ in range(RUNS))


def _seconds(folder: Path, words: Sequence[str]) -> float:
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "migrator", *words],
        cwd=folder,
        env=Desk(folder).environment(),
        capture_output=True,
        check=True,
    )
    return time.perf_counter() - began
