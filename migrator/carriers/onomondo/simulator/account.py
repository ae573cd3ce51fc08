"""State that the handlers work on, and their calls."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from migrator.carriers.onomondo.simulator.behaviour import OnomondoBehaviour
from migrator.carriers.onomondo.simulator.fleet import OnomondoFleet
from migrator.carriers.onomondo.simulator.model import SimulatedOnomondoSim
from migrator.carriers.simulation import Ledger, SimulatedClock
from migrator.carriers.simulation.effects import Effect, still_waiting
from migrator.carriers.simulation.messages import Refused, SimulatedReply, json_reply

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


def refusal(status: int, message: str) -> SimulatedReply:
    """Return an error; the bodies of the true Onomondo are not known."""
    return json_reply({"message": message}, status)


@dataclass(slots=True)
class OnomondoAccount:
    """Customer of the simulated Onomondo.

    `pages_served` counts list replies, `drifted` counts SIMs that came or went. `effects` are updates that do not show
    yet.
    """

    seed: int
    fleet: OnomondoFleet
    behaviour: OnomondoBehaviour
    clock: SimulatedClock
    ledger: Ledger
    effects: list[Effect] = field(default_factory=list)
    pages_served: int = 0
    drifted: int = 0

    def settle(self) -> None:
        """Let every accepted update happen whose time has come.

        Outside an event loop, all accepted updates happen.
        """
        if self.effects:
            self.effects = still_waiting(self.effects, self.clock)

    def known(self, name: str) -> SimulatedOnomondoSim:
        """Return the SIM with this SIM id or ICCID.

        Raises: Refused, with 404.
        """
        sim = self.fleet.find(name)
        if sim is None:
            raise Refused(refusal(404, "sim_not_found"))
        return sim
