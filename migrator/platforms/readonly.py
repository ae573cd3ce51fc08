"""A transport that lets no write through: what a dry run stands on."""

import httpx

from migrator.errors import IllegalTransition

__all__ = ["ReadOnlyTransport"]


class ReadOnlyTransport(httpx.AsyncBaseTransport):
    """Passes GET on and refuses everything else, whatever the code above it believes."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a GET. Raises: IllegalTransition, for a write: a defect of ours."""
        if request.method != "GET":
            words = f"a run that only reads tried to send {request.method} {request.url.path}"
            raise IllegalTransition(words, code="read_only")
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the transport below."""
        await self._inner.aclose()
