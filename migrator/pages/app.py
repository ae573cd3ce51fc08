"""Application of the pages: what each path shows.

It reads, and writes nothing.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from migrator.core.campaign.life import LifeStage
from migrator.errors import MigratorError
from migrator.inputs.settings.settings import Settings
from migrator.pages.door.access import COOKIE, SESSION_S, Access
from migrator.pages.door.guard import Guard, may_look
from migrator.pages.kept import Kept
from migrator.pages.metrics import CONTENT_TYPE, open_metrics
from migrator.pages.operation import operation
from migrator.pages.overview import overview
from migrator.pages.picture import Picture, picture_of
from migrator.pages.reading import StoreReader
from migrator.pages.rendering import ASSETS, asset, rendered
from migrator.pages.runs import AtWork, PlanCounts, at_work, clock, plan_counts, plan_page, runs_page
from migrator.pages.sims import Filter, csv_of, filter_from, sims_page
from migrator.pages.units import found
from migrator.store import Store

__all__ = ["Pages"]

T = TypeVar("T")
LIVE_EVERY_S, IDLE_EVERY_S = 3, 10
"""Seconds between two looks of a page, beside a run and else."""
PATIENCE_S = 0.15
"""Seconds that a page waits for counts.

Without them it says so, and has them at its next look.
"""
MOST_PLANS_KEPT = 1000
"""Plans whose counts are kept.

