"""Simulator of Onomondo as an ASGI application.

The order of work is: fault, rate limit, key, answer, ledger, and then the wire.
"""

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import anyio
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from migrator.carriers.onomondo.simulator import reads, writes
from migrator.carriers.onomondo.simulator.account import OnomondoAccount, OnomondoCall, read_call, refusal
from migrator.carriers.onomondo.simulator.behaviour import KeyForm, OnomondoBehaviour
from migrator.carriers.onomondo.simulator.fleet import OnomondoFleet
from migrator.carriers.onomondo.simulator.model import SimulatedOnomondoSim, made_sim
from migrator.carriers.simulation import (
    ConnectionCut,
    Fault,
    FaultPlan,
    FreshBucket,
    Ledger,
    LedgerEntry,
    SimulatedClock,
)
from migrator.carriers.simulation.echo import spelled, with_echo
from migrator.carriers.simulation.exchange import HANGS, through
from migrator.carriers.simulation.messages import Refused, SimulatedReply, json_reply, live, send_reply

__all__ = ["OnomondoSimulator"]

EPOCH = datetime(2026, 11, 20, tzinfo=UTC)
INVENTED_KEY = "onok_inventedFor.theSimulatorAlone-0000"

_ROUTES: tuple[tuple[str, re.Pattern[str], Callable[..., SimulatedReply]], ...] = (
    ("GET", re.compile(r"/sims"), reads.sim_list),
    ("GET", re.compile(r"/sims/find"), reads.find),
    ("GET", re.compile(r"/sims/([^/]+)"), reads.single),
    ("GET", re.compile(r"/usage"), reads.usage),
    ("GET", re.compile(r"/usage/([^/]+)"), reads.usage),
    ("PATCH", re.compile(r"/sims/bulk"), writes.update_many),
    ("PATCH", re.compile(r"/sims/([^/]+)"), writes.update_one),
)
"""Calls with their handlers; the first that fits answers."""


