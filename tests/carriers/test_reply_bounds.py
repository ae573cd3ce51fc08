"""Replies that are, or unpack to, more than any reply of a carrier's: refused at a stated size, in bounded memory."""

import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import cache
from itertools import repeat
from typing import Any

import httpx
import pytest

from migrator.carriers.decoding import PIECE_BYTES
from migrator.carriers.http import HttpSession, Reply
from migrator.carriers.onence.refusals import sort_reply
from migrator.carriers.pacing import Pacer
from migrator.errors import OutcomeUnknown, PlatformError, Transient
from tests.support import run_virtual

MEMORY_BYTES = 100_000_000
BLOCK = b" " * 1_000_000
GIGABYTE = 1000


@cache
def packed(blocks: int, wbits: int = 31) -> bytes:
    """Spaces, as a small stream that unpacks to `blocks` megabytes."""
    packer = zlib.compressobj(1, wbits=wbits)
    return b"".join([*(packer.compress(BLOCK) for _ in range(blocks)), packer.flush()])


class Streaming(httpx.AsyncBaseTransport):
    """Sends a body piece by piece, as a network does, and counts what was taken of it."""

    def __init__(self, pieces: Callable[[], Iterator[bytes]], **headers: str) -> None:
        self._pieces, self._headers = pieces, headers
        self.sent = 0
        self.requests = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        return httpx.Response(200, headers=self._headers, stream=_Stream(self), request=request)


class _Stream(httpx.AsyncByteStream):
    def __init__(self, transport: Streaming) -> None:
        self._transport, self._left = transport, transport._pieces()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = next(self._left, None)
        if piece is None:
            raise StopAsyncIteration
        self._transport.sent += len(piece)
        return piece


def answered(transport: Streaming, use: Callable[[HttpSession], Awaitable[Reply]]) -> Any:
    """The reply, or the error that it becomes."""

    async def main() -> Any:
        async with httpx.AsyncClient(transport=transport, base_url="https://onence.test/") as http:
            try:
                return await use(HttpSession(http, pacer=Pacer(100.0), carrier="1NCE", sort=sort_reply))
            except PlatformError as error:
                return error

    return run_virtual(main)


async def read(session: HttpSession) -> Reply:
    return await session.read("/sims")


async def write(session: HttpSession) -> Reply:
    return await session.write("POST", "/sims", body={}, retry_refusals=False)


def pieces(content: bytes, size: int = 65_536) -> Callable[[], Iterator[bytes]]:
    return lambda: (content[start : start + size] for start in range(0, len(content), size))


BOMBS: dict[str, Callable[[], Streaming]] = {
    "gzip": lambda: Streaming(pieces(packed(GIGABYTE)), **{"Content-Encoding": "gzip"}),
    "deflate": lambda: Streaming(pieces(packed(GIGABYTE, 15)), **{"Content-Encoding": "deflate"}),
    "gzip twice": lambda: Streaming(pieces(gzip.compress(packed(GIGABYTE))), **{"Content-Encoding": "gzip, gzip"}),
    "without end": lambda: Streaming(lambda: repeat(BLOCK), **{"Content-Type": "application/json"}),
    "announced": lambda: Streaming(lambda: repeat(BLOCK), **{"Content-Length": "9000000000"}),
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize(("use", "error"), [(read, Transient), (write, OutcomeUnknown)])
def test_a_reply_that_is_too_large_is_refused_in_bounded_memory(
    bomb: str, use: Callable[[HttpSession], Awaitable[Reply]], error: type[PlatformError]
) -> None:
    transport = BOMBS[bomb]()
    tracemalloc.start()
    try:
        raised = answered(transport, use)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert type(raised) is error
    assert peak < MEMORY_BYTES
    assert transport.sent <= transport.requests * 20_000_000
    if bomb != "gzip twice":
        assert "more than 16 MiB" in raised.message


def test_a_large_reply_within_the_bound_is_read() -> None:
    content = b'{"label": "' + b"x" * 15_000_000 + b'"}'
    for body, headers in ((content, {}), (gzip.compress(content), {"Content-Encoding": "gzip"})):
        reply = answered(Streaming(pieces(body), **headers), read)
        assert len(reply.body["label"]) == 15_000_000


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP", "deflate", "identity", "", "raw deflate"])
def test_a_packed_reply_is_unpacked(encoding: str) -> None:
    wbits = {"deflate": 15, "raw deflate": -15}.get(encoding, 31)
    packer = zlib.compressobj(wbits=wbits)
    content = b'{"a": 1}'
    body = content if encoding in {"", "identity"} else packer.compress(content) + packer.flush()
    name = encoding.removeprefix("raw ")
    reply = answered(Streaming(pieces(body, 3), **({"Content-Encoding": name} if name else {})), read)
    assert reply.body == {"a": 1}


@pytest.mark.parametrize("size", [PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES, 3 * PIECE_BYTES + 1])
@pytest.mark.parametrize(("name", "wbits"), [("gzip", 31), ("deflate", 15), ("deflate", -15)])
def test_a_packed_reply_of_any_size_is_whole(size: int, name: str, wbits: int) -> None:
    """The unpacker may keep back a bit of the last piece after all input was taken."""
    packer = zlib.compressobj(9, wbits=wbits)
    body = packer.compress(b"[1]" + b" " * (size - 3)) + packer.flush()
    reply = answered(Streaming(pieces(body), **{"Content-Encoding": name}), read)
    assert len(reply.text) == size


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, br", "rot13"])
def test_a_reply_that_is_packed_as_nobody_asked_is_trouble_that_passes(encoding: str) -> None:
    assert type(answered(Streaming(pieces(b"{}"), **{"Content-Encoding": encoding}), read)) is Transient


def test_half_of_a_packed_reply_is_no_reply() -> None:
    transport = Streaming(pieces(gzip.compress(b'[{"a": 1}]' * 100)[:-9]), **{"Content-Encoding": "gzip"})
    assert "broke" in answered(transport, read).message
