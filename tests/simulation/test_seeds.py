"""Seeded schedules of everything that may go wrong: whatever happens, the end is right and nobody pays twice.

`python -m tests.simulation.test_seeds FIRST LAST` runs a range of seeds and prints those that fail.
"""

import sys
import tempfile
import time
import traceback
from pathlib import Path

import pytest

from migrator.core.plan import Action
from migrator.core.results import ExitCode
from tests.simulation.schedules import Outcome, live_through

SEEDS = (*range(60), 100913)
"""The last one: a name that was lost on its way six times, which is the network's fault and not the SIM's."""


def check(outcome: Outcome) -> None:
    """Nothing charged twice or forbidden; every SIM that could be claimed is ours; the exit code says how it went."""
    outcome.world.check()
    with outcome.world.store() as store:
        changes = list(store.plans.changes(store.plans.newest() or ""))
    wanted = {str(change.target_iccid) for change in changes if change.action is Action.CLAIM}
    assert outcome.world.ours() == wanted - outcome.bad
    if not wanted & outcome.bad:
        assert outcome.result.exit_code is ExitCode.DONE
        outcome.world.check_fulfilled()


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_goes_wrong_the_end_is_right(seed: int, tmp_path: Path) -> None:
    check(live_through(seed, tmp_path))


def main() -> None:
    """Run a range of seeds."""
    first, last = int(sys.argv[1]), int(sys.argv[2])
    began, failed = time.monotonic(), 0
    for seed in range(first, last):
        with tempfile.TemporaryDirectory() as folder:
            try:
                check(live_through(seed, Path(folder)))
            except AssertionError:
                failed += 1
                print(f"seed {seed}: {traceback.format_exc(limit=-1)}")
    rate = (last - first) / (time.monotonic() - began)
    print(f"{last - first} seeds, {failed} failed, {rate:.1f} seeds a second")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
