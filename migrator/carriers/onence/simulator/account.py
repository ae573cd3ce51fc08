"""State that the handlers work on.

The state is the customer's fleet, the clock, the options, and changes that wait for their time.
"""

from dataclasses import dataclass, field

from migrator.carriers.onence.simulator.behaviour import OnenceBehaviour
from migrator.carriers.onence.simulator.choices import UnknownSim
from migrator.carriers.onence.simulator.fleet import SimulatedFleet
from migrator.carriers.onence.simulator.messages import OnenceCall, refusal
from migrator.carriers.onence.simulator.model import SimulatedSourceSim
from migrator.carriers.simulation import Ledger, SimulatedClock
from migrator.carriers.simulation.effects import Effect, still_waiting
from migrator.carriers.simulation.messages import Refused, SimulatedReply, html_reply

__all__ = ["CustomerAccount", "unknown_sim"]


@dataclass(slots=True)
class CustomerAccount:
    """Customer of the simulated 1NCE.

    `pages_served` counts list replies, `drifted` counts SIMs that came or went.
    """

    seed: int
    fleet: SimulatedFleet
    behaviour: OnenceBehaviour
    clock: SimulatedClock
    ledger: Ledger
    effects: list[Effect] = field(default_factory=list)
    pages_served: int = 0
    drifted: int = 0

    def settle(self) -> None:
        """Let every accepted change happen whose time has come.

        Outside an event loop, all accepted changes happen.
        """
        if self.effects:
            self.effects = still_waiting(self.effects, self.clock)

    def shows(self, sim: SimulatedSourceSim, call: OnenceCall) -> bool:
        """True if the called version of the API knows `sim` at all."""
        return not (sim.platform2 and call.version == "v1" and self.behaviour.v1_hides_platform2)

    def find(self, call: OnenceCall, iccid: str) -> SimulatedSourceSim | None:
        """Return the SIM that `iccid` names, or None.

        None means that the called version does not know the SIM.
        """
        sim = self.fleet.find(iccid)
        if sim is None and self.behaviour.check_digit_accepted:
            sim = self.fleet.find(iccid[:-1])
            sim = sim if sim is not None and sim.iccid_with_luhn == iccid else None
        return sim if sim is not None and self.shows(sim, call) else None

    def known(self, call: OnenceCall, iccid: str) -> SimulatedSourceSim:
        """Return the SIM that `iccid` names.

        Raises: Refused, for a SIM that the called version does not know.
        """
        sim = self.find(call, iccid)
        if sim is None:
            raise Refused(unknown_sim(call, self.behaviour))
        return sim


def unknown_sim(call: OnenceCall, behaviour: OnenceBehaviour) -> SimulatedReply:
    """Return the answer about a SIM that is not there."""
    if call.version == "v2":
        return refusal(call, 404, "Element not found")
    if behaviour.unknown_sim is UnknownSim.HTML_404:
        return html_reply(404, "404 Not Found")
    return SimulatedReply(200 if behaviour.unknown_sim is UnknownSim.EMPTY_200 else 404)
