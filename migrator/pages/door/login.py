"""Login: the token against a cookie.

It is the only request that is no read. It writes nothing either.
"""

import asyncio
from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from migrator.pages.door.access import COOKIE, SESSION_S, Access
from migrator.pages.rendering import rendered

__all__ = ["Login"]

LONGEST_FORM = 4096
WRONG_TOKEN_S = 1.0


class Login:
    """Page to log in.

    Args:
        access: who may look.
        now: UTC seconds.
    """

    def __init__(self, access: Access, now: Callable[[], float]) -> None:
        self._access, self._now = access, now

    async def answer(self, request: Request) -> Response:
        """Show the form, or exchange the token for a cookie."""
        if self._access.is_open():
            return RedirectResponse("/", 303)
        if request.method != "POST":
            return HTMLResponse(rendered("login.html.j2", to="/", is_wrong=False))
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            raise HTTPException(403, "This form is sent from our own page only.")
        form = await _form(request)
        to = _own_path(form.get("to", "/"))
        if not self._access.is_token(form.get("token", "").strip()):
            await asyncio.sleep(WRONG_TOKEN_S)  # who guesses is to wait
            return HTMLResponse(rendered("login.html.j2", to=to, is_wrong=True), 401)
        answer = RedirectResponse(to, 303)
        is_secure = request.headers.get("x-forwarded-proto", "") == "https"
        answer.set_cookie(
            COOKIE, self._access.session(self._now()), SESSION_S, secure=is_secure, httponly=True, samesite="strict"
        )
        return answer


async def _form(request: Request) -> dict[str, str]:
    """Read a small form.

    Raises: HTTPException, for a large one.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_FORM:
            raise HTTPException(413, "That is no token.")
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=8)
    except ValueError:
        raise HTTPException(400, "That is no token.") from None
    return {name: values[0] for name, values in fields.items()}


def _own_path(to: str) -> str:
    """Return a path of ours, or the first page for anything else."""
    is_ours = to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable() and "\\" not in to
    return to if is_ours else "/"
