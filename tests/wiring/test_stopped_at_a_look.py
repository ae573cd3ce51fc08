"""A process that stands still while it asks who holds the lease: the answer is old when it wakes."""

from collections.abc import Callable
from typing import Any

import anyio.lowlevel
import httpx
import pytest

from migrator import wiring
from migrator.carriers.http import HttpSession
from migrator.carriers.pacing import Pacer
from migrator.carriers.replies import Reply, common_trouble
from migrator.core.run.control import Signs
from migrator.engine.run.context import Stopper
from migrator.errors import LeaseLost, PlatformError
from migrator.wiring.pace import steer
from tests.support import run_virtual

WAITED_S = 70.0


def sort(reply: Reply, *, is_write: bool) -> PlatformError | None:
    return common_trouble(reply, is_write=is_write, carrier="Acme", words="", base_url_hint="")


class Stood:
    """A store that is asked for its lease; the process stands still before it has the first answer."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.looks = 0

    def signs(self, _plan_id: str, _holder: Any) -> Signs:
        self.looks += 1
        if self.looks > 1:
            raise LeaseLost("another one took over")
        self.seconds += WAITED_S
        return Signs()


def asked(exchange: Callable[[HttpSession], Any]) -> tuple[Any, list[str]]:
    """What a request comes to after such a look, and what arrived at the carrier."""
    arrived: list[str] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        trace = request.extensions.get("trace")
        if trace is not None:  # as a connection does right before the first byte
            await trace("http11.send_request_headers.started", {})
        arrived.append(request.method)
        return httpx.Response(200, json={"success": True})

    async def main() -> Any:
        store: Any = Stood()
        pacer, stopper = Pacer(1000.0), Stopper(seconds=lambda: store.seconds)
        stopper.while_leased(store.signs, "me")
        steer(pacer, stopper, store, "acme", 1000.0)
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="https://acme.example/") as http:
            return await exchange(HttpSession(http, pacer=pacer, carrier="Acme", sort=sort))

    try:
        return run_virtual(main), arrived
    except LeaseLost as error:
        return error, arrived


@pytest.mark.parametrize("repeats", [True, False])
def test_no_write_leaves_by_a_look_that_is_old(*, repeats: bool) -> None:
    ended, arrived = asked(lambda session: session.write("PUT", "/sims/1", body={}, retry_refusals=repeats))
    assert isinstance(ended, LeaseLost)
    assert arrived == []


def test_a_read_does_no_harm() -> None:
    ended, arrived = asked(lambda session: session.read("/sims/1"))
    assert (ended.status, arrived) == (200, ["GET"])


def test_seconds_of_a_machine_that_sleeps_count(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    monkeypatch.setattr("time.clock_gettime", lambda _clock: 4711.0)

    async def body(stopper: Stopper) -> None:
        await anyio.lowlevel.checkpoint()
        seen.append(stopper.seconds())

    wiring.run_async(body)
    assert seen == [4711.0]
