"""HTTP exchange with a carrier: limited in rate and time, and sorted.

Answers are sorted by what may have happened. Both carriers' clients send through `HttpSession`. Reads are retried here,
and nothing else is: a write is sent once, except after a refusal that surely did nothing, and then only where the
caller allows it.
"""

import json
import logging
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import anyio
import httpx
import tenacity

from migrator.carriers.decoding import PACKINGS, ReplyTooLarge, text_of_bytes, whole_content
from migrator.carriers.pacing import Pacer
from migrator.carriers.replies import Mask, Reply, Sorter, shortened
from migrator.errors import (
    Halted,
    Interrupted,
    MigratorError,
    NotSent,
    NotTrusted,
    OutcomeUnknown,
    Outdated,
    RateLimited,
    StoreError,
    Transient,
    WireMismatch,
)
from migrator.ports import WAITS, Vouch

__all__ = ["HttpSession", "Mask", "Reply", "Sorter", "shortened"]

log = logging.getLogger("migrator.http")
waits = logging.getLogger(WAITS)

ATTEMPTS = 6
UNREACHABLE = (
    "check the network, the proxy if HTTPS_PROXY or ALL_PROXY names one, and the carrier's base URL in the settings; "
    "then run the same command again"
)
CERTIFICATE = (
    "somebody stands in between (a proxy, a virus scanner), the base URL is another's, or this machine's clock is "
    "wrong. If your organization's proxy signs anew: SSL_CERT_FILE names a file with its certificate and the usual ones"
)
TOO_LARGE = "something on the way may answer in the carrier's place; if it stays so, ask the carrier"
LONGEST_TOLD_S = 366 * 86_400.0
CONNECT_TIMEOUT_S = 15.0
NOTHING_LEFT_US = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.ProxyError,
)

LEAVES = frozenset({"http11.send_request_headers.started", "http2.send_request_headers.started"})
"""Names of the httpcore events that start to send a request.

At such an event the first byte goes out on a connection that stands.
"""

BODY_LEAVES = frozenset({"http11.send_request_body.started", "http2.send_request_body.started"})
"""Names of the httpcore events that start to send a body.

The head left before, and other tasks, or a pause of the whole process, may have come between.
"""

Params = Mapping[str, str | int]

_JSON_IN_AND_OUT = (
    {"Accept": "application/json", "Accept-Encoding": PACKINGS},
    {"Accept": "application/json", "Accept-Encoding": PACKINGS, "Content-Type": "application/json"},
)
"""Headers of a request without a body, and with a body."""


def _content(body: Mapping[str, Any] | Sequence[Any] | None) -> bytes | None:
    """Encode a body as it goes out, in ASCII.

    ASCII carries any text, also half an emoji that a carrier left in a label.
    """
    return None if body is None else json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")


def _no_doubt() -> None:
    """Vouch for a request that depends on nothing."""


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    params: Params | None
    content: bytes | None = field(repr=False)
    headers: Mapping[str, str] | None = field(repr=False)
    timeout_s: float
    is_write: bool
    vouch: Vouch = field(default=_no_doubt, repr=False)

    async def trace(self, moment: str, details: Mapping[str, Any]) -> None:
        """Follow the connection, and vouch before head and body are sent.

        Connecting takes time, too. Without its body a request is not whole, and changes nothing; but once a part left,
        we cannot say that nothing left.

        Raises: what `vouch` raises, before a byte is sent; after that StoreError, or OutcomeUnknown for anything else.
        """
        if moment in LEAVES:
            self.vouch()
        elif moment in BODY_LEAVES and self.content is not None and details["request"].method != b"CONNECT":
            try:
                self.vouch()
            except StoreError:
                raise
            except MigratorError as error:
                raise OutcomeUnknown(f"{self} broke off before its body left: {error}") from None

    def __str__(self) -> str:
        return f"{self.method} {self.path.partition('?')[0]}"

    @property
    def lost(self) -> type[OutcomeUnknown | Transient]:
        """Error of a request that left us and got no answer."""
        return OutcomeUnknown if self.is_write else Transient


