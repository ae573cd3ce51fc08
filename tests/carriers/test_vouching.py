"""A write that rests on a look: nothing leaves once nobody vouches for it, wherever the time went."""

from collections.abc import Callable
from typing import Any

import anyio
import httpcore
import httpx
import pytest

from migrator.carriers.http import HttpSession
from migrator.carriers.pacing import Pacer
from migrator.carriers.replies import Reply, common_trouble
from migrator.errors import Halted, LeaseLost, MigratorError, OutcomeUnknown, Outdated, PlatformError
from tests.support import run_virtual

GOOD_S = 30.0
CONNECTING_S = 12.0
OK = httpx.Response(200, json={"success": True})


def sort(reply: Reply, *, is_write: bool) -> PlatformError | None:
    return common_trouble(reply, is_write=is_write, carrier="Acme", words="", base_url_hint="")


def vouch_until(until_s: float) -> Callable[[], None]:
    def vouch() -> None:
        if anyio.current_time() > until_s:
            raise Outdated("too old")

    return vouch


class Refusing(httpx.AsyncBaseTransport):
    """Answers so many requests with a refusal, and the others well; keeps when each arrived."""

    def __init__(self, refusal: httpx.Response | Exception, times: int = 1) -> None:
        self._refusal, self._left = refusal, times
        self.asked_at: list[float] = []

    async def handle_async_request(self, _request: httpx.Request) -> httpx.Response:
        self.asked_at.append(anyio.current_time())
        self._left -= 1
        if self._left < 0:
            return OK
        if isinstance(self._refusal, Exception):
            raise self._refusal
        return self._refusal


def written(
    transport: httpx.AsyncBaseTransport,
    *,
    before_s: float = 0.0,
    vouch: Callable[[], None] | None = None,
    has_body: bool = True,
) -> Any:
    """What a write comes to for which somebody vouches half a minute, and when that was known."""

    async def main() -> Any:
        async with httpx.AsyncClient(transport=transport, base_url="https://acme.example/") as http:
            session = HttpSession(http, pacer=Pacer(1000.0), carrier="Acme", sort=sort)
            await anyio.sleep(before_s)
            try:
                reply = await session.write(
                    "PUT",
                    "/sims/1",
                    body={} if has_body else None,
                    retry_refusals=True,
                    vouch=vouch or vouch_until(GOOD_S),
                )
            except MigratorError as error:
                return error, anyio.current_time()
            return reply.status, anyio.current_time()

    return run_virtual(main)


def test_a_write_that_is_vouched_for_leaves() -> None:
    transport = Refusing(OK)
    assert written(transport) == (200, 0.0)


def test_a_write_that_nobody_vouches_for_does_not_leave() -> None:
    transport = Refusing(OK)
    error, _ = written(transport, before_s=GOOD_S + 1)
    assert isinstance(error, Outdated)
    assert transport.asked_at == []


def test_a_write_that_grows_old_while_everybody_is_held_gives_up_at_once_and_for_good() -> None:
    """Its worker is free to ask anew, which waits for the end of the hold; and the old request is not repeated."""
    transport = Refusing(httpx.Response(429, headers={"Retry-After": "900"}))
    error, at_s = written(transport)
    assert isinstance(error, Outdated)
    assert GOOD_S < at_s <= GOOD_S + 2
    assert transport.asked_at == [0.0]


def test_a_write_that_grows_old_between_two_tries_does_not_leave_again() -> None:
    transport = Refusing(httpx.ConnectError("down"), times=6)
    error, _ = written(transport)
    assert isinstance(error, Outdated)
    assert max(transport.asked_at) <= GOOD_S


def test_a_short_refusal_is_waited_for_as_ever() -> None:
    transport = Refusing(httpx.Response(429, headers={"Retry-After": "9"}))
    assert written(transport) == (200, 9.0)


