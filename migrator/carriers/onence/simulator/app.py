"""Simulator of 1NCE as an ASGI application.

The order of work is: fault, rate limit, login, answer, ledger, and then the wire.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime

import anyio
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from migrator.carriers.onence.simulator.account import CustomerAccount
from migrator.carriers.onence.simulator.behaviour import OnenceBehaviour
from migrator.carriers.onence.simulator.fleet import SimulatedFleet
from migrator.carriers.onence.simulator.gate import RateGate, too_many
from migrator.carriers.onence.simulator.generator import FleetGenerator
from migrator.carriers.onence.simulator.messages import OnenceCall, read_call
from migrator.carriers.onence.simulator.model import SimulatedSourceSim
from migrator.carriers.onence.simulator.noise import with_noise
from migrator.carriers.onence.simulator.routes import Routes
from migrator.carriers.onence.simulator.tokens import TokenDesk
from migrator.carriers.onence.simulator.writes import is_forbidden
from migrator.carriers.simulation import ConnectionCut, Fault, FaultPlan, Ledger, LedgerEntry, SimulatedClock
from migrator.carriers.simulation.echo import spelled, with_echo
from migrator.carriers.simulation.exchange import HANGS, through
from migrator.carriers.simulation.messages import Refused, SimulatedReply, json_reply, live, send_reply

__all__ = ["OnenceSimulator"]

EPOCH = datetime(2026, 11, 20, tzinfo=UTC)
INVENTED_LOGIN = ("8100012345_migrator", "invented-for-the-simulator")


class OnenceSimulator:
    """1NCE as one customer sees it, an ASGI 3 application.

    The application runs in process, or is served by uvicorn. It answers under `/management-api/...` and without that
    prefix; faults and the ledger name paths without the prefix. Besides, `GET /_simulator/ledger` and
    `GET /_simulator/truth` are free of login, rate limit, faults and ledger.

    Args:
        seed: names the fleet, the tokens and everything else that looks like chance.
        sims: size of the generated fleet, up to a million and more; a SIM is made when it is first read.
        behaviour: the options of the carrier.
        faults: which requests go wrong.
        epoch: the date at the first request.
        client_id: what the login accepts.
        client_secret: the same.
    """

    def __init__(
        self,
        *,
        seed: int = 7,
        sims: int = 500,
        behaviour: OnenceBehaviour | None = None,
        faults: FaultPlan | None = None,
        epoch: datetime = EPOCH,
        client_id: str = INVENTED_LOGIN[0],
        client_secret: str = INVENTED_LOGIN[1],
    ) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self.ledger = Ledger()
        self.faults = faults or FaultPlan()
        self._account = CustomerAccount(
            seed=seed,
            fleet=SimulatedFleet(FleetGenerator(seed, epoch), generated=sims),
            behaviour=behaviour or OnenceBehaviour(),
            clock=SimulatedClock(epoch),
            ledger=self.ledger,
        )
        self._tokens = TokenDesk(seed=seed, client_id=client_id, client_secret=client_secret)
        self._gate = RateGate()
        self._routes = Routes()

    @classmethod
    def from_fleet(
        cls,
        fleet: Iterable[SimulatedSourceSim],
        *,
        seed: int = 7,
        behaviour: OnenceBehaviour | None = None,
        faults: FaultPlan | None = None,
        epoch: datetime = EPOCH,
        client_id: str = INVENTED_LOGIN[0],
        client_secret: str = INVENTED_LOGIN[1],
    ) -> "OnenceSimulator":
        """Make a simulator of exactly these SIMs, listed in this order.

        Raises: ValueError, if an ICCID comes twice.
        """
        simulator = cls(
            seed=seed,
            sims=0,
            behaviour=behaviour,
            faults=faults,
            epoch=epoch,
            client_id=client_id,
            client_secret=client_secret,
        )
        simulator.fleet.extend(fleet)
        return simulator

    @property
    def fleet(self) -> SimulatedFleet:
        """Fleet in its true state, with every accepted change that is due.

        Outside an event loop, all accepted changes are in the fleet.
        """
        self._account.settle()
        return self._account.fleet

    @property
    def behaviour(self) -> OnenceBehaviour:
        """Options of the simulator; may be replaced at any time."""
        return self._account.behaviour

    @behaviour.setter
    def behaviour(self, behaviour: OnenceBehaviour) -> None:
        self._account.behaviour = behaviour

    @property
    def writes(self) -> list[LedgerEntry]:
        """Requests that could have changed something: all but reads and logins."""
        return [entry for entry in self.ledger.entries if entry.method != "GET" and entry.path != "/oauth/token"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises: ConnectionCut, where a fault breaks the connection.
        """
        if scope["type"] == "lifespan":
            await live(receive, send)
        elif scope["type"] == "http":
            request = Request(scope, receive)
            call = await read_call(request)
            compressed = self.behaviour.gzip and "gzip" in call.headers.get("accept-encoding", "")
            inside = self._inside(call)
            reply = inside or self._echoed(call, await self._exchange(call))
            await send_reply(reply, send, compressed=compressed)

    def _echoed(self, call: OnenceCall, reply: SimulatedReply) -> SimulatedReply:
        """Add the customer's credentials to the answer, if an option says so."""
        if not self.behaviour.echoes_credentials or not (reply.content_type or "").startswith("application/json"):
            return reply
        words = spelled(self.client_id, self.client_secret)
        bearer = call.headers.get("authorization", "").removeprefix("Bearer ")
        body = with_echo(json.loads(reply.body), words if call.is_login else (*words, bearer))
        return json_reply(body, reply.status, headers=reply.headers)

    async def _exchange(self, call: OnenceCall) -> SimulatedReply:
        """Answer one request, after the time that the answer takes.

        The answer is decided and noted at once.
        """
        at_s = self._account.clock.now_s()
        fault = self.faults.next(call.method, call.path)
        reply = self._faulty(call, fault)
        self._note(call, at_s=at_s, status=None if reply is None else reply.status, fault=fault)
        await anyio.sleep(self._delay_s(fault))
        if reply is None:
            raise ConnectionCut(fault)
        if self.behaviour.noise_headers:
            reply = with_noise(reply, seed=self._account.seed, nth=len(self.ledger.entries))
        return reply

    def _faulty(self, call: OnenceCall, fault: Fault) -> SimulatedReply | None:
        """Return the answer as the fault changes it, or None.

        None means that the connection breaks.
        """

        def refused(is_told: bool) -> SimulatedReply:  # noqa: FBT001 - the one argument of the port
            return too_many(self.behaviour, self.behaviour.too_many_retry_after_s if is_told else None)

        return through(fault, lambda: self._answer(call), too_many=refused, carrier="1NCE")

    def _answer(self, call: OnenceCall) -> SimulatedReply:
        """Return the carrier's answer to the request."""
        account, clock = self._account, self._account.clock
        account.settle()
        too_soon = self._gate.refusal(call, self.behaviour, clock)
        if too_soon is not None:
            return too_soon
        if (call.method, call.path) == ("POST", "/oauth/token"):
            return self._login(call)
        refused = self._tokens.refusal(call, self.behaviour, now_s=clock.now_s(), now=clock.now())
        return refused or self._routes.answer(account, call)

    def _login(self, call: OnenceCall) -> SimulatedReply:
        try:
            return self._tokens.login(call, self.behaviour, self._account.clock.now_s())
        except Refused as refused:
            return refused.reply

    def _delay_s(self, fault: Fault) -> float:
        if fault in HANGS:
            return self.behaviour.hang_s
        return self.behaviour.latency_s + (self.behaviour.slow_s if fault is Fault.SLOW else 0.0)

    def _note(self, call: OnenceCall, *, at_s: float, status: int | None, fault: Fault) -> None:
        """Write the request into the ledger.

        Nothing of a login is kept, since credentials may stand in its query or body.
        """
        query, body = ({}, None) if call.is_login else (call.query, call.body)
        self.ledger.entries.append(LedgerEntry(at_s, call.method, call.path, query, body, status, str(fault)))
        if is_forbidden(call):
            self.ledger.forbidden.append(f"{call.method} {call.path}")

    def _inside(self, call: OnenceCall) -> SimulatedReply | None:
        """Answer the two control calls, which are no part of 1NCE.

        The result is None for any other call.
        """
        if call.path == "/_simulator/ledger":
            return json_reply(self.ledger.as_dict())
        if call.path == "/_simulator/truth":
            return json_reply([sim.as_dict() for sim in self.fleet])
        return None
