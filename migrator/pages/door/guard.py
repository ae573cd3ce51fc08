"""Guard before the pages: who may ask, and what each answer carries.

Source: OWASP, "HTTP Headers Cheat Sheet" and "Content Security Policy Cheat Sheet". Read 2026-11-29.
"""

import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from migrator.pages.door.access import COOKIE, Access
from migrator.pages.rendering import rendered

__all__ = ["OPEN", "Guard", "may_look"]

OPEN = frozenset({"/healthz", "/login", "/watch.css", "/watch.js"})
"""Paths that need no token.

They are what the form to log in is made of, and the one word for a load balancer.
"""
FORWARDED = ("forwarded", "x-forwarded", "x-real-ip", "via")
"""Beginnings of the headers by which a proxy shows itself."""

REMEDY = "To let others look, start it with --token-file (docs/serve.md)."
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """Application around the pages that lets nobody else through.

    Args:
        app: the pages.
        access: names and token.
        now: UTC seconds.
    """

    def __init__(self, app: ASGIApp, access: Access, now: Callable[[], float] = time.time) -> None:
        self._app, self._access, self._now = app, access, now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on to the pages."""
        if scope["type"] != "http":
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        refused = self._refusal(scope)
        await (self._app if refused is None else refused)(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers, path = Headers(scope=scope), scope["path"]
        if not self._access.is_our_name(headers.getlist("host")):
            return PlainTextResponse(f"This server is not known by that name. {REMEDY}\n", 421)
        if self._access.is_open() and _is_forwarded(scope, headers):
            return PlainTextResponse(
                f"A proxy stands before this server, and anybody may be behind it. {REMEDY}\n", 403
            )
        if self._access.is_open() and path not in OPEN and headers.get("sec-fetch-site") == "cross-site":
            words = "Another site sent you here, or asks in your name: open the address by itself."
            return PlainTextResponse(f"{words} {REMEDY}\n", 403)
        if path in OPEN or may_look(headers, self._access, self._now()):
            return None
        told = {"www-authenticate": 'Bearer realm="migrator"'}
        if "text/html" in headers.get("accept", ""):
            return HTMLResponse(rendered("login.html.j2", to=_way_back(scope), is_wrong=False), 401, told)
        return PlainTextResponse("A token is needed: Authorization: Bearer TOKEN\n", 401, told)


def _is_forwarded(scope: Scope, headers: Headers) -> bool:
    """True if a proxy stands between.

    It says so, or speaks HTTP/1.0 as nginx does by default. Browsers and Prometheus speak HTTP/1.1 or later.
    """
    return scope["http_version"] == "1.0" or any(name.startswith(FORWARDED) for name in headers)


def may_look(headers: Headers, access: Access, now: float) -> bool:
    """True if a request has the token, or a login's cookie."""
    if access.is_open():
        return True
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return access.is_token(given.strip())
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return False
    return cookie is not None and access.is_session(cookie.value, now)


def _way_back(scope: Scope) -> str:
    query = scope.get("query_string", b"").decode("latin-1")
    return f"{scope['path']}?{query}" if query else str(scope["path"])
