"""Programs of the operator: run without a shell, within bounds.

A receiver of the kind `command` is one, and so is a hook.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

__all__ = ["ProgramEnd", "run_program"]

MOST_OUTPUT = 65_536
"""Bytes that are kept of what a program says."""

MOST_SHOWN = 200
GRACE_S = 1.0
"""Seconds to read the rest once the program ended."""


@dataclass(frozen=True, slots=True)
class ProgramEnd:
    """End of a program.

    `code` is its exit code; None if it did not end in time, or could not be started. `words` is the first line that
    it said, or why there is none, without control characters.
    """

    code: int | None
    words: str


def run_program(
    command: Sequence[str],
    given: bytes,
    *,
    environ: Mapping[str, str],
    timeout_s: float,
    struck: Callable[[str], str] = str,
) -> ProgramEnd:
    """Run a program with `given` on its standard input; blocks meanwhile.

    The program has a process group of its own, which is ended as a whole when the time is over. `struck` takes out of
    its words what must not be kept, before they are cut.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - the operator's own policy names it, and no shell is asked
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environ),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return ProgramEnd(None, f"cannot be started: {_why(error)}")
    said = bytearray()
    threads = [
        threading.Thread(target=_feed, args=(process.stdin, given), daemon=True),
        threading.Thread(target=_drain, args=(process.stdout, said), daemon=True),
    ]
    for thread in threads:
        thread.start()
    code: int | None = None
    with suppress(subprocess.TimeoutExpired):
        code = process.wait(timeout_s)
    if code is None:
        _end(process)
    threads[1].join(GRACE_S)  # a child that it left behind may hold the pipe open
    words = _first_line(bytes(said), struck)
    if code is None:
        return ProgramEnd(None, f"no answer within {timeout_s:g} s" + (f": {words}" if words else ""))
    return ProgramEnd(code, words)


def _feed(pipe: IO[bytes] | None, given: bytes) -> None:
    """Write to the program, which need not read."""
    if pipe is not None:
        with suppress(OSError, ValueError), pipe:
            pipe.write(given)


def _drain(pipe: IO[bytes] | None, said: bytearray) -> None:
    if pipe is not None:
        with suppress(OSError, ValueError), pipe:
            while chunk := pipe.read1(MOST_OUTPUT):  # type: ignore[attr-defined]  # a buffered pipe has it
                said += chunk[: MOST_OUTPUT - len(said)]


def _end(process: "subprocess.Popen[bytes]") -> None:
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)  # its own group: it was begun as a session
    process.kill()
    process.wait()


def _first_line(said: bytes, struck: Callable[[str], str]) -> str:
    lines = (line.strip() for line in said.decode("utf-8", "replace").splitlines())
    first = next((line for line in lines if line), "")
    visible = "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode()
        for char in struck(first)
    )
    return visible if len(visible) <= MOST_SHOWN else f"{visible[: MOST_SHOWN - 3]}..."


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
