"""Real processes, really killed: `apply` against `simulate serve`, resumed until it is done."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from migrator.store import Store
from tests.cli.conftest import POLICY

KILLS = 6
SIMS = 144
PATIENCE_S = 180.0
BETWEEN_LOOKS_S = 0.02
"""Looking without a break would take the processor from those who are looked at."""

QUICK = "import migrator.wiring as b; b.START_RPS = 500.0; from migrator.cli import main; main()"
"""The command line, without the seconds in which a real run feels its way up to the carrier's rate."""

HEED_HANG_UPS = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL); "
"""Whoever runs these tests may have been told to bear hang-ups, and children inherit that."""

TAKE_TERMINAL = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
"""Makes the terminal at stdin the one whose closing is told to this process."""


@dataclass(frozen=True, slots=True)
class Carriers:
    """Both carriers as a process of their own, seen from outside."""

    settings: dict[str, str]
    client: httpx.Client

    def seen(self, what: str) -> dict[str, Any]:
        """What `_simulator/...` tells of Hologram."""
        base = self.settings["HOLOGRAM_BASE_URL"].removesuffix("/api/1")
        told: dict[str, Any] = self.client.get(f"{base}/_simulator/{what}").json()
        return told

    def command(self, *words: str, ignores_hang_up: bool = False) -> subprocess.Popen[str]:
        """Start a command."""
        environment = {**os.environ, **self.settings, "PYTHONFAULTHANDLER": "1"}
        python = ["nohup", sys.executable] if ignores_hang_up else [sys.executable]
        code = QUICK if ignores_hang_up else HEED_HANG_UPS + QUICK
        return subprocess.Popen(
            [*python, "-c", code, *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str) -> str:
        """Run a command to its end, which is a good one. Returns: what it said."""
        process = self.command(*words)
        said, _ = process.communicate(timeout=2 * PATIENCE_S)
        assert process.returncode == 0, said
        return said


@contextmanager
def served(folder: Path) -> Iterator[Carriers]:
    """`simulate serve` in a process, with replies that take long enough to be killed in."""
    options = ["--sims", str(SIMS), "--port", "0", "--latency-ms", "10", "--pending-s", "0.5", "--onence-rps", "0"]
    command = [sys.executable, "-m", "migrator", "simulate", "serve", *options, "--pool-file", str(folder / "pool.txt")]
    with (
        httpx.Client(timeout=PATIENCE_S) as client,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(6)]
        settings = dict(line.removeprefix("export ").strip().split("=", 1) for line in lines)
        quick = {"HOLOGRAM_MAX_RPS": "500", "ONENCE_MAX_RPS": "500", "MIGRATOR_ABSENT_AFTER_S": "1"}
        quick["MIGRATOR_CLAIM_TIMEOUT_S"] = "30"  # a claim that was noted and never sent is waited for so long
        try:
            yield Carriers(settings | quick | {"MIGRATOR_CLAIM_BATCH": "12"}, client)
        finally:
            process.kill()


def under_way(carriers: Carriers, count: str, requests: int, *, ignores_hang_up: bool = False) -> subprocess.Popen[str]:
    """An `apply` that has sent so many requests."""
    until = carriers.seen("ledger")["requests"] + requests
    process = carriers.command("apply", "--confirm", count, ignores_hang_up=ignores_hang_up)
    deadline = time.monotonic() + PATIENCE_S
    while carriers.seen("ledger")["requests"] < until and process.poll() is None:
        if time.monotonic() > deadline:
            process.send_signal(signal.SIGABRT)
            said, _ = process.communicate(timeout=PATIENCE_S)
            pytest.fail(f"{carriers.seen('ledger')['requests']} of {until} requests were sent, and then: {said}")
        time.sleep(BETWEEN_LOOKS_S)
    return process


def killed_somewhere(carriers: Carriers, count: str, chance: random.Random) -> None:
    """Kill one `apply` a little after it has sent a few requests, wherever it is then."""
    process = under_way(carriers, count, chance.randint(1, 20))
    try:
        process.wait(chance.uniform(0.0, 0.05))
    except subprocess.TimeoutExpired:
        process.kill()
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == -9, f"it ended before it was killed: {said}"


@pytest.mark.slow
def test_a_process_that_is_killed_again_and_again_charges_every_sim_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.toml").write_text(POLICY, encoding="utf-8")
    chance = random.Random(3)
    with served(tmp_path) as carriers:
        for words in ("inventory pull", "pair pool pool.txt", "plan create --policy policy.toml"):
            carriers.run(*words.split())
        with Store.open("sqlite:///migrator.db", now=0.0) as store:
            header = store.plans.header(store.plans.newest() or "")
        for _ in range(KILLS):
            killed_somewhere(carriers, str(header.claims), chance)
        carriers.run("apply", "--confirm", str(header.claims))
        _check(carriers, header.claims)
        writes = carriers.seen("ledger")["writes"]
        carriers.run("apply")
        assert carriers.seen("ledger")["writes"] == writes


@pytest.mark.slow
def test_a_terminal_that_is_closed_ends_a_run_in_good_order_unless_it_was_to_bear_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The terminal is truly gone: what is said to it fails. Under `nohup` the run goes on to its end."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.toml").write_text(POLICY, encoding="utf-8")
    with served(tmp_path) as carriers:
        plan_id, claims = planned(carriers)
        assert in_a_terminal_that_is_closed(carriers, claims) == 130
        process = under_way(carriers, str(claims), 12, ignores_hang_up=True)
        process.send_signal(signal.SIGHUP)
        said, _ = process.communicate(timeout=2 * PATIENCE_S)
        assert process.returncode == 0, said
        with Store.open("sqlite:///migrator.db", now=0.0) as store:
            assert [run.exit_code for run in store.journal.runs(plan_id)] == [130, 0]
        _check(carriers, claims)


