"""ASGI application of the simulated Hologram.

The application takes a request in, lets the gate and the handlers decide, and notes the request in the ledger.
"""

import json
import secrets
from bisect import insort
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any
from urllib.parse import parse_qsl

import anyio
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from migrator.carriers.hologram.simulator.access import key_in_headers
from migrator.carriers.hologram.simulator.behaviour import HologramBehaviour
from migrator.carriers.hologram.simulator.choices import StockKind
from migrator.carriers.hologram.simulator.gate import CUTS, HANGS, PaceLimit, reply_after, reply_instead
from migrator.carriers.hologram.simulator.model import Session, SimulatedLink
from migrator.carriers.hologram.simulator.replies import Call, HologramReply, Refusal, html, ok, refusal
from migrator.carriers.hologram.simulator.routes import answer
from migrator.carriers.hologram.simulator.stock import IN_TEST, ClaimedAs, end_test_mode, stock
from migrator.carriers.hologram.simulator.world import World
from migrator.carriers.simulation import ConnectionCut, Fault, FaultPlan, Ledger, LedgerEntry, SimulatedClock
from migrator.carriers.simulation.echo import spelled, with_echo

__all__ = ["HologramSimulator"]

PREFIX = "/api/1"
CONTROL = "/_simulator/"
SESSION_LENGTH = timedelta(minutes=1)
TEST_BYTES = 100_000
"""Bytes after which a Test Mode ends by itself (reference, section 8)."""


