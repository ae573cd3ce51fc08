"""Requests and replies as the handlers see them.

The bodies that several handlers share are here, too.
"""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.types import Send

from migrator.core.fleet.spelling import escaped

__all__ = ["Call", "Refused", "Reply", "html_reply", "json_reply", "read_call", "refusal", "send_reply"]

BROKEN, BROKEN_BYTES = "\uf8ff", b"\xe4\xf6"
"""Letter for private use that leaves as bytes which are not UTF-8.

An old system writes umlauts in such bytes.
"""

PREFIX = "/management-api"
SMALLEST_GZIP_BYTES = 200
V2_ERRORS = {400: (1001, "BadRequest"), 404: (1000, "NotFound"), 422: (1002, "UnprocessableEntity")}
"""Code and token by status.

1000 NotFound is documented, the others are assumed.
"""


@dataclass(frozen=True, slots=True)
class Call:
    """Request to the simulated 1NCE.

    `path` has no `/management-api` in front; `body` is parsed JSON, None for anything else.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(repr=False)  # like all that follows, it may hold credentials
    body: Any = field(repr=False)
    raw_body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @property
    def version(self) -> str:
        """Beginning of the path: `v1`, `v2`, or anything else."""
        return self.path.split("/")[1]

    @property
    def is_login(self) -> bool:
        """True if the call is under /oauth and carries credentials.

        So nothing of the call may be kept.
        """
        return self.path.startswith("/oauth")

    @property
    def is_under_sims(self) -> bool:
        """True if the call counts against the limit on /sims paths."""
        return self.path.startswith(("/v1/sims", "/v2/sims"))


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer before compression and noise."""

    status: int
    body: bytes = b""
    content_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


class Refused(Exception):
    """Refusal by a handler, with the answer to send instead."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


async def read_call(request: Request) -> Call:
    """Read a request to its end."""
    raw = await request.body()
    path: str = request.scope["path"]
    if path.startswith(PREFIX + "/"):
        path = path.removeprefix(PREFIX)
    try:
        body = json.loads(raw) if raw else None
    except ValueError:
        body = None
    return Call(request.method, path, dict(request.query_params), body, raw, request.headers)


def json_reply(
    value: Any, status: int = 200, *, headers: tuple[tuple[str, str], ...] = (), indent: int | None = None
) -> Reply:
    """Return an answer in JSON, compact unless indented."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, ensure_ascii=False, separators=separators, indent=indent)
    body = escaped(text).encode().replace(BROKEN.encode(), BROKEN_BYTES)
    return Reply(status, body, "application/json;charset=UTF-8", headers)


def html_reply(status: int, title: str) -> Reply:
    """Return a page as front ends send it, whatever the client accepts."""
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Reply(status, page.encode(), "text/html")


def refusal(call: Call, status: int, message: str) -> Reply:
    """Return an error in the manner of the called version.

    v2 explains itself, v1 mostly does not.

    Source: reference, section 12.1: bodies of v1's 403 and 404 are empty by contract; of its 422 nothing is known.
    """
    if call.version == "v2":
        code, token = V2_ERRORS[status]
        return json_reply({"error_code": code, "error_token": token, "message": message}, status)
    return Reply(status) if status == 404 else json_reply({"message": message}, status)  # noqa: PLR2004


async def send_reply(reply: Reply, send: Send, *, compressed: bool) -> None:
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
