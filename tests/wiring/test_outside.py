"""Hooks and receivers beside the event loop: what must go on, goes on."""

import socketserver
import threading
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from migrator.core.policy.outside import HookPrograms, NoticeEvent, Receiver, ReceiverKind
from migrator.receivers.command import ProgramEnd
from migrator.receivers.message import Message, NotDelivered
from migrator.wiring import outside
from migrator.wiring.outside import ask_program
from migrator.wiring.withheld import withheld


def test_the_heartbeat_goes_on_while_a_hook_thinks(tmp_path: Path) -> None:
    """The program ends only once another task of the same loop has done its part."""
    go = tmp_path / "go"
    script = f"while [ ! -f {go} ]; do sleep 0.01; done; echo seen"
    found: list[ProgramEnd] = []

    async def beat() -> None:
        await anyio.sleep(0.05)
        go.write_text("")

    async def body() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(beat)
            found.append(
                await ask_program(("/bin/sh", "-c", script), b"{}", HookPrograms(timeout_s=20.0), withheld(None))
            )

    anyio.run(body)
    assert found == [ProgramEnd(0, "seen")]


def test_a_mail_server_that_never_ends_its_greeting_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The try ends, and no thread is left that would keep the process from its end."""
    monkeypatch.setattr(outside, "TRY_S", 0.3)
    hung_up = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                while not hung_up.wait(0.02):
                    self.request.sendall(b"220-wait\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        receiver = Receiver(
            ReceiverKind.MAIL,
            on=(NoticeEvent.STOPPED,),
            server="127.0.0.1",
            port=server.server_address[1],
            sender="migrator@example.com",
            recipients=("a@example.com",),
        )
        message = Message.of("abc-7", NoticeEvent.STOPPED, 1_764_000_000.0, {"reason": "a cap"}, detail=False)
        before = set(threading.enumerate())
        with pytest.raises(NotDelivered, match="no answer within"):
            anyio.run(lambda: outside.hand_over(message, receiver, now=1_764_000_000.0, kept=withheld(None)))
        assert all(thread.daemon for thread in set(threading.enumerate()) - before)
        hung_up.set()
        server.shutdown()
