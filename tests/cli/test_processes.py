"""Real processes, really killed: `apply` against carriers on loopback, resumed until it is done."""

import os
import random
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.cli.conftest import Desk

KILLS = 4


@pytest.mark.slow
def test_a_process_that_is_killed_again_and_again_loses_nothing(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(sims=40)
    plan = desk.planned()
    command = [sys.executable, "-m", "migrator", "apply", "--confirm", str(plan["claims"])]
    chance = random.Random(3)
    killed = 0
    for _ in range(KILLS):
        process = subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=chance.uniform(1.0, 4.0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
    assert killed
    last = subprocess.run(command, env=os.environ, check=False, capture_output=True, text=True, timeout=120)
    assert last.returncode == 0, last.stdout + last.stderr
    ledger = desk.rehearsal.hologram.ledger
    assert set(ledger.charges.values()) == {1}
    assert len(ledger.charges) == plan["claims"]
    assert ledger.forbidden == []