def planned(carriers: Carriers) -> tuple[str, int]:
    """Pull, pair and plan. Returns: the plan's id, and how many SIMs it claims."""
    for words in ("inventory pull", "pair pool pool.txt", "plan create --policy policy.toml"):
        carriers.run(*words.split())
    with Store.open("sqlite:///migrator.db", now=0.0) as store:
        plan_id = store.plans.newest() or ""
        return plan_id, store.plans.header(plan_id).claims


def in_a_terminal_that_is_closed(carriers: Carriers, claims: int) -> int:
    """Close the terminal of an `apply` that is under way. Returns: its exit code."""
    until = carriers.seen("ledger")["requests"] + 12
    terminal, inner = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", HEED_HANG_UPS + TAKE_TERMINAL + QUICK, "apply", "--confirm", str(claims)],
        env={**os.environ, **carriers.settings, "TERM": "xterm"},
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    )
    os.close(inner)
    deadline = time.monotonic() + PATIENCE_S
    while carriers.seen("ledger")["requests"] < until and process.poll() is None and time.monotonic() < deadline:
        time.sleep(BETWEEN_LOOKS_S)
    os.close(terminal)
    return process.wait(PATIENCE_S)


@pytest.mark.slow
def test_signals_end_a_run_in_good_order_and_the_same_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C, a service manager's stop, and a terminal that was closed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.toml").write_text(POLICY, encoding="utf-8")
    with served(tmp_path) as carriers:
        plan_id, claims = planned(carriers)
        for sent in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process = under_way(carriers, str(claims), 12)
            process.send_signal(sent)
            said, _ = process.communicate(timeout=PATIENCE_S)
            assert process.returncode == 130, said
            assert "everything so far is on disk" in said
        with Store.open("sqlite:///migrator.db", now=0.0) as store:
            assert [run.exit_code for run in store.journal.runs(plan_id)] == [130] * 3
        carriers.run("apply", "--confirm", str(claims))
        _check(carriers, claims)


def _check(carriers: Carriers, claims: int) -> None:
    """The carrier's ledger and truth agree with the journal."""
    ledger, truth = carriers.seen("ledger"), carriers.seen("truth")
    assert (ledger["sims_charged"], ledger["charged_more_than_once"], ledger["forbidden"]) == (claims, [], [])
    with Store.open("sqlite:///migrator.db", now=0.0) as store:
        plan_id = store.plans.newest() or ""
        assert dict(store.journal.verdicts(plan_id)) == {"ok": claims}
        for item in store.journal.items(plan_id):
            link = truth[str(item.change.target_iccid)]
            shown = (link["name"], link["overage_limit"], link["sms_limit"])
            assert link["device_id"] is not None
            assert shown == (item.change.name, item.change.overage_limit_bytes, item.change.sms_limit)
