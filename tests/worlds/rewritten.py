"""A world whose carrier writes some of its replies in another way than the simulator does."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from migrator.carriers.simulation import InProcessTransport
from tests.worlds.world import World

__all__ = ["Rewrite", "RewrittenWorld", "each_record"]

Rewrite = Callable[[httpx.Request, Any], Any]
"""Makes another JSON of a reply's; bytes are the whole body."""


class _Rewriting(httpx.AsyncBaseTransport):
    def __init__(self, inner: httpx.AsyncBaseTransport, world: "RewrittenWorld") -> None:
        self._inner, self._world = inner, world

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._world.instead is not None:
            self._world.instead(request)
        reply = await self._inner.handle_async_request(request)
        if self._world.rewrite is None or reply.status_code != httpx.codes.OK:
            return reply
        body = self._world.rewrite(request, json.loads(await reply.aread()))
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.Response(200, headers=self._world.headers, content=content)


@dataclass(slots=True)
class RewrittenWorld(World):
    """A world in which `rewrite` has the last word on each reply of Hologram's that says 200."""

    rewrite: Rewrite | None = None
    instead: Callable[[httpx.Request], None] | None = None  # may raise before anything leaves
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})

    def http(self, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
        """The way to the simulated carrier, whose replies are rewritten."""
        return World.http(self, _Rewriting(transport or InProcessTransport(self.target), self))


def each_record(body: Any, change: Callable[[dict[str, Any]], None]) -> Any:
    """Change every object in a reply in its place. Returns: the reply."""
    if isinstance(body, dict):
        change(body)
    for inner in body.values() if isinstance(body, dict) else body if isinstance(body, list) else ():
        each_record(inner, change)
    return body
