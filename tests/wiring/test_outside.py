"""HookPrograms beside the event loop: what must go on, goes on."""

from pathlib import Path

import anyio

from migrator.core.policy.outside import HookPrograms
from migrator.receivers.command import Ended
from migrator.wiring.outside import ask_program


def test_the_heartbeat_goes_on_while_a_hook_thinks(tmp_path: Path) -> None:
    """The program ends only once another task of the same loop has done its part."""
    go = tmp_path / "go"
    script = f"while [ ! -f {go} ]; do sleep 0.01; done; echo seen"
    found: list[Ended] = []

    async def beat() -> None:
        await anyio.sleep(0.05)
        go.write_text("")

    async def body() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(beat)
            found.append(await ask_program(("/bin/sh", "-c", script), b"{}", HookPrograms(timeout_s=20.0), ()))

    anyio.run(body)
    assert found == [Ended(0, "seen")]
