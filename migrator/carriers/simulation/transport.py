"""Ways to reach a simulator: in process, and through uvicorn on loopback.

In process, any clock can be used.
"""

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["ConnectionCut", "InProcessTransport", "serve_cuts"]


class ConnectionCut(Exception):
    """Error of a simulator that breaks the connection without an answer."""


class InProcessTransport(httpx.AsyncBaseTransport):
    """Transport that sends requests straight into an ASGI application.

    A cut connection becomes what httpx makes of a real cut.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._inner = httpx.ASGITransport(app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer `request`.

        Raises: httpx.ReadError, where the simulator cut the connection.
        """
        try:
            return await self._inner.handle_async_request(request)
        except ConnectionCut as cut:
            raise httpx.ReadError("the simulator cut the connection", request=request) from cut


def serve_cuts(app: ASGIApp) -> ASGIApp:
    """Wrap `app` for uvicorn.

    A cut connection becomes an answer that breaks off before its announced end.
    """

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except ConnectionCut:
            headers = [(b"content-type", b"application/json"), (b"content-length", b"4096")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"{", "more_body": True})

    return wrapped
