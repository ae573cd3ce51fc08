"""A carrier that asks for a long wait is told of at once, in every form of progress."""

import json

import anyio
import httpx
import pytest

from migrator.carriers.http import HttpSession
from migrator.carriers.onence.refusals import sort_reply
from migrator.carriers.pacing import Pacer
from migrator.cli.app.common import Globals
from migrator.cli.app.progress import watching
from tests.support import run_virtual


def told(shared: Globals, capfd: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """What stdout and stderr have when the wait has hardly begun."""
    heard = ("", "")

    def carrier(_request: httpx.Request) -> httpx.Response:
        is_over = anyio.current_time() > 599
        return httpx.Response(200, json=[]) if is_over else httpx.Response(429, headers={"Retry-After": "600"})

    async def look() -> None:
        nonlocal heard
        await anyio.sleep(1)
        heard = capfd.readouterr()

    async def main() -> None:
        async with (
            httpx.AsyncClient(transport=httpx.MockTransport(carrier), base_url="https://onence.test/") as http,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(look)
            await HttpSession(http, pacer=Pacer(8.0), carrier="1NCE", sort=sort_reply).read("/sims")

    with watching(shared):
        run_virtual(main)
    return heard


def test_a_line_names_the_carrier_the_clock_and_how_to_stop(capfd: pytest.CaptureFixture[str]) -> None:
    _out, err = told(Globals(), capfd)
    assert err.startswith("1NCE asks to wait until ")
    assert "Ctrl-C stops" in err
    assert err.count("\n") == 1


def test_events_have_it_as_values(capfd: pytest.CaptureFixture[str]) -> None:
    event = json.loads(told(Globals(events=True), capfd)[0])
    assert (event["event"], event["carrier"], event["until"]) == ("held", "1NCE", event["again"])


def test_quiet_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    assert told(Globals(quiet=True), capfd) == ("", "")
