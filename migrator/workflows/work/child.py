"""Process that does the job of one account."""

import json
import os
import signal
import subprocess
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import anyio
from anyio import to_thread
from anyio.abc import ByteReceiveStream, Process

from migrator.core.run.results import ExitCode
from migrator.programs import PARENT
from migrator.workflows.notices.stopped import TOLD

__all__ = ["Child", "ChildEnd"]

SILENT_S, LOOK_S, GRACE_S = 300.0, 10.0, 60.0
"""Seconds of silence until a process is looked at.

Then those between two looks, and those from the order to end until it is killed.
"""

MOST_LINE, MOST_SAID, MOST_WORDS = 1_000_000, 4_000, 600
"""Characters that are kept: of a line, all errors, last words."""


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """End of a process.

    Args:
        exit_code: of the process; below zero if a signal ended it.
        words: its last words.
        again_at: when it wants to go on (UTC seconds, by this machine's clock); None if it told no time.
        order_done: when the order was given (UTC seconds) that it says is carried out; None for none.
        is_told: whether it says that all is in the outbox that is to be told of its end.
    """

    exit_code: int
    words: str = ""
    again_at: float | None = None
    order_done: float | None = None
    is_told: bool = False


@dataclass(slots=True)
class Child:
    """Process at work on an account.

    Args:
        command: what to run; it tells what happens as NDJSON.
        environ: its environment.
        is_alive: asked of a process that is silent for long, whether its account shows a sign of life.
        hear: called with each line that it says on stderr.
        struck: returns its words without what must not be kept; it may take a while.
    """

    command: list[str]
    environ: Mapping[str, str] = field(repr=False)
    is_alive: Callable[[], Awaitable[bool]]
    hear: Callable[[str], None]
    struck: Callable[[str], str] = str
    _process: Process | None = field(default=None, init=False)
    _result: dict[str, Any] = field(default_factory=dict, init=False)
    _said: deque[str] = field(default_factory=deque, init=False)
    _heard_at: float = field(default=0.0, init=False)
    _why: str = field(default="", init=False)  # why it was ended, if we ended it
    _is_over: bool = field(default=False, init=False)
    _is_told: bool = field(default=False, init=False)

    async def run(self) -> ChildEnd:
        """Run the process to its end.

        Raises: OSError, if it cannot be started.
        """
        async with await anyio.open_process(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**self.environ, PARENT: str(os.getpid())},
            start_new_session=True,  # a Ctrl-C at our terminal is not for it: we tell it in good order
        ) as process:
            self._process = process
            self._heard_at = anyio.current_time()
            if self._is_over:
                self.interrupt()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch)
                async with anyio.create_task_group() as readers:
                    readers.start_soon(self._read, process.stdout, self._event)
                    readers.start_soon(self._read, process.stderr, self._say)
                    await process.wait()
                    readers.cancel_scope.deadline = anyio.current_time() + LOOK_S  # who else holds its pipes?
                tasks.cancel_scope.cancel()
        return await to_thread.run_sync(self._ended, process.returncode or 0)

    def interrupt(self) -> None:
        """Let the process end in good order."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once; its journal holds all that it sent."""
        self._send(signal.SIGKILL)

    def _send(self, what: signal.Signals) -> None:
        self._is_over = True
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, what)

    # --- what it says ---------------------------------------------------------------------------------------------

    async def _read(self, stream: ByteReceiveStream | None, line_read: Callable[[str], None]) -> None:
        """Hand on each line; of a long one, its begin."""
        assert stream is not None  # noqa: S101 - it was asked for
        rest = b""
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            while True:
                rest += await stream.receive()
                self._heard_at = anyio.current_time()
                *lines, rest = rest.split(b"\n")
                for line in lines:
                    line_read(line.decode("utf-8", "replace"))
                rest = rest[:MOST_LINE]
        if rest:
            line_read(rest.decode("utf-8", "replace"))

    def _event(self, line: str) -> None:
        with suppress(ValueError):
            told = json.loads(line)
            event = told.get("event") if isinstance(told, dict) else None
            if event == "result":
                self._result = told
            self._is_told = self._is_told or event == TOLD

    def _say(self, line: str) -> None:
        self._said.append(line[:MOST_SAID])
        while sum(map(len, self._said)) > MOST_SAID:
            self._said.popleft()
        self.hear(line)

    def _ended(self, exit_code: int) -> ChildEnd:
        data = self._result.get("data") or {}
        first = next((one.get("message", "") for one in self._result.get("errors") or ()), "")
        last = next((line.strip() for line in reversed(self._said) if line.strip()), "")
        if exit_code < 0 and not self._result:
            said = f"; the last that it said: {last}" if last else ""
            last = f"its process was killed ({_signal(exit_code)}){said}"
        words = str(self._why or first or data.get("words") or ("" if self._result else last))
        if exit_code != ExitCode.DONE:  # of what went well the words are our own: no vault is asked for each turn
            words = self._struck(words)
        return ChildEnd(
            exit_code,
            "".join(one if one.isprintable() else " " for one in words[:MOST_WORDS]).strip(),
            None if data.get("again_at") is None else datetime.fromisoformat(data["again_at"]).timestamp(),
            data.get("order_done"),
            self._is_told,
        )

    def _struck(self, words: str) -> str:
        try:
            return self.struck(words)
        except Exception as error:  # noqa: BLE001 - the end of a job is noted whatever is wrong with a secret
            return f"its words are not shown, as the secrets in them could not be found ({type(error).__name__})"

    # --- its signs of life ----------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """End a process that is silent while nothing renews its lease."""
        while True:
            await anyio.sleep(LOOK_S)
            if anyio.current_time() - self._heard_at < SILENT_S:
                continue
            if await self.is_alive():
                continue
            self._why = f"it gave no sign of life for {SILENT_S / 60:g} minutes, and was ended"
            self.interrupt()
            await anyio.sleep(GRACE_S)
            self.kill()


def _signal(exit_code: int) -> str:
    """Return the signal that ended a process, as people write it."""
    with suppress(ValueError):
        return signal.Signals(-exit_code).name
    return f"signal {-exit_code}"