def test_a_write_that_gave_up_its_turn_leaves_it_to_the_next_one() -> None:
    transport = Refusing(httpx.Response(429, headers={"Retry-After": "40"}))

    async def main() -> float:
        async with httpx.AsyncClient(transport=transport, base_url="https://acme.example/") as http:
            session = HttpSession(http, pacer=Pacer(0.1), carrier="Acme", sort=sort)
            with pytest.raises(Outdated):
                await session.write("PUT", "/sims/1", body={}, retry_refusals=True, vouch=vouch_until(GOOD_S))
            await session.read("/sims/1")
            return anyio.current_time()

    assert run_virtual(main) == 40.0


class SlowToConnect(httpcore.AsyncMockBackend):
    """A network on which connections take their time; keeps whether anything was written."""

    def __init__(self, *, head_takes_s: float = 0.0) -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        super().__init__([answer])
        self._head_takes_s = head_takes_s
        self.connected_at: list[float] = []
        self.written: list[bytes] = []

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        await anyio.sleep(CONNECTING_S)
        stream = await super().connect_tcp(*args, **kwargs)
        self.connected_at.append(anyio.current_time())
        inner = stream.write

        async def write(buffer: bytes, *rest: Any, **more: Any) -> None:
            self.written.append(buffer)
            await inner(buffer, *rest, **more)
            if buffer.startswith(b"PUT"):
                await anyio.sleep(self._head_takes_s)

        stream.write = write  # type: ignore[method-assign]
        return stream


def over(network: SlowToConnect) -> httpx.AsyncHTTPTransport:
    transport = httpx.AsyncHTTPTransport()
    transport._pool = httpcore.AsyncConnectionPool(network_backend=network)
    return transport


@pytest.mark.parametrize(("before_s", "leaves"), [(10.0, True), (20.0, False)])
def test_a_write_that_grows_old_while_it_connects_sends_not_a_byte(before_s: float, *, leaves: bool) -> None:
    network = SlowToConnect()
    outcome, _ = written(over(network), before_s=before_s)
    assert network.connected_at == [before_s + CONNECTING_S]
    assert (outcome == 200) is leaves
    assert isinstance(outcome, Outdated) is not leaves
    assert bool(network.written) is leaves


@pytest.mark.parametrize(("head_takes_s", "leaves"), [(10.0, True), (20.0, False)])
def test_a_write_that_grows_old_after_its_head_left_sends_no_body(head_takes_s: float, *, leaves: bool) -> None:
    """Head and body are two writes to the network, and much may happen between. Without its body nothing is done."""
    network = SlowToConnect(head_takes_s=head_takes_s)
    outcome, _ = written(over(network))
    assert (outcome == 200) is leaves
    assert isinstance(outcome, OutcomeUnknown) is not leaves, "a part of it left, so nobody says that nothing did"
    assert (b"{}" in network.written) is leaves


@pytest.mark.parametrize(
    ("raised", "told"),
    [(Outdated("old"), OutcomeUnknown), (Halted("a cap"), OutcomeUnknown), (LeaseLost("replaced"), LeaseLost)],
)
def test_no_body_leaves_a_process_that_was_replaced_and_nobody_says_that_nothing_left(
    raised: MigratorError, told: type[MigratorError]
) -> None:
    network = SlowToConnect()

    def vouch() -> None:
        if network.written:
            raise raised

    outcome, _ = written(over(network), vouch=vouch)
    assert isinstance(outcome, told)
    assert len(network.written) == 1, "the head alone"


def test_a_write_without_a_body_is_whole_once_its_head_left() -> None:
    outcome, _ = written(over(SlowToConnect(head_takes_s=GOOD_S)), has_body=False)
    assert outcome == 200


def test_a_refusal_without_a_voucher_is_repeated_until_it_passes() -> None:
    transport = Refusing(httpx.Response(429, headers={"Retry-After": "900"}), times=2)

    async def main() -> float:
        async with httpx.AsyncClient(transport=transport, base_url="https://acme.example/") as http:
            session = HttpSession(http, pacer=Pacer(1000.0), carrier="Acme", sort=sort)
            assert (await session.write("PUT", "/sims/1", body={}, retry_refusals=True)).status == 200
            return anyio.current_time()

    assert run_virtual(main) == 1800.0
