"""Application of the pages: what each path shows.

It reads, and writes nothing.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from migrator.core.campaign.life import LifeStage
from migrator.errors import MigratorError
from migrator.inputs.settings.settings import Settings
from migrator.pages.door.access import Access
from migrator.pages.door.guard import Guard, may_look
from migrator.pages.door.login import Login
from migrator.pages.door.trouble import HANDLERS
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
            Route("/login", Login(self._access, now).answer, methods=["GET", "POST"]),
            Route("/metrics", self._metrics),
            Route("/healthz", self._health),
            *(Route(path, self._asset) for path in ASSETS),
        ]
        self._app = Starlette(routes=routes, exception_handlers=HANDLERS)
        self._guarded = Guard(self._app, self._access, now)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._guarded(scope, receive, send)

    @property
    def unguarded(self) -> ASGIApp:
        """Pages for an application that has a guard of its own."""
        return self._app

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


def _watched(picture: Picture, work: AtWork) -> str | None:
    """Return the plan of the last run, or the newest plan."""
    return picture.newest_plan if work.last is None else str(work.last["plan_id"])
