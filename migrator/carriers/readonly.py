"""Transport of a dry run, which lets no write through."""

import httpx

from migrator.errors import IllegalTransition

__all__ = ["ReadOnlyTransport"]


class ReadOnlyTransport(httpx.AsyncBaseTransport):
    """Transport that passes GET on and refuses everything else.

    The code above the transport cannot change that.

    Args:
        inner: the transport below.
        login: the end of the path of the one POST that changes nothing, if there is one.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, *, login: str | None = None) -> None:
        self._inner = inner
        self._login = login

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a GET or the login.

        Raises: IllegalTransition, for a write: a defect of ours.
        """
        is_login = self._login is not None and request.method == "POST" and request.url.path.endswith(self._login)
        if request.method != "GET" and not is_login:
            words = f"a run that only reads tried to send {request.method} {request.url.path}"
            raise IllegalTransition(words, code="read_only")
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the transport below."""
        await self._inner.aclose()
