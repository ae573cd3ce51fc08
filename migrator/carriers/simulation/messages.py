"""Replies as the handlers of a simulator see them.

The bodies that simulated carriers share are here, too.
"""

import gzip
import json
from dataclasses import dataclass
from typing import Any

from starlette.types import Receive, Send

from migrator.core.fleet.spelling import escaped

__all__ = ["BROKEN", "Refused", "SimulatedReply", "html_reply", "json_reply", "live", "send_reply"]

BROKEN, BROKEN_BYTES = "\uf8ff", b"\xe4\xf6"
"""Letter for private use that leaves as bytes which are not UTF-8.

An old system writes umlauts in such bytes.
"""

SMALLEST_GZIP_BYTES = 200


@dataclass(frozen=True, slots=True)
class SimulatedReply:
    """Answer before compression and noise."""

    status: int
    body: bytes = b""
    content_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


class Refused(Exception):
    """Refusal by a handler, with the answer to send instead."""

    def __init__(self, reply: SimulatedReply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def json_reply(
    value: Any, status: int = 200, *, headers: tuple[tuple[str, str], ...] = (), indent: int | None = None
) -> SimulatedReply:
    """Return an answer in JSON, compact unless indented."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, ensure_ascii=False, separators=separators, indent=indent)
    body = escaped(text).encode().replace(BROKEN.encode(), BROKEN_BYTES)
    return SimulatedReply(status, body, "application/json;charset=UTF-8", headers)


def html_reply(status: int, title: str) -> SimulatedReply:
    """Return a page as front ends send it, whatever the client accepts."""
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return SimulatedReply(status, page.encode(), "text/html")


async def send_reply(reply: SimulatedReply, send: Send, *, compressed: bool) -> None:
    """Put an answer on the wire.

    Names of headers keep their case, which Starlette's own responses would not keep.
    """
    body = reply.body
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
    if reply.content_type is not None:
        headers.append((b"Content-Type", reply.content_type.encode("latin-1")))
    if compressed and len(body) >= SMALLEST_GZIP_BYTES:
        body = gzip.compress(body, compresslevel=5, mtime=0)
        headers.append((b"Content-Encoding", b"gzip"))
    headers.append((b"Content-Length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def live(receive: Receive, send: Send) -> None:
    """Tell a server that there is nothing to start or stop."""
    for stage in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{stage}.complete"})
