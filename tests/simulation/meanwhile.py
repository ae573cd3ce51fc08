"""Time that passes between a look and the order that rests on it: 429s that hold everybody, and machines that sleep."""

from collections.abc import Callable
from dataclasses import dataclass, field

from migrator.platforms.simulation import Fault, FaultPlan
from tests.simulation.world import World

__all__ = ["HoldingBack", "suspend"]


def suspend(world: World, seconds: float) -> None:
    """The machine sleeps: dates and carriers go on, and the seconds that a process counts stand still."""
    world.elapsed_s += seconds
    for clock in (world.source._account.clock, world.target._clock):
        clock.now_s()
        clock._offset_s += seconds


@dataclass(slots=True)
class HoldingBack:
    """Refuses the first requests that match, each with a 429, and lets something happen right then.

    Stands in the place of a `FaultPlan`. How long the 429 holds everybody is a switch of the simulator.

    Args:
        matches: which requests, by method and path.
        meanwhile: what people do, once for each refusal.
        times: how many are refused.
        then: decides about all other requests.
    """

    matches: Callable[[str, str], bool]
    meanwhile: Callable[[], None] = lambda: None
    times: int = 1
    then: FaultPlan = field(default_factory=FaultPlan)

    def next(self, method: str, path: str) -> Fault:
        """The fault for the request that just arrived."""
        if self.times <= 0 or not self.matches(method, path):
            return self.then.next(method, path)
        self.times -= 1
        self.meanwhile()
        return Fault.TOO_MANY
