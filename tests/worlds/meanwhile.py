"""Time that passes between a look and the order that rests on it: 429s that hold everybody, and machines that sleep."""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import trio
from trio.testing import MockClock

from migrator.carriers.onence.simulator.model import SimStatus
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.cutover.plan import Direction
from migrator.core.fleet.sims import SourceStatus
from migrator.core.run.states import StepKind
from migrator.engine.run.context import Hooks

if TYPE_CHECKING:
    from tests.worlds.cutover_world import CutoverWorld
    from tests.worlds.world import World

__all__ = ["Guards", "HoldingBack", "Passing", "suspend"]

LONGEST_S = 30.0
"""How old the look may be on which an order rests that cannot be taken back."""
REFUSED_OFTEN_S = 60
"""The most that a carrier asks to wait which refuses every seventh request: with 900 s nothing would get through."""


def suspend(world: "World", seconds: float) -> None:
    """The machine sleeps: dates and carriers go on, and the seconds that a process counts stand still.

    It takes a moment to fall asleep, so that what was learned before the nap is told from what is learned after it.
    """
    clock = trio.lowlevel.current_clock()
    assert isinstance(clock, MockClock)
    clock.jump(0.001)
    world.naps.append((world.target._clock.now_s(), seconds))
    world.elapsed_s += seconds
    for carrier in (world.source._account.clock, world.target._clock):
        carrier.now_s()
        carrier._offset_s += seconds


class Decider(Protocol):
    """Whoever decides about a request that arrives, as a `FaultPlan` does."""

    def next(self, method: str, path: str) -> Fault:
        """The fault for the request that just arrived."""
        ...


@dataclass(slots=True)
class HoldingBack:
    """Refuses the first requests that match, each with a 429, and lets something happen right then.

    Stands in the place of a `FaultPlan`. How long the 429 holds everybody is part of the simulator's behaviour.

    Args:
        matches: which requests, by method and path.
        meanwhile: what people do, once for each refusal.
        times: how many are refused.
        then: decides about all other requests.
    """

    matches: Callable[[str, str], bool]
    meanwhile: Callable[[], None] = lambda: None
    times: int = 1
    then: Decider = field(default_factory=FaultPlan)

    def next(self, method: str, path: str) -> Fault:
        """The fault for the request that just arrived."""
        if self.times <= 0 or not self.matches(method, path):
            return self.then.next(method, path)
        self.times -= 1
        self.meanwhile()
        return Fault.TOO_MANY


@dataclass(slots=True)
class Guards:
    """Keeps when a new SIM was last asked for and shown live, and an old one shown on, and looks at orders by that.

    Args:
        world: whose wire is watched.
        olds: the old ICCID of each new one.
    """

    world: "CutoverWorld"
    olds: Mapping[str, str]
    _asked_at: dict[int, float] = field(default_factory=dict, init=False)
    _live_at: dict[str, float] = field(default_factory=dict, init=False)  # by old ICCID
    _on_at: dict[str, float] = field(default_factory=dict, init=False)

    def see(self, request: httpx.Request) -> None:
        """Look at a request on its way: no old SIM goes off, and no new one is paused, on a look that is old."""
        now_s = self.world.now().timestamp()
        self._asked_at[id(request)] = now_s
        if request.method == "GET" or request.url.path.endswith("/oauth/token"):
            return
        if request.url.path.endswith("/batch/state"):
            body = json.loads(request.content)
            devices = {link.device_id: self.olds[new] for new, link in self.world.target.sims.items()}
            self._check([devices[device_id] for device_id in body["deviceids"]], self._on_at, now_s)
            return
        off = [iccid for iccid, status in self.world.ordered(request) if status == "Disabled"]
        self._check(off, self._live_at, now_s)

    def _check(self, olds: list[str], seen_at: Mapping[str, float], now_s: float) -> None:
        for old in olds:
            age_s = now_s - seen_at.get(old, float("-inf"))
            assert age_s <= LONGEST_S, f"an order for {old} left on a look that was {age_s:.0f} s old"

    def note_answer(self, request: httpx.Request, response: httpx.Response) -> None:
        """Keep what a read showed."""
        asked_at = self._asked_at.pop(id(request))
        if request.method != "GET" or response.status_code != httpx.codes.OK:
            return
        try:
            body = response.json()
        except ValueError:
            return
        if "/sims/" in request.url.path:
            sim = self.world.shown_sim(body)
            if sim is not None and sim.status is SourceStatus.ENABLED:
                self._on_at[sim.iccid.digits] = asked_at
            return
        text = json.dumps(body)
        for new, old in self.olds.items():
            if new in text and self._is_shown_live(new):
                self._live_at[old] = asked_at

    def _is_shown_live(self, new: str) -> bool:
        """Whether a read shows a SIM as live: as it is, or was as long ago as reads lag."""
        link = self.world.target.sims[new]
        return link.at(link.clock.now_s() - self.world.target.behaviour.read_lag_s).state == "LIVE"


