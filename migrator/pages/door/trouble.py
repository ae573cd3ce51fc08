"""Trouble as a page, and as text where no browser asks."""

import logging
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from migrator.errors import MigratorError
from migrator.pages.rendering import rendered

__all__ = ["HANDLERS", "TROUBLE_EVERY_S"]

TROUBLE_EVERY_S = 10
"""Seconds between two looks of a page that could not be shown."""


async def _trouble(request: Request, error: MigratorError) -> Response:
    return _words(request, 503, error.message, error.hint)


async def _refused(request: Request, error: HTTPException) -> Response:
    known = {404: "There is no such page.", 405: "These pages are only read."}
    is_own = error.detail and error.detail not in {"Not Found", "Method Not Allowed"}
    words = error.detail if is_own else known.get(error.status_code, error.detail)
    return _words(request, error.status_code, words, "")


async def _unexpected(request: Request, error: Exception) -> Response:
    logging.getLogger("migrator.pages").error("%s: %s: %s", request.url.path, type(error).__name__, error)
    words = f"Something unexpected happened ({type(error).__name__}); `migrator serve -v` tells more."
    return _words(request, 500, words, "The page tries again by itself; if it stays, report it")


def _words(request: Request, status: int, words: str, hint: str) -> Response:
    """Answer with words: a page for a browser, else text."""
    if "text/html" in request.headers.get("accept", ""):
        page = rendered("trouble.html.j2", words=words, hint=hint, status=status, every_s=TROUBLE_EVERY_S)
        return HTMLResponse(page, status)
    return PlainTextResponse(f"{words}\n{hint}\n" if hint else f"{words}\n", status)


HANDLERS: Mapping[Any, Any] = {MigratorError: _trouble, HTTPException: _refused, Exception: _unexpected}
"""Handler of each kind of error, for an application."""
