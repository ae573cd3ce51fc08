"""Pages over all accounts, with those of each account below."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from migrator.errors import MigratorError
from migrator.inputs.settings.settings import Settings
from migrator.pages.accounts.inside import Inside
from migrator.pages.accounts.metrics import accounts_metrics
from migrator.pages.accounts.reading import RegisterReader
from migrator.pages.app import IDLE_EVERY_S, LIVE_EVERY_S, Pages
from migrator.pages.door.access import Access
from migrator.pages.door.guard import Guard, may_look
from migrator.pages.door.login import Login
from migrator.pages.door.trouble import HANDLERS
from migrator.pages.metrics import CONTENT_TYPE
from migrator.pages.rendering import ASSETS, asset, rendered
from migrator.pages.runs import clock
from migrator.reports.accounts.page import page_values

__all__ = ["AccountsPages"]

MOST_OPEN = 6
"""Accounts whose pages stay open: each has three connections to the database."""


class AccountsPages:
    """Pages over the accounts of a register.

    Args:
        url: of the database.
        settings_of: returns the settings for an account; it may wait.
        access: who may look.
        now: UTC seconds.
    """

    def __init__(
        self,
        url: str,
        settings_of: Callable[[str], Settings],
        access: Access | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._url, self._settings_of, self._now = url, settings_of, now
        self._access = Access() if access is None else access
        self._reader = RegisterReader(url)
        self._open: OrderedDict[str, Pages] = OrderedDict()
        self._opening = asyncio.Lock()
        routes = [
            Route("/", self._overview),
            Route("/a/{name}", self._to_account),
            Route("/login", Login(self._access, now).answer, methods=["GET", "POST"]),
            Route("/metrics", self._metrics),
            Route("/healthz", self._health),
            *(Route(path, self._asset) for path in ASSETS),
            Route("/a/{name}/{rest:path}", _Account(self._of)),
        ]
        app = Starlette(routes=routes, exception_handlers=HANDLERS)
        self._guarded = Guard(app, self._access, now)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._guarded(scope, receive, send)

    def close(self) -> None:
        """Give all connections back."""
        for pages in self._open.values():
            pages.close()
        self._reader.close()

    async def _overview(self, _request: Request) -> Response:
        found = await self._reader.overview()
        links = {line.account.name: f"/a/{line.account.name}/" for line in found.lines}
        is_live = any(line.account.worker or line.standing.holder for line in found.lines)
        page = rendered(
            "accounts.html.j2",
            every_s=LIVE_EVERY_S if is_live else IDLE_EVERY_S,
            shown_at=clock(self._now()),
            **page_values(found, links),
        )
        return HTMLResponse(page)

    async def _to_account(self, request: Request) -> Response:
        name = (await self._reader.account(request.path_params["name"])).name
        return RedirectResponse(f"/a/{name}/", 307)

    async def _of(self, name: str) -> Pages:
        """Return the pages of an account.

        Raises: MigratorError, where it is not registered, or its settings cannot be used.
        """
        await self._reader.account(name)  # it may have been removed
        async with self._opening:
            if name not in self._open:
                settings = await asyncio.to_thread(self._settings_of, name)
                self._open[name] = Pages(self._url, settings, self._access, self._now)
            self._open.move_to_end(name)
            while len(self._open) > MOST_OPEN:
                _, pages = self._open.popitem(last=False)
                await asyncio.to_thread(pages.close)
            return self._open[name]

    async def _metrics(self, _request: Request) -> Response:
        return Response(accounts_metrics(await self._reader.overview()), headers={"content-type": CONTENT_TYPE})

    async def _health(self, request: Request) -> Response:
        try:
            await self._reader.overview()
        except MigratorError as error:
            words = {"words": error.message, "hint": error.hint}
            is_told = may_look(request.headers, self._access, self._now())
            return JSONResponse({"status": "unavailable", "code": error.code, **(words if is_told else {})}, 503)
        return JSONResponse({"status": "ok"})

    async def _asset(self, request: Request) -> Response:
        kind, text = asset(request.url.path)
        return Response(text, media_type=kind)


class _Account:
    """Application that finds the pages of the account in the path."""

    def __init__(self, pages_of: Callable[[str], Awaitable[Pages]]) -> None:
        self._pages_of = pages_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path_params"]["name"]
        pages = await self._pages_of(name)
        await Inside(pages.unguarded, name)(scope, receive, send)
