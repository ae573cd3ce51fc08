"""State that the handlers work on, and their calls."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
from starlette.requests import Request

from migrator.carriers.onomondo.simulator.fleet import OnomondoFleet
from migrator.carriers.onomondo.simulator.model import SimulatedOnomondoSim
from migrator.carriers.onomondo.simulator.switches import OnomondoSwitches
from migrator.carriers.simulation import Ledger, SimulatedClock
from migrator.carriers.simulation.messages import Refused, Reply, json_reply

__all__ = ["OnomondoAccount", "OnomondoCall", "read_call", "refusal"]


@dataclass(frozen=True, slots=True)
class OnomondoCall:
    """Request to the simulated Onomondo.

    `body` is parsed JSON, None for anything else.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    headers: Mapping[str, str] = field(repr=False)


async def read_call(request: Request) -> OnomondoCall:
    """Read a request to its end."""
    raw = await request.body()
    try:
        body = json.loads(raw) if raw else None
    except ValueError:
        body = None
    return OnomondoCall(request.method, request.scope["path"], dict(request.query_params), body, request.headers)


def refusal(status: int, message: str) -> Reply:
    """Return an error; the bodies of the true Onomondo are not known."""
    return json_reply({"message": message}, status)


@dataclass(slots=True)
class OnomondoAccount:
    """Customer of the simulated Onomondo.

    `pages_served` counts list replies, `drifted` counts SIMs that came or went. `waiting` has updates that do not show
    yet: the time, the SIM, and its status from then on.
    """

    seed: int
    fleet: OnomondoFleet
    switches: OnomondoSwitches
    clock: SimulatedClock
    ledger: Ledger
    waiting: list[tuple[float, SimulatedOnomondoSim, Mapping[str, Any]]] = field(default_factory=list)
    pages_served: int = 0
    drifted: int = 0

    def settle(self) -> None:
        """Let every accepted update happen whose time has come.

        Outside an event loop, all accepted updates happen.
        """
        if not self.waiting:
            return
        now_s = self.clock.now_s() if _in_event_loop() else float("inf")
        for due_s, sim, values in self.waiting:
            if due_s <= now_s:
                for name, value in values.items():
                    setattr(sim, name, value)
        self.waiting = [one for one in self.waiting if one[0] > now_s]

    def known(self, name: str) -> SimulatedOnomondoSim:
        """Return the SIM with this SIM id or ICCID.

        Raises: Refused, with 404.
        """
        sim = self.fleet.find(name)
        if sim is None:
            raise Refused(refusal(404, "sim_not_found"))
        return sim


def _in_event_loop() -> bool:
    try:
        anyio.current_time()
    except RuntimeError:
        return False
    return True
