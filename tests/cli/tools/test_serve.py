"""`serve` as a process: it says its address, answers, writes nothing, and ends by a signal with 0."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from migrator.cli.app.root import run
from tests.pages.kit import fleet

TOKEN = "5f0b6d1f9a1f4c3cae0e7ac5ab3f86d0"


@contextmanager
def serving(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server at a free port of loopback. Gives: its process and address."""
    command = [sys.executable, "-m", "migrator", "serve", "--listen", "127.0.0.1:0", *words]
    environment = {**os.environ, "MIGRATOR_STATE": f"sqlite:///{folder / 'state.db'}"}
    with subprocess.Popen(command, env=environment, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told = re.search(r"http://127\.0\.0\.1:\d+/", process.stderr.readline())
        assert told is not None
        try:
            yield process, told[0]
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_answers_and_ends_by_a_signal_with_0(tmp_path: Path, number: signal.Signals) -> None:
    fleet(tmp_path)
    before = (tmp_path / "state.db").read_bytes()
    with serving(tmp_path) as (process, address):
        with httpx.Client(trust_env=False, timeout=30.0) as http:
            answer = http.get(address + "healthz")
        assert answer.json() == {"status": "ok"}
        assert "server" not in answer.headers
        process.send_signal(number)
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert (tmp_path / "state.db").read_bytes() == before


def test_without_a_store_nothing_is_served(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--listen", "127.0.0.1:0", "--state", f"sqlite:///{tmp_path / 'state.db'}"]) == 2
    assert "migrator inventory pull" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_bad_addresses_and_tokens_are_told_with_the_remedy(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fleet(tmp_path)
    state = ("--state", f"sqlite:///{tmp_path / 'state.db'}")
    assert run(["serve", "--listen", "0.0.0.0:0", *state]) == 2
    assert "--token-file" in capfd.readouterr().err
    assert run(["serve", "--listen", "nonsense", *state]) == 2
    assert "HOST:PORT" in capfd.readouterr().err
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o644)
    assert run(["serve", "--listen", "127.0.0.1:0", "--token-file", str(tmp_path / "token"), *state]) == 2
    told = capfd.readouterr().err
    assert "chmod go-rwx" in told
    assert TOKEN not in told
