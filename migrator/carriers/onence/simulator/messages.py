"""Requests as the handlers see them, and refusals in 1NCE's manner."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from migrator.carriers.simulation.messages import SimulatedReply, json_reply

__all__ = ["OnenceCall", "read_call", "refusal"]

PREFIX = "/management-api"
V2_ERRORS = {400: (1001, "BadRequest"), 404: (1000, "NotFound"), 422: (1002, "UnprocessableEntity")}
"""Code and token by status.

1000 NotFound is documented, the others are assumed.
"""


@dataclass(frozen=True, slots=True)
class OnenceCall:
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


async def read_call(request: Request) -> OnenceCall:
    """Read a request to its end."""
    raw = await request.body()
    path: str = request.scope["path"]
    if path.startswith(PREFIX + "/"):
        path = path.removeprefix(PREFIX)
    try:
        body = json.loads(raw) if raw else None
    except ValueError:
        body = None
    return OnenceCall(request.method, path, dict(request.query_params), body, raw, request.headers)


def refusal(call: OnenceCall, status: int, message: str) -> SimulatedReply:
    """Return an error in the manner of the called version.

    v2 explains itself, v1 mostly does not.

    Source: reference, section 12.1: bodies of v1's 403 and 404 are empty by contract; of its 422 nothing is known.
    """
    if call.version == "v2":
        code, token = V2_ERRORS[status]
        return json_reply({"error_code": code, "error_token": token, "message": message}, status)
    return SimulatedReply(status) if status == 404 else json_reply({"message": message}, status)  # noqa: PLR2004
