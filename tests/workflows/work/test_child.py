"""The process for the job of an account: its last words, its signs of life, and its end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from migrator.workflows.work import child as child_module
from migrator.workflows.work.child import MOST_SAID, MOST_WORDS, Child, ChildEnd

RESULT = """\
import json, sys
print(json.dumps({"event": "wave", "wave": "rest"}))
print(json.dumps({"event": "result", "exit_code": 7, "errors": [{"code": "waits", "message": "plan p7: 3 pending"}],
    "data": {"words": "plan p7: 3 pending", "again_at": "2026-11-30T09:00:00Z", "order_done": 1796000000.25}}))
sys.exit(7)
"""


def ended(
    script: str,
    *,
    alive: bool = False,
    during: Callable[[Child], None] | None = None,
    heard: list[str] | None = None,
    struck: Callable[[str], str] = str,
) -> ChildEnd:
    """The end of a process that runs a script; `during` is called once it said something."""

    async def is_alive() -> bool:
        return alive

    async def body() -> ChildEnd:
        def hear(line: str) -> None:
            if heard is not None:
                heard.append(line)
            if during is not None:
                during(one)

        one = Child([sys.executable, "-c", script], dict(os.environ), is_alive, hear, struck)
        with anyio.fail_after(30.0):
            return await one.run()

    return anyio.run(body)


def test_the_result_tells_words_time_and_order() -> None:
    at = 1796029200.0  # 2026-11-30 09:00 UTC
    assert ended(RESULT) == ChildEnd(7, "plan p7: 3 pending", at, order_done=1796000000.25)


def test_a_process_without_a_result_has_its_last_line_as_words() -> None:
    assert ended("import sys; sys.exit('no room\\n\\n')") == ChildEnd(1, "no room")


def test_its_words_are_text_that_a_database_can_keep() -> None:
    told = {"event": "result", "errors": [{"message": "odd \0 and \ud83d, in\nlines"}]}
    assert ended(f"print({json.dumps(told)!r})").words == "odd   and  , in lines"


def test_its_words_have_no_secret_nor_the_begin_of_one() -> None:
    told = {"event": "result", "errors": [{"message": f"a-key {'x' * (MOST_WORDS - 9)} a-key"}]}
    script = f"import sys; print({json.dumps(told)!r}); sys.exit(3)"
    found = ended(script, struck=lambda words: words.replace("a-key", "***"))
    assert found.words == f"*** {'x' * (MOST_WORDS - 9)} ***"
    said = ended("import sys; sys.exit('it is a-key')", struck=lambda words: words.replace("a-key", "***"))
    assert said == ChildEnd(1, "it is ***")


def test_no_secret_is_looked_for_after_a_good_turn() -> None:
    """Its words are our own, and a vault would be asked at the end of each turn."""
    told = {"event": "result", "data": {"words": "all is done"}}
    assert ended(f"print({json.dumps(told)!r})", struck=lambda _words: "asked").words == "all is done"


def test_its_end_is_known_also_where_a_secret_cannot_be_found() -> None:
    def fails(_words: str) -> str:
        raise UnicodeEncodeError("utf-8", "\udce9", 0, 1, "surrogates not allowed")

    found = ended("import sys; sys.exit('a-key')", struck=fails)
    assert (found.exit_code, "a-key" in found.words, "UnicodeEncodeError" in found.words) == (1, False, True)


def test_what_it_says_is_bounded() -> None:
    heard: list[str] = []
    found = ended("import sys; print('x' * 3_000_000); sys.exit(('a' * 99 + '\\n') * 500 + 'b' * 9_000)", heard=heard)
    assert found == ChildEnd(1, "b" * MOST_WORDS)
    assert len(heard) == 501
    assert MOST_SAID < 9_000


def test_it_is_told_to_end_in_good_order() -> None:
    script = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))\n"
        "print('here', file=sys.stderr, flush=True)\ntime.sleep(60)"
    )
    assert ended(script, during=Child.interrupt).exit_code == 130


def test_it_is_killed_with_all_that_it_started() -> None:
    script = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "one = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(one.pid, file=sys.stderr, flush=True)\ntime.sleep(60)"
    )
    heard: list[str] = []
    assert ended(script, during=Child.kill, heard=heard).exit_code == -signal.SIGKILL
    assert waited(lambda: is_gone(int(heard[0])))


@pytest.mark.parametrize("alive", [True, False], ids=["its lease is renewed", "its lease is not renewed"])
def test_a_silent_process_is_ended_unless_its_lease_is_renewed(monkeypatch: pytest.MonkeyPatch, *, alive: bool) -> None:
    for name, seconds in (("SILENT_S", 0.3), ("LOOK_S", 0.1), ("GRACE_S", 5.0)):
        monkeypatch.setattr(child_module, name, seconds)
    found = ended("import time; time.sleep(1.5)", alive=alive)
    assert (found.exit_code, "no sign of life" in found.words) == ((0, False) if alive else (-signal.SIGTERM, True))


def test_a_program_that_is_not_there_is_an_error_of_the_system() -> None:
    async def is_alive() -> bool:
        return False

    one = Child(["/nowhere/migrator"], {}, is_alive, lambda _line: None)
    with pytest.raises(FileNotFoundError):
        anyio.run(one.run)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent ended")
def test_it_ends_with_its_worker(tmp_path: Path) -> None:
    """A worker that is killed leaves nobody behind who works on, unseen."""
    script = (
        "import os, sys, time\nfrom pathlib import Path\nfrom migrator.programs import end_with_parent\n"
        f"end_with_parent(os.environ)\nPath({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\ntime.sleep(60)"
    )
    worker = (
        "import sys, anyio, os\nfrom migrator.workflows.work.child import Child\n"
        f"one = Child([sys.executable, '-c', {script!r}], dict(os.environ), None, print)\nanyio.run(one.run)"
    )
    process = subprocess.Popen([sys.executable, "-c", worker], env={**os.environ, "PYTHONPATH": str(Path.cwd())})
    try:
        pid = int(waited(lambda: (tmp_path / "pid").read_text() if (tmp_path / "pid").exists() else ""))
    finally:
        process.kill()
        process.wait()
    assert waited(lambda: is_gone(pid))


def is_gone(pid: int) -> bool:
    """Whether a process ended; nobody may have waited for it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except FileNotFoundError:
        return True


def waited(look: Callable[[], Any]) -> Any:
    """What a look gives, once it gives something."""
    until = time.monotonic() + 20.0
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError("nothing came")


def test_it_says_whether_all_is_told_also_where_it_dies_after_it() -> None:
    assert not ended("import sys; sys.exit(6)").is_told
    script = 'import os, signal; print(\'{"event": "told"}\', flush=True); os.kill(os.getpid(), signal.SIGKILL)'
    assert ended(script) == ChildEnd(-signal.SIGKILL, "its process was killed (SIGKILL)", is_told=True)
    script = f"import sys; print('no room', file=sys.stderr, flush=True); {script}"
    assert ended(script).words == "its process was killed (SIGKILL); the last that it said: no room"