class OnomondoSimulator:
    """Onomondo as one customer sees it, an ASGI 3 application.

    The application runs in process, or is served by uvicorn. Besides, `GET /_simulator/ledger` and
    `GET /_simulator/truth` are free of key, rate limit, faults and ledger.

    Args:
        seed: names the fleet and everything else that looks like chance.
        sims: size of the generated fleet.
        fleet: the SIMs, in place of a generated fleet.
        behaviour: the options of the carrier.
        faults: which requests go wrong.
        epoch: the date at the first request.
        api_key: what is accepted.
    """

    def __init__(
        self,
        *,
        seed: int = 7,
        sims: int = 500,
        fleet: Iterable[SimulatedOnomondoSim] | None = None,
        behaviour: OnomondoBehaviour | None = None,
        faults: FaultPlan | None = None,
        epoch: datetime = EPOCH,
        api_key: str = INVENTED_KEY,
    ) -> None:
        self.api_key = api_key
        self.ledger = Ledger()
        self.faults = faults or FaultPlan()
        made = (made_sim(seed, serial) for serial in range(sims)) if fleet is None else fleet
        self._account = OnomondoAccount(
            seed=seed,
            fleet=OnomondoFleet(made, seed=seed),
            behaviour=behaviour or OnomondoBehaviour(),
            clock=SimulatedClock(epoch),
            ledger=self.ledger,
        )
        self._bucket = FreshBucket()
        self._calls = 0

    @property
    def fleet(self) -> OnomondoFleet:
        """Fleet in its true state, with every accepted update that is due.

        Outside an event loop, all accepted updates are in the fleet.
        """
        self._account.settle()
        return self._account.fleet

    @property
    def behaviour(self) -> OnomondoBehaviour:
        """Options of the simulator; may be replaced at any time."""
        return self._account.behaviour

    @behaviour.setter
    def behaviour(self, behaviour: OnomondoBehaviour) -> None:
        self._account.behaviour = behaviour

    @property
    def writes(self) -> list[LedgerEntry]:
        """Requests that could have changed something: all but reads."""
        return [entry for entry in self.ledger.entries if entry.method != "GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises: ConnectionCut, where a fault breaks the connection.
        """
        if scope["type"] == "lifespan":
            await live(receive, send)
        elif scope["type"] == "http":
            call = await read_call(Request(scope, receive))
            reply = self._inside(call) or self._echoed(call, await self._exchange(call))
            compressed = self.behaviour.gzip and "gzip" in call.headers.get("accept-encoding", "")
            await send_reply(reply, send, compressed=compressed)

    def _echoed(self, call: OnomondoCall, reply: SimulatedReply) -> SimulatedReply:
        """Add the key that was sent, if an option says so."""
        if not self.behaviour.echoes_credentials or not (reply.content_type or "").startswith("application/json"):
            return reply
        sent = call.headers.get("authorization", "").removeprefix("Bearer ")
        return json_reply(with_echo(json.loads(reply.body), spelled("", sent)), reply.status)

    async def _exchange(self, call: OnomondoCall) -> SimulatedReply:
        """Answer one request, after the time that the answer takes.

        The answer is decided and noted at once.
        """
        at_s = self._account.clock.now_s()
        fault = self.faults.next(call.method, call.path)
        reply = through(fault, lambda: self._answer(call), too_many=self._too_many, carrier="Onomondo")
        status = None if reply is None else reply.status
        self.ledger.entries.append(LedgerEntry(at_s, call.method, call.path, call.query, call.body, status, str(fault)))
        if writes.is_forbidden(call):
            self.ledger.forbidden.append(f"{call.method} {call.path}")
        await anyio.sleep(self._delay_s(fault))
        if reply is None:
            raise ConnectionCut(fault)
        return reply

    def _answer(self, call: OnomondoCall) -> SimulatedReply:
        """Return the carrier's answer to the request."""
        self._account.settle()
        refused = self._too_soon() or self._not_let_in(call)
        if refused is not None:
            return refused
        for method, pattern, handler in _ROUTES:
            match = pattern.fullmatch(call.path)
            if match and method == call.method:
                try:
                    return handler(self._account, call, *match.groups())
                except Refused as no:
                    return no.reply
        return refusal(404, "not_found")

    def _too_soon(self) -> SimulatedReply | None:
        limit, every = self.behaviour.rate_limit, self.behaviour.too_many_every
        if limit is not None and not self._bucket.admits(limit, self._account.clock):
            return _too_many(limit.retry_after_s)
        self._calls += 1
        is_refused = every is not None and self._calls % every == 0
        return _too_many(self.behaviour.too_many_retry_after_s) if is_refused else None

    def _too_many(self, is_told: bool) -> SimulatedReply:  # noqa: FBT001 - the one argument of the port
        return _too_many(self.behaviour.too_many_retry_after_s if is_told else None)

    def _not_let_in(self, call: OnomondoCall) -> SimulatedReply | None:
        """Return a 401 unless the account takes the key."""
        bearer = {KeyForm.BEARER, KeyForm.EITHER}
        taken = {f"Bearer {self.api_key}"} if self.behaviour.key_form in bearer else set()
        taken |= {self.api_key} if self.behaviour.key_form in {KeyForm.BARE, KeyForm.EITHER} else set()
        return None if call.headers.get("authorization") in taken else refusal(401, "unauthorized")

    def _delay_s(self, fault: Fault) -> float:
        if fault in HANGS:
            return self.behaviour.hang_s
        return self.behaviour.latency_s + (self.behaviour.slow_s if fault is Fault.SLOW else 0.0)

    def _inside(self, call: OnomondoCall) -> SimulatedReply | None:
        """Answer the two control calls, which are no part of Onomondo.

        The result is None for any other call.
        """
        if call.path == "/_simulator/ledger":
            return json_reply(self.ledger.as_dict())
        if call.path == "/_simulator/truth":
            return json_reply([sim.as_dict() for sim in self.fleet])
        return None


def _too_many(retry_after_s: int | None) -> SimulatedReply:
    """Return a 429; no header without a value."""
    headers = () if retry_after_s is None else (("Retry-After", str(retry_after_s)),)
    reply = refusal(429, "too many requests")
    return SimulatedReply(reply.status, reply.body, reply.content_type, headers)