@dataclass(slots=True)
class _Patience:
    """Stop rule that counts the failed tries of one request.

    A 429 does not count while other requests are served: a carrier that lets four requests a second through may refuse
    the same request of eight again and again. The turn of that request comes once the other requests are through.
    """

    pacer: Pacer
    _served: int = field(init=False)
    _in_vain: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._served = self.pacer.served

    def __call__(self, state: tenacity.RetryCallState) -> bool:
        """Count the try, and return True if the request is given up."""
        were_served, self._served = self._served, self.pacer.served
        is_refused = state.outcome is not None and isinstance(state.outcome.exception(), RateLimited)
        if not is_refused or were_served == self._served:
            self._in_vain += 1
        return self._in_vain >= ATTEMPTS


class HttpSession:
    """Session that sends requests to one carrier.

    Args:
        http: the client, with its base URL.
        pacer: shared by everybody who talks to this carrier.
        carrier: its name for people.
        sort: turns a reply into the error it means.
        timeout_s: the longest one exchange may take, over all its parts.
        auth: goes with every request; None where each request brings its own.
        mask: strikes the account's secrets out of replies and errors: what a carrier echoes goes no further than here.
        takes_tokens: whether replies bring secrets that are wanted: their bodies stay as they are.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        pacer: Pacer,
        carrier: str,
        sort: Sorter,
        timeout_s: float = 60.0,
        auth: httpx.Auth | None = None,
        mask: Mask | None = None,
        takes_tokens: bool = False,
    ) -> None:
        self._http = http
        self._pacer = pacer
        self._carrier = carrier
        self._sort = sort
        self._timeout_s = timeout_s
        self._auth = auth
        self._mask = mask or Mask()
        self._takes_tokens = takes_tokens

    async def read(self, path: str, params: Params | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        """GET `path`, and repeat the read after passing trouble.

        A read is given up after six tries in vain.

        Raises: PlatformError.
        """
        request = _Request("GET", path, params, None, headers, self._timeout_s, is_write=False)
        return await self._patiently(request)

    async def ask(self, path: str, body: Mapping[str, Any]) -> Reply:
        """POST what changes nothing, such as a login.

        Such a request may be repeated as if it were a read.
        """
        request = _Request("POST", path, None, _content(body), None, self._timeout_s, is_write=False)
        return await self._patiently(request)

    async def write(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: Mapping[str, Any] | Sequence[Any] | None = None,
        headers: Mapping[str, str] | None = None,
        retry_refusals: bool,
        timeout_s: float | None = None,
        vouch: Vouch | None = None,
    ) -> Reply:
        """Send a write once.

        Args:
            retry_refusals: whether to send again after a 429 or where no connection came about. Not for claims: a
                refusal there is examined first.
            vouch: asked while the write waits, and at the very moment of sending, whether its grounds are still valid.

        Raises: OutcomeUnknown, when the write left us and no readable answer came; NotSent, when the run was ordered to
            stop before the write left; Outdated, when `vouch` does not vouch for the write any more, and the write did
            not leave; else what the answer means.
        """
        longest_s, content = timeout_s or self._timeout_s, _content(body)

        def leaves() -> None:
            self._pacer.leaving()  # may ask the store, which takes time: before the grounds, which may grow old in it
            (vouch or _no_doubt)()

        request = _Request(method, path, params, content, headers, longest_s, is_write=True, vouch=leaves)
        try:
            return await (self._patiently(request) if retry_refusals else self._once(request))
        except (Interrupted, Halted) as stop:  # raised by the pacer's gate alone, so never once a request has left
            raise NotSent(stop) from stop

    async def _patiently(self, request: _Request) -> Reply:
        """Repeat a request as long as it surely changed nothing.

        Sorters give Transient and WireMismatch to a write only if the write changed nothing.
        """
        retrying = tenacity.AsyncRetrying(
            sleep=self._pacer.sleep,
            stop=_Patience(self._pacer),
            retry=tenacity.retry_if_exception(_may_be_repeated),
            wait=self._pause_before_retry,
            reraise=True,
        )
        return await retrying(self._once, request)

    def _pause_before_retry(self, state: tenacity.RetryCallState) -> float:
        """Return the seconds to wait before the next try.

        After a 429 the pacer stops everyone, so there is no further wait. Other trouble waits 1, 2, 4, 8, 16 s, and a
        bit.
        """
        if state.outcome is not None and isinstance(state.outcome.exception(), RateLimited):
            return 0.0
        return self._pacer.spread(tenacity.wait_exponential(multiplier=1, max=16)(state))

    async def _once(self, request: _Request) -> Reply:
        await self._pacer.turn(request.vouch)
        request.vouch()  # nothing is waited for between this and the exchange
        reply = await self._exchange(request)
        error = self._sort(reply, is_write=request.is_write)
        if isinstance(error, RateLimited):
            self._pacer.refused(error.retry_after_s)
            self._tell_long_hold(error.retry_after_s)
        else:
            self._pacer.accepted()
            if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR and (asked_s := reply.retry_after_s):
                self._pacer.hold(asked_s)
                self._tell_long_hold(asked_s)
        if error is not None:
            raise error
        return reply

    def _tell_long_hold(self, asked_s: float | None) -> None:
        """Tell at once of a long stop, by the machine's clock.

        A stop that nobody is told of looks as if nothing were going on.
        """
        held_s = self._pacer.untold_hold_s()
        if held_s is None:
            return
        now = datetime.now().astimezone()
        until, again = (_clock(now, seconds) for seconds in (max(asked_s or 0.0, held_s), held_s))
        told = {"carrier": self._carrier, "until": until, "again": again}
        waits.warning("%s asks to wait until %s", self._carrier, until, extra={"held": told})

    async def _exchange(self, request: _Request) -> Reply:
        try:
            with anyio.fail_after(request.timeout_s):
                response, content = await self._send(request)
        except NOTHING_LEFT_US as error:
            if (refused := _refused_certificate(error)) is not None:
                words = f"{self._carrier} shows a certificate that is not to be trusted: {refused}"
                raise NotTrusted(words, hint=CERTIFICATE) from None
            words = f"{self._carrier} cannot be reached: {self._reason(error)}"
            raise Transient(words, hint=UNREACHABLE) from None
        except TimeoutError:
            raise request.lost(f"{self._carrier} did not answer {request} within {request.timeout_s:g} s") from None
        except ReplyTooLarge as error:
            words = f"{self._carrier} answered {request} with more than any answer holds: {error}"
            raise request.lost(words, code="reply_too_large", hint=TOO_LARGE) from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            reason = self._reason(error)
            raise request.lost(f"the connection to {self._carrier} broke during {request}: {reason}") from None
        log.debug("%s %s -> %d", self._carrier, request, response.status_code)
        return self._reply(request, response, content)

    async def _send(self, request: _Request) -> tuple[httpx.Response, bytes]:
        """Send the request, and read the body, with this session's time-outs.

        The client's own time-outs are replaced, as they know nothing of slow claims.
        """
        async with self._http.stream(
            request.method,
            request.path.lstrip("/"),
            params=request.params,
            content=request.content,
            headers={**_JSON_IN_AND_OUT[request.content is not None], **(request.headers or {})},
            auth=self._auth or httpx.USE_CLIENT_DEFAULT,
            timeout=httpx.Timeout(request.timeout_s, connect=CONNECT_TIMEOUT_S, pool=CONNECT_TIMEOUT_S),
            follow_redirects=False,
            extensions={} if request.vouch is _no_doubt else {"trace": request.trace},
        ) as response:
            return response, await whole_content(response)

    def _reply(self, request: _Request, response: httpx.Response, content: bytes) -> Reply:
        text, is_whole = text_of_bytes(content, response.charset_encoding)
        mask = Mask() if self._takes_tokens else self._mask
        try:
            body, is_json = (json.loads(text), True) if text.strip() else (None, True)
            clean, body = mask.reply(text, body)
        except (ValueError, RecursionError):
            (clean, _), body, is_json = mask.reply(text, None), None, False
        is_whole = is_whole and clean is text
        return Reply(response.status_code, response.headers, body, is_json, clean, str(request), self._mask, is_whole)

    def _reason(self, error: Exception) -> str:
        return self._mask.words(str(error)) or type(error).__name__


def _clock(now: datetime, seconds: float) -> str:
    """Return the minute in which a wait is over.

    The day stands before it, if that is not today.
    """
    over = now + timedelta(seconds=min(seconds, LONGEST_TOLD_S) + 59)
    return f"{over:%H:%M}" if over.date() == now.date() else f"{over:%Y-%m-%d %H:%M}"


def _refused_certificate(error: BaseException) -> str | None:
    """Return why the certificate was refused; None for other trouble."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return shortened(getattr(cause, "verify_message", "") or "it cannot be verified")
        cause = cause.__cause__ or cause.__context__
    return None


def _may_be_repeated(error: BaseException) -> bool:
    """True if the same request may go out again.

    A request that is too old would only get older, and no certificate mends itself.
    """
    return isinstance(error, Transient | WireMismatch) and not isinstance(error, Outdated | NotTrusted)