A campaign makes one or more each day, and the counts of one are small.
"""
LONGEST_FORM = 4096
WRONG_TOKEN_S = 1.0


class Pages:
    """Pages over one store.

    Args:
        url: of the store.
        settings: of this installation, for the story of a unit.
        access: who may look.
        now: UTC seconds.
    """

    def __init__(
        self, url: str, settings: Settings, access: Access | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self._settings, self._now = settings, now
        self._access = Access() if access is None else access
        one, other, self._slow = (StoreReader(url, settings.account) for _ in range(3))
        self._quick = one, other
        self._picture = Kept(self._slow, lambda store: picture_of(store, now()))
        self._plans: OrderedDict[str, Kept[PlanCounts]] = OrderedDict()
        routes = [
            Route("/", self._overview),
            Route("/sims", self._sims),
            Route("/sims.csv", self._csv),
            Route("/runs", self._runs),
            Route("/runs/{plan_id}", self._plan),
            Route("/find", self._find),
            Route("/login", self._login, methods=["GET", "POST"]),
            Route("/metrics", self._metrics),
            Route("/healthz", self._health),
            *(Route(path, self._asset) for path in ASSETS),
        ]
        handlers = {MigratorError: self._trouble, HTTPException: self._refused, Exception: self._unexpected}
        app = Starlette(routes=routes, exception_handlers=handlers)  # type: ignore[arg-type]  # each takes its own error
        self._guarded = Guard(app, self._access, now)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._guarded(scope, receive, send)

    def close(self) -> None:
        """Give the store back."""
        for reader in (*self._quick, self._slow):
            reader.close()

    # --- pages ----------------------------------------------------------------------------------------------------

    async def _overview(self, request: Request) -> Response:
        work = await self._ask(lambda store: at_work(store, self._now()))
        picture = await self._picture.within(PATIENCE_S)
        plan_id = None if picture is None else _watched(picture, work)
        counts = None if plan_id is None else await self._counts_of(plan_id).within(PATIENCE_S)
        told = None if picture is None else overview(picture, work)
        return self._page(request, "overview.html.j2", work=work, counts=told, plan_id=plan_id, plan=counts)

    async def _sims(self, request: Request) -> Response:
        wanted, work = filter_from(request.query_params), await self._ask(lambda store: at_work(store, self._now()))
        picture = await self._picture.within(PATIENCE_S)
        told = None
        if picture is not None:
            told = await self._ask(lambda store: sims_page(store, picture, wanted, self._now()))
        return self._page(request, "sims.html.j2", work=work, counts=told, wanted=wanted)

    async def _csv(self, request: Request) -> Response:
        wanted, picture = filter_from(request.query_params), await self._picture.value()
        name = "-".join(["sims", *(one.value for one in (wanted.stage, wanted.code) if one is not None)])
        headers = {"content-disposition": f'attachment; filename="{name}.csv"'}
        lines = csv_of(picture, wanted, self._ask, self._now())
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)

    async def _runs(self, request: Request) -> Response:
        told = await self._ask(lambda store: runs_page(store, self._now()))
        return self._page(request, "runs.html.j2", **told)

    async def _plan(self, request: Request) -> Response:
        plan_id = request.path_params["plan_id"]
        told = await self._ask(lambda store: (plan_page(store, plan_id), at_work(store, self._now())))
        if told[0] is None:
            raise HTTPException(404, "There is no such plan in this store.")
        counts = await self._counts_of(plan_id).within(PATIENCE_S)
        return self._page(request, "plan.html.j2", work=told[1], counts=counts, **told[0])

    async def _find(self, request: Request) -> Response:
        text = request.query_params.get("q", "")
        told = await self._ask(lambda store: (found(store, self._settings, text), at_work(store, self._now())))
        status = 404 if told[0]["words"] and not told[0]["hits"] else 200
        return self._page(request, "find.html.j2", status, work=told[1], **told[0])

    async def _asset(self, request: Request) -> Response:
        kind, text = asset(request.url.path)
        return Response(text, media_type=kind)

    def _page(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Render a page with what each page has."""
        every_s = LIVE_EVERY_S if values["work"].holder else IDLE_EVERY_S
        waits, picture = values.get("counts", ()) is None, self._picture.last
        page = rendered(
            template,
            here="/sims?stage=exception"
            if values.get("wanted", Filter()).stage is LifeStage.EXCEPTION
            else request.url.path,
            needing=0 if picture is None else picture.counts.exceptions,
            every_s=1 if waits else every_s,
            shown_at=clock(self._now()),
            **values,
        )
        return HTMLResponse(page, status)

    def _counts_of(self, plan_id: str) -> Kept[PlanCounts]:
        """Return the counts of a plan, which are kept."""
        if plan_id not in self._plans:
            self._plans[plan_id] = Kept(self._slow, lambda store: plan_counts(store, plan_id, self._now()))
        self._plans.move_to_end(plan_id)
        while len(self._plans) > MOST_PLANS_KEPT:
            self._plans.popitem(last=False)
        return self._plans[plan_id]

    async def _ask(self, question: Callable[[Store], T]) -> T:
        """Ask the reader that has least to do.

        Counts of a store that was away, or replaced, are forgotten.
        """
        reader = min(self._quick, key=lambda reader: reader.waiting)
        before = reader.openings
        try:
            return await reader.ask(question)
        finally:
            if before and reader.openings != before:
                self._picture.forget()
                self._plans.clear()

    # --- machines -------------------------------------------------------------------------------------------------

    async def _metrics(self, _request: Request) -> Response:
        work, now = await self._ask(lambda store: (at_work(store, self._now()), operation(store)))
        text = open_metrics(await self._picture.value(), work, now, self._now())
        return Response(text, headers={"content-type": CONTENT_TYPE})

    async def _health(self, request: Request) -> Response:
        """Tell if the store can be read.

        Why not is for those who may look.
        """
        try:
            await self._ask(Store.must_be_current)
        except MigratorError as error:
            words = {"words": error.message, "hint": error.hint}
            is_told = may_look(request.headers, self._access, self._now())
            return JSONResponse({"status": "unavailable", "code": error.code, **(words if is_told else {})}, 503)
        return JSONResponse({"status": "ok"})

    # --- the login ------------------------------------------------------------------------------------------------

    async def _login(self, request: Request) -> Response:
        """Exchange the token for a cookie.

        This is the only request that is no read. It writes nothing either.
        """
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

    # --- trouble --------------------------------------------------------------------------------------------------

    async def _trouble(self, request: Request, error: MigratorError) -> Response:
        return _words(request, 503, error.message, error.hint)

    async def _refused(self, request: Request, error: HTTPException) -> Response:
        known = {404: "There is no such page.", 405: "These pages are only read."}
        is_own = error.detail and error.detail not in {"Not Found", "Method Not Allowed"}
        words = error.detail if is_own else known.get(error.status_code, error.detail)
        return _words(request, error.status_code, words, "")

    async def _unexpected(self, request: Request, error: Exception) -> Response:
        logging.getLogger("migrator.pages").error("%s: %s: %s", request.url.path, type(error).__name__, error)
        words = f"Something unexpected happened ({type(error).__name__}); `migrator serve -v` tells more."
        return _words(request, 500, words, "The page tries again by itself; if it stays, report it")


def _watched(picture: Picture, work: AtWork) -> str | None:
    """Return the plan of the last run, or the newest plan."""
    return picture.newest_plan if work.last is None else str(work.last["plan_id"])


def _words(request: Request, status: int, words: str, hint: str) -> Response:
    """Answer with words: a page for a browser, else text."""
    if "text/html" in request.headers.get("accept", ""):
        page = rendered("trouble.html.j2", words=words, hint=hint, status=status, every_s=IDLE_EVERY_S)
        return HTMLResponse(page, status)
    return PlainTextResponse(f"{words}\n{hint}\n" if hint else f"{words}\n", status)


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
