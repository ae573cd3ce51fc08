"""Programs of the operator: run without a shell, within bounds."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

__all__ = ["MOST_OUTPUT", "PARENT", "ProgramResult", "end_with_parent", "run", "why_not"]

PARENT = "MIGRATOR_PARENT"
"""Variable that names the process whose end is ours, too."""

_PR_SET_PDEATHSIG = 1
"""Source: prctl(2)."""

MOST_OUTPUT = 65_536
"""Bytes that are kept of what a program says."""

GRACE_S = 1.0
"""Seconds to read the rest once the program ended."""


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """End of a program.

    `code` is its exit code; None if it did not end in time. `said` is what it said until then.
    """

    code: int | None
    said: bytes = field(repr=False)


def run(
    command: Sequence[str], given: bytes, *, environ: Mapping[str, str], timeout_s: float, with_errors: bool
) -> ProgramResult:
    """Run a program with `given` on its standard input; blocks meanwhile.

    The program has a process group of its own, which is ended as a whole when the time is over.

    Args:
        command: the program and its arguments.
        given: for its standard input; it need not read that.
        environ: its environment.
        timeout_s: how long it may take.
        with_errors: whether its standard error is kept, too.

    Raises: OSError or ValueError, if it cannot be started.
    """
    process = subprocess.Popen(  # noqa: S603 - the operator's own settings name it, and no shell is asked
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if with_errors else subprocess.DEVNULL,
        env=dict(environ),
        start_new_session=True,
    )
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
    return ProgramResult(code, bytes(said))


def end_with_parent(environ: Mapping[str, str]) -> None:
    """Let this process be told to end once its parent is gone.

    It is told by SIGTERM. Nothing happens where no parent is named, and where the system is not Linux.
    """
    parent = environ.get(PARENT, "")
    if not parent.isdecimal() or sys.platform != "linux":
        return
    import ctypes  # noqa: PLC0415 - few processes need it

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # it ended before we could ask
        os.kill(os.getpid(), signal.SIGTERM)


def why_not(error: OSError | ValueError) -> str:
    """Return why a program cannot be started, without its arguments."""
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


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
