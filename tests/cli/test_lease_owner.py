"""Whether the holder of the lease is a dead process of this very machine."""

import os
import subprocess
import sys

import pytest

from migrator.bootstrap import owner, process_is_gone
from migrator.store import Owner

NOW = 1_790_000_000.0


def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_a_process_of_this_machine_that_ended_is_gone_and_a_living_one_is_not() -> None:
    here = owner(NOW).host
    assert process_is_gone(Owner(here, dead_pid(), NOW))
    assert not process_is_gone(Owner(here, os.getpid(), NOW))


@pytest.mark.parametrize("mark", ["#000000", ""])
def test_nothing_is_known_of_another_container_with_the_name_of_this_machine(mark: str) -> None:
    """It may share the volume, and its processes are not ours to see."""
    name = owner(NOW).host.partition("#")[0]
    assert not process_is_gone(Owner(f"{name}{mark}", dead_pid(), NOW))
