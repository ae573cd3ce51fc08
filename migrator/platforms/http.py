"""One HTTP exchange, paced, bounded in time, and sorted by what may have happened.

Both carriers' clients send through `HttpSession`. Reads are retried here, and nothing else is: a write is sent once,
except after a refusal that surely did nothing, and then only where the caller allows it.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import httpx
import tenacity

from migrator.errors import OutcomeUnknown, PlatformError, RateLimited, Transient
from migrator.platforms.pacing import Pacer

__all__ = ["HttpSession", "Reply", "shortened"]

log = logging.getLogger("migrator.http")

ATTEMPTS = 6
NOTHING_LEFT_US = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.ProxyError,
)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that arrived whole. `body` is parsed JSON, None for an empty one; `is_json` is False for other text."""

    status: int
    headers: httpx.Headers
    body: Any
    is_json: bool
    text: str

    @property
    def is_empty(self) -> bool:
        """Whether nothing was sent back."""
        return not self.text.strip()

    @property
    def retry_after_s(self) -> float | None:
        """The Retry-After header in seconds; None if absent or a date."""
        try:
            return max(0.0, float(self.headers["retry-after"]))
        except (KeyError, ValueError):
            return None


Sorter = Callable[[Reply, bool], PlatformError | None]
"""A carrier's own reading of a reply: the error it means, or None. The flag says whether it answers a write."""


class HttpSession:
    """Sends requests to one carrier.

    Args:
        http: the client, with its base URL and, where it is static, its authentication.
        pacer: shared by everybody who talks to this carrier.
        carrier: its name for people.
        sort: turns a reply into the error it means.
        timeout_s: the longest one exchange may take, over all its parts.
    """

    def __init__(
        self, http: httpx.AsyncClient, *, pacer: Pacer, carrier: str, sort: Sorter, timeout_s: float = 60.0
    ) -> None:
        self._http = http
        self._pacer = pacer
        self._carrier = carrier
        self._sort = sort
        self._timeout_s = timeout_s

    async def read(
        self, path: str, params: Mapping[str, str | int] | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """GET, tried up to six times while nothing but weather is wrong. Raises: PlatformError."""
        return await self._patiently(lambda: self._once("GET", path, params, None, headers))

    async def write(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        retry_refusals: bool,
        timeout_s: float | None = None,
    ) -> Reply:
        """Send a write once.

        Args:
            retry_refusals: whether to send again after a 429 or where no connection came about. Not for claims: a
                refusal there is looked into first.

        Raises: OutcomeUnknown, when it left us and no readable answer came; else what the answer means.
        """

        async def once() -> Reply:
            return await self._once(method, path, params, body, headers, timeout_s=timeout_s)

        return await (self._patiently(once) if retry_refusals else once())

    async def _patiently(self, once: Callable[[], Any]) -> Reply:
        retrying = tenacity.AsyncRetrying(
            sleep=anyio.sleep,
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            retry=tenacity.retry_if_exception_type(Transient),
            wait=_pause_before_retry,
            reraise=True,
        )
        reply: Reply = await retrying(once)
        return reply

    async def _once(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
        *,
        timeout_s: float | None = None,
    ) -> Reply:
        await self._pacer.turn()
        is_write = method != "GET"
        reply = await self._exchange(method, path, params, body, headers, timeout_s=timeout_s or self._timeout_s)
        error = self._sort(reply, is_write)
        if isinstance(error, RateLimited):
            self._pacer.refused(error.retry_after_s)
        else:
            self._pacer.accepted()
        if error is not None:
            raise error
        return reply

    async def _exchange(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
        *,
        timeout_s: float,
    ) -> Reply:
        lost = OutcomeUnknown if method != "GET" else Transient
        try:
            with anyio.fail_after(timeout_s):
                response = await self._http.request(
                    method, path.lstrip("/"), params=params, json=body, headers=headers, follow_redirects=False
                )
        except NOTHING_LEFT_US as error:
            raise Transient(f"{self._carrier} cannot be reached: {_reason(error)}") from error
        except TimeoutError as error:
            raise lost(f"{self._carrier} did not answer {method} {path} within {timeout_s:g} s") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise lost(f"the connection to {self._carrier} broke during {method} {path}: {_reason(error)}") from error
        log.debug("%s %s %s -> %d", self._carrier, method, path, response.status_code)
        return _reply(response)


def _reply(response: httpx.Response) -> Reply:
    text = response.text
    try:
        body, is_json = (json.loads(text), True) if text.strip() else (None, True)
    except ValueError:
        body, is_json = None, False
    return Reply(response.status_code, response.headers, body, is_json, text)


def _pause_before_retry(state: tenacity.RetryCallState) -> float:
    """The pacer already holds everyone after a 429; other trouble waits 1, 2, 4, 8, 16 s with a little jitter."""
    if state.outcome is not None and isinstance(state.outcome.exception(), RateLimited):
        return 0.0
    return tenacity.wait_exponential_jitter(initial=1, max=16, jitter=0.5)(state)


def _reason(error: Exception) -> str:
    return shortened(str(error)) or type(error).__name__


def shortened(text: str, limit: int = 200) -> str:
    """`text` on one line of at most `limit` characters: a carrier's words, for people."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
