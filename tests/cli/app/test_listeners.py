"""Whoever listens, or does not, never ends the work: closed pipes, full disks, and readers that do not read."""

import errno
import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import pytest

from migrator.cli.app import voice
from migrator.store import Store
from tests.cli.apply.test_processes import PATIENCE_S, Carriers, planned, served
from tests.cli.apply.test_processes import QUICK as QUICK_MAIN
from tests.cli.conftest import POLICY, Desk
from tests.cli.cutover.test_cutover import QUICK, alive

AFTER_CLAIM = POLICY.replace('zone = "global"', 'zone = "global"\nlimits = "after_claim"')
FULL = Path("/dev/full")


class Broken(io.RawIOBase):
    """A stream that takes so many writes, and then fails every one."""

    def __init__(self, takes: int, number: int, *, is_terminal: bool = False) -> None:
        self._left, self._number, self._is_terminal = takes, number, is_terminal
        self.taken = b""

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, data: Any) -> int:
        self._left -= 1
        if self._left < 0:
            raise OSError(self._number, os.strerror(self._number))
        self.taken += bytes(data)
        return len(data)


def text_on(raw: Broken) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Broken]:
    """Put a stream that breaks in the place of stdout or stderr."""

    def put(name: str, takes: int = 1, number: int = errno.EPIPE) -> Broken:
        raw = Broken(takes, number)
        monkeypatch.setattr(sys, name, text_on(raw))
        return raw

    return put


def charged_and_limited(desk: Desk) -> tuple[int, int]:
    """How many SIMs were charged, and how many of them have a limit."""
    hologram = desk.rehearsal.hologram
    charged = [hologram.sims[iccid] for iccid in hologram.ledger.charges]
    return len(charged), sum(link.overage_limit != -1 for link in charged)


@pytest.mark.parametrize(
    ("options", "name", "number"),
    [(["--events"], "stdout", errno.EPIPE), ([], "stderr", errno.ENOSPC), (["-v"], "stderr", errno.EPIPE)],
)
def test_apply_goes_on_when_nobody_takes_its_progress(
    make_desk: Callable[..., Desk], broken: Callable[..., Broken], options: list[str], name: str, number: int
) -> None:
    desk = make_desk()
    claims = desk.planned(AFTER_CLAIM)["claims"]
    raw = broken(name, number=number)
    ended = desk.run(*options, "apply", "--confirm", str(claims))
    assert ended.code == 0
    assert charged_and_limited(desk) == (claims, claims)
    left = ended.err if name == "stdout" else ended.out
    assert left.count(f"{name} cannot be written any more ({os.strerror(number)})") == 1
    assert raw.taken


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_apply_keeps_its_exit_code_when_nobody_takes_its_result(
    make_desk: Callable[..., Desk], broken: Callable[..., Broken], options: list[str]
) -> None:
    desk = make_desk()
    claims = desk.planned()["claims"]
    broken("stdout", takes=0)
    ended = desk.run(*options, "apply", "--confirm", str(claims), "--max-sims", "3")
    assert ended.code == 6
    assert ended.err.count("stdout cannot be written any more") == 1
    assert desk.run(*options, "apply").code == 0


