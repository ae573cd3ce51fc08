"""Bytes of a reply, unpacked within a bound, and their text."""

import zlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import cast

import httpx

__all__ = ["LARGEST_REPLY_BYTES", "PACKINGS", "ReplyTooLarge", "text_of_bytes", "whole_content"]

BYTE_ORDER_MARK = "\ufeff"

LARGEST_REPLY_BYTES = 16 * 1024 * 1024
"""Most bytes of a reply, unpacked.

A page of a thousand devices has some 4 MB. What JSON makes of this many bytes still fits into memory, whatever they
are.
"""

PACKINGS = "gzip, deflate"
"""Value of the header Accept-Encoding: what is unpacked here."""

PIECE_BYTES = 1 << 20


class ReplyTooLarge(httpx.DecodingError):
    """A reply has more bytes than any reply that we ask for."""

    def __init__(self) -> None:
        super().__init__(f"it has more than {LARGEST_REPLY_BYTES // 1024**2} MiB")


async def whole_content(response: httpx.Response) -> bytes:
    """Read the body of a streamed response, unpacked.

    Not left to httpx, which unpacks whatever comes, packed any number of times.

    Raises: ReplyTooLarge, as soon as that many bytes came; httpx.DecodingError, for a body that is damaged, cut short,
        or packed in a way that nobody asked for.
    """
    if response.is_stream_consumed:  # an answer that was made in this process, and is in memory anyhow
        if len(response.content) > LARGEST_REPLY_BYTES:
            raise ReplyTooLarge
        return response.content
    unpacker = _Unpacker(response.headers.get("content-encoding", ""))
    pieces: list[bytes] = []
    size = 0
    unread = cast("AsyncGenerator[bytes, None]", aiter(cast("httpx.AsyncByteStream", response.stream)))
    async with aclosing(unread) as stream:
        async for raw in stream:
            for piece in unpacker.unpacked(raw):
                size += len(piece)
                if size > LARGEST_REPLY_BYTES:
                    pieces.clear()  # the error is kept for a while, and with it everything here
                    raise ReplyTooLarge
                pieces.append(piece)
    unpacker.close()
    return b"".join(pieces)


class _Unpacker:
    """Unpacks a stream in pieces of at most `PIECE_BYTES`."""

    def __init__(self, encoding: str) -> None:
        names = [name for part in encoding.split(",") if (name := part.strip().lower()) not in {"", "identity"}]
        if names not in ([], ["gzip"], ["x-gzip"], ["deflate"]):
            raise httpx.DecodingError(f"it is packed as {encoding[:40]!r}, which nobody asked for")
        self._is_deflate = names == ["deflate"]
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 32) if names else None
        self._has_begun = False

    def unpacked(self, raw: bytes) -> Iterator[bytes]:
        """Yield what these bytes unpack to."""
        if self._stream is None or not raw:
            yield raw
            return
        if self._is_deflate and not self._has_begun and raw[0] & 0x0F != zlib.DEFLATED:
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)  # some services send "deflate" without its header
        self._has_begun = True
        stream = self._stream
        try:
            is_more = True
            while is_more and not stream.eof:
                piece = stream.decompress(raw, PIECE_BYTES)
                yield piece
                raw = stream.unconsumed_tail
                is_more = bool(raw) or len(piece) == PIECE_BYTES  # of a full piece, the rest may be kept back
        except zlib.error as error:
            raise httpx.DecodingError(str(error)) from error

    def close(self) -> None:
        """Check that the stream came to its end.

        Raises: httpx.DecodingError.
        """
        if self._stream is not None and self._has_begun and not self._stream.eof:
            raise httpx.DecodingError("it ends in the middle of what was packed")


def text_of_bytes(content: bytes, promised: str | None) -> tuple[str, bool]:
    """Return the text of the bytes, and True if all were readable.

    U+FFFD stands for bytes that were not readable. JSON is UTF-8 (RFC 8259, section 8.1), whatever a header says. So
    UTF-8 is tried first: bytes of another charset are hardly ever valid UTF-8 by chance. Bytes that are not UTF-8 are
    read as the header promises, if the header promises another charset.

    Args:
        content: the bytes, without compression.
        promised: the charset that the reply's header names; None if it names none.
    """
    for charset in filter(None, ("utf-8", promised)):
        try:
            return content.decode(charset).removeprefix(BYTE_ORDER_MARK), True
        except (LookupError, ValueError):  # no such charset, or bytes that are not in it
            continue
    return content.decode("utf-8", "replace").removeprefix(BYTE_ORDER_MARK), False