class HologramSimulator:
    """Simulated Hologram with open access to all SIMs, charges and requests.

    Args:
        seed: makes every draw repeatable.
        behaviour: the options; may be replaced while the simulator runs, as may `faults`.
        faults: which exchanges go wrong.
        epoch: the date at the first request.
        api_key: the key that the simulator takes.
        org_id: the organization that the SIMs are delivered to.
        other_org_id: a second organization; seen by the key only with an option, or once SIMs are stocked there.
        user_id: the owner of the key.
        balance: dollars on the account; None is an invoiced organization.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        behaviour: HologramBehaviour | None = None,
        faults: FaultPlan | None = None,
        epoch: datetime = datetime(2026, 11, 20, tzinfo=UTC),
        api_key: str = "hologram-invented-key",
        org_id: int = 98_765,
        other_org_id: int = 98_800,
        user_id: int = 1_234,
        balance: Decimal | None = Decimal(1_000_000),
    ) -> None:
        self.api_key, self.org_id, self.other_org_id, self.user_id = api_key, org_id, other_org_id, user_id
        self.faults = faults or FaultPlan()
        self._clock = SimulatedClock(epoch)
        self._world = World(
            seed=seed,
            behaviour=behaviour or HologramBehaviour(),
            clock=self._clock,
            org_id=org_id,
            other_org_id=other_org_id,
            user_id=user_id,
            balance=balance,
        )
        self._pace = PaceLimit(self._world)
        self._late: list[tuple[float, Callable[[], object]]] = []

    @property
    def behaviour(self) -> HologramBehaviour:
        """Options that count from the next request on."""
        return self._world.behaviour

    @behaviour.setter
    def behaviour(self, behaviour: HologramBehaviour) -> None:
        self._world.behaviour = behaviour

    @property
    def sims(self) -> Mapping[str, SimulatedLink]:
        """SIMs by ICCID, as they truly are now.

        Attributes of a SIM may be set.
        """
        self._catch_up()
        return self._world.sims

    @property
    def ledger(self) -> Ledger:
        """Requests, answers and charges."""
        self._catch_up()
        return self._world.ledger

    @property
    def balance(self) -> Decimal | None:
        """Dollars on the account; None is an invoiced organization."""
        return self._world.balance

    @balance.setter
    def balance(self, balance: Decimal | None) -> None:
        self._world.balance = balance

    @property
    def now(self) -> datetime:
        """Simulated date."""
        return self._clock.now()

    def stock(self, iccids: Iterable[str]) -> None:
        """Deliver SIMs to our organization: INACTIVE and not claimed.

        Raises: ValueError, for a known ICCID.
        """
        stock(self._world, iccids, StockKind.INVENTORY)

    def stock_foreign(self, iccids: Iterable[str]) -> None:
        """Stock SIMs of an organization that the key cannot see.

        The SIMs are claimed by that organization.
        """
        stock(self._world, iccids, StockKind.FOREIGN)

    def stock_other_org(self, iccids: Iterable[str]) -> None:
        """Stock SIMs claimed in `other_org_id`, which the key then sees."""
        stock(self._world, iccids, StockKind.OTHER_ORG)

    def stock_claimed(
        self,
        iccids: Iterable[str],
        *,
        state: str = "LIVE",
        name: str | None = None,
        plan_id: int = 2096,
        overage_limit: int = -1,
        sms_limit: int = 100,
    ) -> None:
        """Stock SIMs that are ours since 30 days before the epoch."""
        claimed_as = ClaimedAs(state, name, plan_id, overage_limit, sms_limit)
        stock(self._world, iccids, StockKind.CLAIMED, claimed_as)

    def stock_test_mode(self, iccids: Iterable[str], *, ends_in: timedelta | None = None) -> None:
        """Stock SIMs in Test Mode in our organization.

        The Test Mode ends by itself `ends_in` after the epoch, by default a year after the claim, and before that once
        the SIM has passed `TEST_BYTES`.
        """
        sims = list(iccids)
        mode = ClaimedAs(IN_TEST) if ends_in is None else ClaimedAs(IN_TEST, test_ends_in=ends_in)
        stock(self._world, sims, StockKind.TEST_MODE, mode)
        due = (mode.test_ends_in.total_seconds(), lambda: self._end_those_left(sims))
        insort(self._late, due, key=itemgetter(0))

    def end_test_mode(self, iccids: Iterable[str]) -> None:
        """End the Test Mode of SIMs: they are live, and billed."""
        for iccid in iccids:
            end_test_mode(self._world, iccid)

    def _end_those_left(self, iccids: Iterable[str]) -> None:
        self.end_test_mode(iccid for iccid in iccids if self._world.sims[iccid].state == IN_TEST)

    def stock_dead(self, iccids: Iterable[str]) -> None:
        """Stock SIMs of our organization that were deactivated for ever."""
        stock(self._world, iccids, StockKind.DEAD)

    def add_session(self, iccid: str, at: datetime, bytes_: int, imei: str) -> None:
        """Let the SIM pass data at `at`, for one minute.

        A session of the future shows once it has begun.
        """
        record_id = 5_234_567_891 + len(self._world.sessions)
        session = Session(record_id, iccid, at, at + SESSION_LENGTH, bytes_, imei)
        self._world.sessions.append(session)
        link = self._world.sims[iccid]
        link.sessions.append(session)
        if link.state == IN_TEST and at <= self.now and sum(one.bytes_ for one in link.sessions) >= TEST_BYTES:
            self.end_test_mode([iccid])

    def add_attach(self, iccid: str, at: datetime) -> None:
        """Let a network see the SIM at `at`, without a data session.

        Assumed: Hologram's record then tells the time in `last_connect_time`, and nothing in `lastsession`.
        """
        self._world.sims[iccid].attached.append(at)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection.

        Raises: ConnectionCut, where the connection is to break.
        """
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        request = Request(scope, receive)
        control = request.url.path.startswith(CONTROL)
        reply = await (self._control(request) if control else self._exchange(request))
        if self.behaviour.echoes_key and not control:
            reply = replace(reply, payload=with_echo(reply.payload, spelled("apikey", self.api_key)))
        await reply.response()(scope, receive, send)

    async def _exchange(self, request: Request) -> HologramReply:
        """Carry out one exchange with the carrier.

        The ledger has the exchange before anybody waits for the answer.
        """
        self._catch_up()
        at_s, method, path = self._clock.now_s(), request.method, request.url.path
        fault = self.faults.next(method, path)
        text = await request.body()
        query = dict(request.query_params)
        key = query.pop("apikey", None)
        body = _parsed(request, text)
        reply = reply_instead(fault, self.behaviour)
        if reply is None:
            reply = reply_after(fault, self._answer(request, query, body, key_in_query=key), self.behaviour)
        if fault == Fault.LATE:
            due_s = at_s + self.behaviour.late_s
            late = (due_s, lambda: self._handled(request, query, body, key_in_query=key))
            insort(self._late, late, key=itemgetter(0))
        silent = fault in CUTS | HANGS
        entry = LedgerEntry(at_s, method, path, query, body, None if silent else reply.status, fault.value)
        self.ledger.entries.append(entry)
        await self._delay(fault)
        if silent:
            raise ConnectionCut
        return reply

    def _catch_up(self) -> None:
        """Carry out late requests that are due, each at its time."""
        while self._late and self._late[0][0] <= self._clock.now_s():
            due_s, carry_out = self._late.pop(0)
            with self._clock.turned_to(due_s):
                carry_out()

    def _answer(
        self, request: Request, query: Mapping[str, str], body: Any, *, key_in_query: str | None
    ) -> HologramReply:
        refused = self._pace.refusal() or self._too_long(request)
        return refused if refused is not None else self._handled(request, query, body, key_in_query=key_in_query)

    def _handled(
        self, request: Request, query: Mapping[str, str], body: Any, *, key_in_query: str | None
    ) -> HologramReply:
        key = key_in_query or key_in_headers(request.headers)
        if key is None or not secrets.compare_digest(key.encode(), self.api_key.encode()):
            return refusal(self.behaviour.bad_key_status, "Not logged in")
        path = request.url.path
        if key_in_query is not None:
            self._world.forbid(f"{request.method} {path}", "the key stands in the query")
        if body is not None and not isinstance(body, dict):
            return refusal(400, "The body must be an object")
        inner = path.removeprefix(PREFIX).rstrip("/")
        try:
            return answer(self._world, Call(request.method, inner, path, query, body or {}))
        except Refusal as refused_by_handler:
            return refused_by_handler.reply

    def _too_long(self, request: Request) -> HologramReply | None:
        longest = self.behaviour.max_url_bytes
        length = len(request.url.path) + len(request.url.query) + 1
        return html(414, "URI Too Long") if longest is not None and length > longest else None

    async def _delay(self, fault: Fault) -> None:
        if fault in HANGS:
            await anyio.sleep(self.behaviour.hang_s)
        else:
            await anyio.sleep(self.behaviour.latency_s + (self.behaviour.slow_s if fault == Fault.SLOW else 0.0))

    async def _control(self, request: Request) -> HologramReply:
        """Answer the calls of tests and rehearsals outside the API."""
        asked = request.method, request.url.path.removeprefix(CONTROL)
        if asked == ("GET", "ledger"):
            return HologramReply(200, self.ledger.as_dict())
        if asked == ("GET", "truth"):
            return HologramReply(200, {iccid: link.truth() for iccid, link in self.sims.items()})
        if asked != ("POST", "stock"):
            return refusal(404, "No such control")
        try:
            order = json.loads(await request.body())
            kind, sims = StockKind(order.get("kind", "inventory")), [str(iccid) for iccid in order["iccids"]]
            if kind is StockKind.TEST_MODE:
                self.stock_test_mode(sims)
            else:
                stock(self._world, sims, kind)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return refusal(400, f"Cannot stock: {error}")
        return ok({"sims": len(self.sims)})


def _parsed(request: Request, text: bytes) -> Any:
    """Return the body as parsed JSON or form fields.

    The result is None if there is no body, and the words "not JSON" for any other body.
    """
    if not text:
        return None
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return _form(text.decode())
    try:
        return json.loads(text)
    except ValueError:
        return "not JSON"


def _form(text: str) -> dict[str, Any]:
    """Return form fields; the fields that end in [] are lists."""
    pairs = parse_qsl(text, keep_blank_values=True)
    lists = {key[:-2]: [value for other, value in pairs if other == key] for key, _ in pairs if key.endswith("[]")}
    return {**{key: value for key, value in pairs if not key.endswith("[]")}, **lists}


async def _lifespan(receive: Receive, send: Send) -> None:
    """Tell a server that there is nothing to start or stop."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