@dataclass(slots=True)
class Passing:
    """Draws, for one schedule, when time passes between a guard and its order, and what people do meanwhile.

    In half of the schedules nothing of it happens.

    Args:
        chance: its own, so that older seeds draw what they always drew.
        touched: old ICCIDs of the units at which somebody did something.
    """

    world: "CutoverWorld"
    chance: random.Random
    touched: set[str] = field(default_factory=set, init=False)
    _is_on: bool = field(init=False)

    def __post_init__(self) -> None:
        self._is_on = self.chance.random() < 0.5
        if self._is_on:
            world, hold_s = self.world, self.chance.choice([20, 60, 900])
            asked_s = hold_s if world.source.behaviour.too_many_every is None else min(hold_s, REFUSED_OFTEN_S)
            world.source.behaviour = replace(world.source.behaviour, too_many_retry_after_s=asked_s)
            world.target.behaviour = replace(world.target.behaviour, retry_after_s=hold_s)

    def excuses(self, olds: set[str]) -> bool:
        """Whether people are why these units are not as planned."""
        return olds <= self.touched

    def hooks(self, direction: Direction, hooks: Hooks | None) -> Hooks:
        """Crash points of one run, with time that passes between some intents and their requests."""
        hooks = hooks or Hooks()
        if not self._is_on:
            return hooks
        self._hold_back(direction)
        crash = hooks.after_intent

        def after_intent(kind: StepKind) -> None:
            if self.chance.random() < 0.15:
                suspend(self.world, self.chance.choice([5.0, 40.0, 3600.0]))
                self._meddle(direction)
            crash(kind)

        return replace(hooks, after_intent=after_intent)

    def _hold_back(self, direction: Direction) -> None:
        """Have one of the next orders refused, with people at the console while everybody is held."""
        carriers: list[Any] = [self.world.source]
        if direction is Direction.ROLLBACK:
            carriers.append(self.world.target)
        for carrier in carriers:
            if self.chance.random() < 0.4:
                carrier.faults = HoldingBack(  # asked like one
                    lambda method, path: method != "GET" and not path.endswith("/oauth/token"),
                    lambda: self._meddle(direction),
                    then=carrier.faults,
                )

    def _meddle(self, direction: Direction) -> None:
        """Somebody pauses a new SIM, or switches an old one off, or takes that back: the unit is theirs."""
        if self.chance.random() < 0.4:
            return
        olds = self.world.guards.olds
        new = self.chance.choice(sorted(olds))
        old, link = olds[new], self.world.target.sims[new]
        sim = self.world.source.fleet.find(old)
        if direction is Direction.CUTOVER and link.state in {"LIVE", "PAUSED-USER"}:
            link.state = "LIVE" if link.state == "PAUSED-USER" and old in self.touched else "PAUSED-USER"
        elif direction is Direction.ROLLBACK and sim is not None and sim.status in _SWITCHED:
            is_back = sim.status == SimStatus.DISABLED and old in self.touched
            sim.status = SimStatus.ENABLED if is_back else SimStatus.DISABLED
        else:
            return
        self.touched.add(old)
        self.world.served.discard(old)
        if self.world.may_go_off is not None:
            self.world.may_go_off.add(old)


_SWITCHED = {SimStatus.ENABLED, SimStatus.DISABLED}