def test_apply_goes_on_when_its_terminal_is_gone(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bar writes from a thread of its own, and once more at its end."""
    desk = make_desk()
    claims = desk.planned(AFTER_CLAIM)["claims"]
    raw = Broken(2, errno.EIO, is_terminal=True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", text_on(raw))
    ended = desk.run("apply", "--confirm", str(claims))
    assert ended.code == 0
    assert raw.taken
    assert ended.out.count("stderr cannot be written any more") == 1
    assert charged_and_limited(desk) == (claims, claims)


def test_apply_goes_on_when_both_streams_are_gone(
    make_desk: Callable[..., Desk], broken: Callable[..., Broken]
) -> None:
    desk = make_desk()
    claims = desk.planned(AFTER_CLAIM)["claims"]
    broken("stdout", takes=0)
    broken("stderr", takes=0)
    assert desk.run("--events", "-v", "apply", "--confirm", str(claims)).code == 0
    assert charged_and_limited(desk) == (claims, claims)


def test_apply_goes_on_when_its_streams_were_closed_before(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`>&- 2>&-`: Python has no streams then."""
    desk = make_desk()
    claims = desk.planned(AFTER_CLAIM)["claims"]
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert desk.run("apply", "--confirm", str(claims)).code == 0
    assert charged_and_limited(desk) == (claims, claims)


def test_a_document_tells_that_stderr_was_lost(make_desk: Callable[..., Desk], broken: Callable[..., Broken]) -> None:
    desk = make_desk()
    claims = desk.planned()["claims"]
    broken("stderr", takes=0)
    ended = desk.run("--json", "-v", "apply", "--confirm", str(claims))
    assert [error["code"] for error in ended.document["errors"]] == ["stream_lost"]
    assert ended.code == 0


def test_events_stay_events_when_stderr_was_lost(make_desk: Callable[..., Desk], broken: Callable[..., Broken]) -> None:
    desk = make_desk()
    claims = desk.planned()["claims"]
    broken("stderr", takes=0)
    ended = desk.run("--events", "-v", "apply", "--confirm", str(claims))
    events = [json.loads(line)["event"] for line in ended.out.splitlines()]
    assert (events.count("stream_lost"), events[-1], ended.code) == (1, "result", 0)


@pytest.mark.parametrize(("options", "name"), [(["--events"], "stdout"), ([], "stderr")])
def test_a_pull_goes_on(
    make_desk: Callable[..., Desk], broken: Callable[..., Broken], options: list[str], name: str
) -> None:
    desk = make_desk()
    broken(name, takes=0)
    assert desk.run(*options, "inventory", "pull").code == 0
    with Store.open(f"sqlite:///{desk.folder}/migrator.db", now=0.0, create=False) as store:
        assert sum(1 for _ in store.inventory.sims()) == desk.sims


@pytest.mark.parametrize(("options", "name"), [(["--events"], "stdout"), ([], "stderr")])
def test_a_cutover_and_its_rollback_go_on(make_desk: Callable[..., Desk], options: list[str], name: str) -> None:
    desk = make_desk(onence=QUICK, epoch=datetime.now(UTC))
    alive(desk)
    for command in ("cutover", "rollback"):
        count = desk.json(command, "plan").data["count"]
        assert count
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, name, text_on(Broken(1, errno.EPIPE)))
            assert desk.run(*options, command, "apply", "--confirm", str(count)).code == 0


@pytest.mark.parametrize("options", [["--events"], []])
def test_a_watch_goes_on_to_its_end(
    make_desk: Callable[..., Desk], broken: Callable[..., Broken], options: list[str]
) -> None:
    desk = make_desk()
    desk.applied()
    for link in desk.rehearsal.hologram.sims.values():
        if link.device_id is not None:
            link.name = "renamed"
    broken("stdout", takes=0)
    ended = desk.run(*options, "verify", "--watch", "--every", "1s", "--for", "1s", "--keep-going")
    assert ended.code == 3
    assert ended.err.count("stdout cannot be written any more") == 1


