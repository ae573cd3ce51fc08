"""Whether the holder of the lease is a dead process of this very machine."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from migrator.store import Owner, Store
from migrator.wiring import owner, process_is_alive, process_is_gone
from tests.cli.conftest import Desk

NOW = 1_790_000_000.0
tells_when_processes_began = pytest.mark.skipif(sys.platform != "linux", reason="Linux's own")


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


# --- known to live ------------------------------------------------------------------------------------------------


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that is there until it is killed."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as child:
        yield child
        child.kill()


def owned_by(child: "subprocess.Popen[bytes]", *, since_s: float = 0.0) -> Owner:
    """The owner that a process became just now, or so many seconds later."""
    now = time.time()
    return Owner(owner(now).host, child.pid, now + since_s)


@tells_when_processes_began
def test_a_process_that_was_there_when_the_lease_was_taken_is_alive_also_while_it_is_stopped(
    sleeper: "subprocess.Popen[bytes]",
) -> None:
    holder = owned_by(sleeper, since_s=1.0)
    assert process_is_alive(holder)
    sleeper.send_signal(signal.SIGSTOP)
    assert process_is_alive(holder)
    sleeper.kill()
    sleeper.wait()
    assert not process_is_alive(holder)


@tells_when_processes_began
def test_a_process_that_ended_and_that_nobody_asked_after_is_not_alive(sleeper: "subprocess.Popen[bytes]") -> None:
    holder = owned_by(sleeper, since_s=1.0)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not process_is_alive(holder)


def test_a_process_that_was_given_the_number_of_the_holder_later_is_not_it(sleeper: "subprocess.Popen[bytes]") -> None:
    assert not process_is_alive(owned_by(sleeper, since_s=-120.0))


@tells_when_processes_began
def test_a_clock_that_was_set_forward_a_little_makes_nobody_dead(sleeper: "subprocess.Popen[bytes]") -> None:
    """By the clock as it is now, the process began after it took the lease."""
    assert process_is_alive(owned_by(sleeper, since_s=-10.0))


def test_a_process_of_another_machine_is_not_known_to_live(sleeper: "subprocess.Popen[bytes]") -> None:
    assert not process_is_alive(Owner("elsewhere", sleeper.pid, time.time() + 1.0))


@tells_when_processes_began
def test_a_run_that_is_stopped_for_long_keeps_others_out(desk: Desk, sleeper: "subprocess.Popen[bytes]") -> None:
    plan = desk.planned()
    sleeper.send_signal(signal.SIGSTOP)
    holder = owned_by(sleeper, since_s=1.0)
    with Store.open("sqlite:///migrator.db", now=0.0) as store:
        store.lease.acquire(holder, holder.started_at - 3600, is_gone=lambda _owner: False)
    ended = desk.run("apply", "--confirm", str(plan["claims"]))
    assert ended.code == 9
    assert f"kill -KILL {sleeper.pid}" in ended.err
    sleeper.kill()
    sleeper.wait()
    assert desk.run("apply", "--confirm", str(plan["claims"])).code == 0
