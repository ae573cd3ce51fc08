"""A real process, paused and resumed from another one."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import IO, Any

import pytest

from tests.cli.conftest import Desk


@pytest.mark.loopback
@pytest.mark.slow
def test_a_running_apply_is_paused_and_resumed_from_another_process(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(sims=30)
    plan = desk.planned()
    os.environ["HOLOGRAM_MAX_RPS"] = "4"  # the desk puts it back; slow, as the other process starts beside much work
    command = [sys.executable, "-m", "migrator", "--events", "apply", "--confirm", str(plan["claims"])]
    with subprocess.Popen(command, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as run:
        assert run.stdout is not None
        try:
            _read_until(run.stdout, "claimed")
            assert "stands still" in _migrator("run", "pause").stdout
            told = _read_until(run.stdout, "paused")
            assert "paused by" in told["order"]
            paused_at = len(desk.rehearsal.hologram.ledger.entries)
            assert '"state": "paused"' in _migrator("--json", "status").stdout
            assert len(desk.rehearsal.hologram.ledger.entries) - paused_at <= 1
            assert "goes on" in _migrator("run", "resume").stdout
            _read_until(run.stdout, "resumed")
            assert _read_until(run.stdout, "result")["exit_code"] == 0
        finally:
            run.kill()
    assert set(desk.rehearsal.hologram.ledger.charges.values()) == {1}


def _migrator(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "migrator", *words]
    return subprocess.run(command, env=os.environ, check=True, capture_output=True, text=True, timeout=60)


def _read_until(stream: IO[str], event: str) -> dict[str, Any]:
    """The next event of this name; the stream's end is a failure."""
    for line in stream:
        told: dict[str, Any] = json.loads(line)
        if told["event"] == event:
            return told
    raise AssertionError(f"the run ended before it told of {event!r}")