# --- readers that do not read -------------------------------------------------------------------------------------


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[TextIO, int]]:
    """A pipe that is full: its writing end, and the number of the other."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    monkeypatch.setattr(voice, "PATIENCE_S", 0.05)
    with os.fdopen(writing, "w") as stream:
        yield stream, reading
        os.close(reading)
        with suppress(OSError):
            stream.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no poll")
def test_lines_that_nobody_reads_are_left_out_and_counted(
    stuck: tuple[TextIO, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, reading = stuck
    monkeypatch.setattr(sys, "stdout", stream)
    voice.begin(is_json=False, is_events=True)
    for _ in range(3):
        voice.tell("a line", err=False)
    assert set(os.read(reading, 1 << 20)) == {ord("x")}
    voice.tell('{"event": "wave"}', err=False)
    lines = os.read(reading, 1 << 20).decode().splitlines()
    assert lines == ['{"event": "left_out", "lines": 3}', '{"event": "wave"}']


@pytest.mark.skipif(sys.platform == "win32", reason="no poll")
def test_apply_goes_on_when_its_reader_stands_still(
    make_desk: Callable[..., Desk], stuck: tuple[TextIO, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pager that nobody scrolls: only the result, at the end, waits for its reader."""
    desk = make_desk()
    claims = desk.planned(AFTER_CLAIM)["claims"]
    stream, reading = stuck
    ended = threading.Event()
    seen: list[tuple[int, int]] = []

    def read_late() -> None:
        deadline = time.monotonic() + PATIENCE_S
        while charged_and_limited(desk) != (claims, claims) and time.monotonic() < deadline:
            time.sleep(0.05)
        seen.append(charged_and_limited(desk))
        while not ended.is_set():
            os.read(reading, 1 << 20)

    reader = threading.Thread(target=read_late, daemon=True)
    reader.start()
    monkeypatch.setattr(sys, "stdout", stream)
    code = desk.run("--events", "apply", "--confirm", str(claims)).code
    ended.set()
    stream.write("one more, so that the reader wakes up\n")
    stream.flush()
    reader.join(PATIENCE_S)
    assert (code, seen) == (0, [(claims, claims)])


# --- real processes -----------------------------------------------------------------------------------------------


def started(carriers: Carriers, *words: str, **streams: Any) -> subprocess.Popen[bytes]:
    """A command with streams as Python has them: what a buffer holds is written once more at the end."""
    environment = {**os.environ, **carriers.settings}
    environment.pop("PYTHONUNBUFFERED", None)
    return subprocess.Popen([sys.executable, "-c", QUICK_MAIN, *words], env=environment, **streams)


@pytest.mark.slow
@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
def test_processes_whose_pipe_is_closed_or_whose_disk_is_full_go_on_and_leave_no_sim_without_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.toml").write_text(AFTER_CLAIM, encoding="utf-8")
    with served(tmp_path) as carriers, FULL.open("wb") as full:
        _, claims = planned(carriers)
        first = ("--events", "apply", "--confirm", str(claims), "--max-sims", "60")
        with started(carriers, *first, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.readline()
            process.stdout.close()
            said = process.stderr.read().decode()
            assert process.wait(PATIENCE_S) == 6
        assert said.count("stdout cannot be written any more (Broken pipe)") == 1
        assert "Exception ignored" not in said
        assert limits_missing(carriers) == 0
        with started(carriers, "-v", "apply", "--max-sims", "60", stdout=subprocess.PIPE, stderr=full) as process:
            told, _ = process.communicate(timeout=PATIENCE_S)
            assert process.returncode == 6
        assert told.decode().count("stderr cannot be written any more (No space left on device)") == 1
        assert limits_missing(carriers) == 0
        with started(carriers, "--events", "-v", "apply", stdout=full, stderr=full) as process:
            assert process.wait(2 * PATIENCE_S) == 0
        assert carriers.seen("ledger")["sims_charged"] == claims
        assert limits_missing(carriers) == 0


def limits_missing(carriers: Carriers) -> int:
    """Charged SIMs that have no limit."""
    with Store.open("sqlite:///migrator.db", now=0.0) as store:
        planned_limits = {
            str(item.change.target_iccid): item.change.overage_limit_bytes
            for item in store.journal.items(store.plans.newest() or "")
        }
    claimed = {iccid: link for iccid, link in carriers.seen("truth").items() if link["device_id"] is not None}
    assert claimed
    return sum(link["overage_limit"] != planned_limits[iccid] for iccid, link in claimed.items())
