"""The clock of a rehearsal: waits cost no time, and are over in their order."""

import time
from datetime import UTC, datetime, timedelta

import anyio
import anyio.to_thread
import pytest

from migrator.wiring.rehearsal.days import JumpingClock

MONDAY = datetime(2026, 11, 16, 18, tzinfo=UTC)


def test_a_wait_jumps_and_later_loops_go_on_from_there() -> None:
    clock, woken = JumpingClock(MONDAY), list[tuple[str, datetime]]()

    async def sleeper(name: str, seconds: float) -> None:
        await anyio.sleep(seconds)
        woken.append((name, clock.now()))

    async def day() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sleeper, "late", 86_400.0)
            tasks.start_soon(sleeper, "early", 60.0)

    clock.run(day)
    assert [name for name, _ in woken] == ["early", "late"]
    assert [(at - MONDAY).total_seconds() for _, at in woken] == pytest.approx([60.0, 86_400.0])
    clock.wait_until(MONDAY + timedelta(days=2))
    clock.wait_until(MONDAY)  # nobody goes back
    clock.run(lambda: sleeper("next", 1.0))
    assert clock.now() == MONDAY + timedelta(days=2, seconds=1)


def test_a_thread_is_waited_for() -> None:
    """Only timers jump: what really takes its time is let end."""

    def works() -> str:
        time.sleep(0.01)
        return "done"

    assert JumpingClock(MONDAY).run(lambda: anyio.to_thread.run_sync(works)) == "done"


def test_the_first_error_of_a_group_comes_out_alone() -> None:
    async def breaks() -> None:
        raise LookupError("the first")

    async def grouped() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(breaks)

    with pytest.raises(LookupError, match="the first"):
        JumpingClock(MONDAY).run(grouped)
