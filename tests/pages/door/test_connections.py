"""Slow and silent clients over real sockets: none keeps the pages from others, and none stays for ever."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from migrator.pages.door.connections import MOST_CONNECTIONS, Connection
from migrator.pages.server import ListenAddress, _bound, config_of

START_S = 20.0
ASKING = b"GET /endless HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"


class Quick(Connection):
    """Has a moment for each request and each answer."""

    request_s = answer_s = 0.05


class Patient(Connection):
    """Has all the time in the world."""

    request_s = answer_s = 1e6


class Pages:
    """Answers at once, without an end, or with what was sent. Tells when an endless answer was given up."""

    def __init__(self) -> None:
        self.gave_up, self.begun = threading.Event(), threading.Semaphore(0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        answer: Response = PlainTextResponse("here")
        if scope["path"] == "/endless":
            answer = StreamingResponse(self._endless())
        elif request.method == "POST":
            answer = PlainTextResponse(await request.body())
        await answer(scope, receive, send)

    async def _endless(self) -> AsyncIterator[bytes]:
        self.begun.release()
        try:
            while True:
                yield b"x" * 65_536
                await asyncio.sleep(0)
        finally:
            self.gave_up.set()


@contextmanager
def served(connection: type[Connection]) -> Iterator[tuple[Pages, tuple[str, int]]]:
    pages = Pages()
    with _bound(ListenAddress("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(config_of(pages, connection))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield pages, listener.getsockname()
        server.should_exit = server.force_exit = True
        thread.join(START_S)


def connected(place: tuple[str, int], said: bytes = b"") -> socket.socket:
    opened = socket.create_connection(place, timeout=START_S)
    opened.sendall(said)
    return opened


def is_answered(place: tuple[str, int]) -> bool:
    with httpx.Client(trust_env=False, timeout=START_S) as http:
        return http.get(f"http://{place[0]}:{place[1]}/").text == "here"


@pytest.mark.parametrize(
    "said", [b"", b"GET / HTTP/1.1\r\nhost: a", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n1"]
)
def test_clients_that_are_silent_or_send_slowly_keep_nobody_out(said: bytes) -> None:
    with served(Patient) as (_, place), ExitStack() as stack:
        for _one in range(2 * MOST_CONNECTIONS):
            stack.enter_context(connected(place, said))
        assert is_answered(place)


def test_clients_that_do_not_take_their_answers_keep_nobody_out() -> None:
    with served(Patient) as (pages, place), ExitStack() as stack:
        for _one in range(MOST_CONNECTIONS):
            stack.enter_context(connected(place, ASKING))
            assert pages.begun.acquire(timeout=START_S)
        assert is_answered(place)


@pytest.mark.parametrize(
    "said", [b"", b"GET / HTTP/1.1\r\nhost: a", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n1"]
)
def test_a_request_that_does_not_come_is_not_waited_for(said: bytes) -> None:
    with served(Quick) as (_, place), connected(place, said) as client:
        assert client.recv(1) == b""


def test_a_request_that_comes_bit_by_bit_is_not_waited_for_either() -> None:
    with served(Quick) as (_, place), connected(place, b"GET / HTTP/1.1\r\n") as client:
        client.settimeout(0.01)
        for _bit in range(1000):
            try:
                client.sendall(b"a: b\r\n")
                if client.recv(1) == b"":
                    return
            except TimeoutError:
                continue
            except OSError:  # cut off: that is what was to be shown
                return
        raise AssertionError("bits were taken without an end")


def test_an_answer_that_nobody_takes_is_given_up() -> None:
    with served(Quick) as (pages, place), connected(place, ASKING):
        assert pages.gave_up.wait(START_S)


def test_a_good_client_keeps_its_connection_from_request_to_request() -> None:
    with served(Patient) as (_, place), connected(place) as client:
        for _request in range(2):
            client.sendall(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            got = b""
            while not got.endswith(b"here"):
                got += client.recv(4096)
