"""The tool's own commands as an operator runs them: processes, timed, with the memory they took."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.carriers import ROOT
from migrator.core.run.sources import SOURCES

__all__ = ["COST", "Desk", "Ended", "planned"]

FASTEST = "10000"
COST = "cost.json"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended. `seconds` go from its start to its end, process and imports included; `cpu_s` are its own.

    `data` is that of the envelope.
    """

    seconds: float
    cpu_s: float
    peak_bytes: int
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Desk:
    """A folder to run commands in, and what they find in their environment.

    Args:
        variables: of the carriers and of this measurement; anything the operator has set for real ones stays out.
    """

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """The whole environment of a command. No pace of ours holds it back unless a measurement sets one.

        An installed tool has its bytecode: an environment that keeps none would have each command compile its own.
        """
        carriers = [*(source.prefix for source in SOURCES.values()), "HOLOGRAM"]
        ours = tuple(f"{name}_" for name in (*carriers, "MIGRATOR"))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        paces = {f"{name}_MAX_RPS": FASTEST for name in carriers}
        return {**kept, "PYTHONPATH": str(ROOT), **paces, **self.variables}

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command and leave it to the caller. It writes what it cost at its end."""
        return subprocess.Popen(
            [sys.executable, "-m", "bench.measured", COST, "--json", *words],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, expect: Sequence[int] = (0,)) -> Ended:
        """Run a command to its end. Raises: RuntimeError, with its words, if it ends otherwise than expected."""
        began = time.perf_counter()
        process = self.start(*words)
        out, err = process.communicate()
        seconds = time.perf_counter() - began
        if process.returncode not in expect:
            raise RuntimeError(f"`migrator {' '.join(words)}` ended with {process.returncode}: {err}")
        cost = json.loads((self.folder / COST).read_text())
        return Ended(seconds, cost["cpu_s"], cost["peak_bytes"], json.loads(out)["data"])


def planned(desk: Desk) -> Ended:
    """A plan of the desk's fleet by the desk's policy, made by a process of its own."""
    words = [sys.executable, "-m", "bench.planned", "policy.toml", COST]
    subprocess.run(words, cwd=desk.folder, env=desk.environment(), check=True)
    cost = json.loads((desk.folder / COST).read_text())
    return Ended(cost["seconds"], cost["cpu_s"], cost["peak_bytes"], cost)
