"""Live control of a run, on a virtual clock: orders come by a second connection while the run is under way."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.carriers.pacing import AdaptivePacer
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.fleet.identifiers import Iccid
from migrator.core.run.control import Order, OrderKind, Signs
from migrator.core.run.results import ApplyResult, ExitCode
from migrator.core.run.states import StepKind, StepState
from migrator.engine.run.context import LONG_PAUSE_S, Hooks, Stopper, quiet
from migrator.errors import LeaseLost
from migrator.ports import Claim
from migrator.wiring.pace import keeping_pace, remember
from tests.support import run_virtual
from tests.worlds.world import World

SLOW = HologramBehaviour(latency_s=0.15)


def give(world: World, kind: OrderKind) -> None:
    with world.store() as store:
        plan_id = store.plans.newest() or ""
        store.steering.give(plan_id, Order(kind, "anna on rome", world.now().timestamp()))


def withdraw(world: World) -> None:
    with world.store() as store:
        store.steering.withdraw(store.plans.newest() or "", by="anna", now=0.0)


def sent(world: World) -> int:
    return len(world.target.ledger.entries)


def steps_in(world: World, state: StepState) -> int:
    with world.store() as store:
        counts = store.journal.step_counts(store.plans.newest() or "")
    return sum(count for (_, found), count in counts.items() if found == state)


@dataclass
class Operator:
    """Gives `order` at the first write of `kind`, at that crash point; then does something beside the run."""

    world: World
    order: OrderKind
    kind: StepKind
    point: str = "after_intent"
    sent_before: int = -1
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _paused: anyio.Event = field(default_factory=anyio.Event)

    def apply(self, beside: Callable[[], Coroutine[Any, Any, None]] | None = None) -> ApplyResult:
        """Run `apply`; `beside` begins once the run says that it stands still."""

        async def waiting() -> None:
            await self._paused.wait()
            if beside is not None:
                await beside()

        return self.world.apply(hooks=Hooks(**{self.point: self._pass_by}), progress=self._progress, beside=waiting)

    def _pass_by(self, kind: StepKind) -> None:
        if kind is self.kind and self.sent_before < 0:
            self.sent_before = sent(self.world)
            give(self.world, self.order)

    def _progress(self, event: str, values: Any) -> None:
        self.told.append((event, dict(values)))
        if event == "paused":
            self._paused.set()

    def words(self, *events: str) -> list[str]:
        return [event for event, _ in self.told if event in events]


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path, behaviour=SLOW)
    world.ready()
    return world


# --- pause and resume ---------------------------------------------------------------------------------------------

KINDS = [StepKind.CLAIM, StepKind.LIMITS, StepKind.NAME]


@pytest.mark.share(2)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("point", ["after_intent", "after_effect"])
@pytest.mark.parametrize("paused_s", [10.0, 3600.0], ids=["short", "long"])
def test_a_paused_run_sends_nothing_and_goes_on_when_it_is_resumed(
    world: World, kind: StepKind, point: str, paused_s: float
) -> None:
    operator = Operator(world, OrderKind.PAUSE, kind, point)
    seen: list[int] = []

    async def resume_later() -> None:
        await anyio.sleep(paused_s)
        seen.append(sent(world))
        withdraw(world)

    result = operator.apply(resume_later)
    assert result.exit_code is ExitCode.DONE
    assert seen[0] - operator.sent_before <= 1
    assert operator.words("paused", "resumed") == ["paused", "resumed"]
    assert "anna on rome" in dict(operator.told)["paused"]["order"]
    assert len(world.claims_sent()) == 1
    world.check_fulfilled()


@pytest.mark.parametrize("kind", KINDS)
def test_an_aborted_run_sends_nothing_more_and_says_how_to_go_on(world: World, kind: StepKind) -> None:
    operator = Operator(world, OrderKind.ABORT, kind)
    result = operator.apply()
    assert result.exit_code is ExitCode.HALTED
    assert sent(world) - operator.sent_before <= 1
    assert "anna on rome" in result.reason
    assert "migrator run resume" in result.hint
    assert steps_in(world, StepState.IN_FLIGHT) == 0
    before = sent(world)
    assert world.apply().exit_code is ExitCode.HALTED
    assert sent(world) == before
    withdraw(world)
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    assert len(world.claims_sent()) == 1
    world.check_fulfilled()


def test_a_run_that_stands_still_has_begun_nothing(world: World) -> None:
    """What has no intent on disk needs no settling, should the process die while it stands still."""
    seen: list[int] = []

    async def look() -> None:
        await anyio.sleep(10)
        seen.append(steps_in(world, StepState.IN_FLIGHT))
        withdraw(world)

    Operator(world, OrderKind.PAUSE, StepKind.LIMITS, "after_effect").apply(look)
    assert seen == [0]


def test_a_stop_ends_a_pause(world: World) -> None:
    operator = Operator(world, OrderKind.PAUSE, StepKind.LIMITS)

    async def interrupt() -> None:
        await anyio.sleep(10.5)
        world.stopper.stop("interrupted")

    assert operator.apply(interrupt).exit_code is ExitCode.INTERRUPTED
    assert world.elapsed_s < 60


def test_a_run_reads_before_it_sends_when_it_stood_still_for_long(world: World) -> None:
    """Meanwhile a person claimed all SIMs at the carrier's console: a claim would not be for a SIM that is free."""
    operator = Operator(world, OrderKind.PAUSE, StepKind.CLAIM)
    operator.sent_before = 0  # no order from a write: it comes with the wave, before the claim
    targets = [Iccid.parse(iccid) for iccid in world.target.sims]

    async def claim_by_hand() -> None:
        async with world.http() as http:
            await world.hologram(http).send(Claim(targets, world.target.org_id, 2096, "global"))
        await anyio.sleep(LONG_PAUSE_S)
        withdraw(world)

    original = operator._progress

    def progress(event: str, values: Any) -> None:
        if event == "wave" and not operator.words("wave"):
            give(world, OrderKind.PAUSE)
        original(event, values)

    operator._progress = progress  # type: ignore[method-assign]  # the order comes with an event, not with a write
    assert operator.apply(claim_by_hand).exit_code is ExitCode.DONE
    assert operator.words("observing") == ["observing", "observing"]
    assert len(world.claims_sent()) == 1
    world.check()


def test_a_pause_does_not_raise_the_cap_of_a_run(world: World) -> None:
    """After a long pause the run looks again from the beginning; what it claimed before still counts."""
    operator = Operator(world, OrderKind.PAUSE, StepKind.CLAIM, "after_effect")

    async def resume_later() -> None:
        await anyio.sleep(LONG_PAUSE_S * 2)
        withdraw(world)

    world.options = type(world.options)(max_sims=3)
    result = operator.apply(resume_later)
    assert operator.words("resumed") == ["resumed"]
    assert result.exit_code is ExitCode.HALTED
    assert len(world.ours()) == 3


def test_a_run_that_waits_for_the_carrier_notices_an_abort_soon(tmp_path: Path) -> None:
    """Its sleeps grow to five minutes; nobody wants to wait so long for an abort."""
    world = World(tmp_path, behaviour=HologramBehaviour(claim_pending_s=(9000.0, 9000.0)))
    world.ready()
    given_at: list[float] = []

    async def abort_later() -> None:
        await anyio.sleep(1000.5)
        given_at.append(world.now().timestamp())
        give(world, OrderKind.ABORT)

    result = world.apply(beside=abort_later)
    assert result.exit_code is ExitCode.HALTED
    assert world.now().timestamp() - given_at[0] <= 5.0


# --- waits in the pacer -------------------------------------------------------------------------------------------


def refused_for_minutes(method: str) -> FaultPlan:
    return FaultPlan(scripted=(Fault.TOO_MANY,), scripted_for=lambda sent_as, _path: sent_as == method)


@pytest.mark.parametrize("how", ["interrupt", "abort"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_wait_that_the_carrier_asked_for_is_cut_short(tmp_path: Path, method: str, how: str) -> None:
    """Retry-After may be minutes. What waits for its turn has not left: it is given up, and known to be unsent."""
    world = World(tmp_path, behaviour=HologramBehaviour(latency_s=0.15, retry_after_s=600))
    world.ready()
    world.target.faults = refused_for_minutes(method)

    async def stop_later() -> None:
        while not any(entry.status == 429 for entry in world.target.ledger.entries):  # noqa: ASYNC110 - it tells nobody
            await anyio.sleep(0.5)
        await anyio.sleep(20.3)
        if how == "abort":
            give(world, OrderKind.ABORT)
        else:
            world.stopper.stop("interrupted")

    result = world.apply(beside=stop_later)
    assert result.exit_code is (ExitCode.HALTED if how == "abort" else ExitCode.INTERRUPTED)
    assert world.elapsed_s < 120
    assert steps_in(world, StepState.IN_FLIGHT) == 0
    withdraw(world)
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    world.check_fulfilled()


# --- rates --------------------------------------------------------------------------------------------------------


def test_a_rate_counts_from_the_next_request_on(world: World) -> None:
    at_s: list[float] = []

    async def slow_down() -> None:
        while steps_in(world, StepState.DONE) == 0:  # noqa: ASYNC110 - commits tell nobody
            await anyio.sleep(0.1)
        with world.store() as store:
            store.steering.set_ceiling("hologram", 0.25, by="anna", now=0.0)
        at_s.append(world.target.now.timestamp())

    assert world.apply(beside=slow_down).exit_code is ExitCode.DONE
    epoch = world.target.now.timestamp() - world.elapsed_s
    later = [entry.at_s for entry in world.target.ledger.entries if entry.at_s + epoch > at_s[0]][1:]
    assert len(later) > 5
    assert all(after - before >= 4.0 - 1e-6 for before, after in pairwise(later))


def test_a_rate_never_goes_above_the_setting(world: World) -> None:
    with world.store() as store:
        store.steering.set_ceiling("hologram", 10_000.0, by="anna", now=0.0)
    world.apply()
    assert world.elapsed_s > 12 / 200


@pytest.mark.parametrize(("later_s", "is_believed"), [(3600.0, True), (90_000.0, False), (-5.0, False)])
def test_what_the_pacer_learned_is_there_for_the_next_process(
    world: World, later_s: float, *, is_believed: bool
) -> None:
    """Within a day; not from a clock that was set back."""

    async def one_process() -> None:
        pacer = AdaptivePacer(2.0, ceiling=10.0)
        async with keeping_pace(pacer, store, world):
            pacer.per_second = 7.0
            await anyio.sleep(11)
            with world.store() as other:
                learned = other.steering.learned("hologram")
            assert learned is not None, "it is kept now and then: the process may be killed"
            assert learned.values["per_second"] == 7.0
            pacer.per_second = 6.0

    with world.store() as store:
        world._process(one_process)
        again = AdaptivePacer(2.0, ceiling=10.0)
        remember(again, store, world.now().timestamp() + later_s)
    assert again.per_second == (pytest.approx(5.4) if is_believed else 2.0)


def test_a_paused_run_whose_lease_is_taken_ends() -> None:
    """It waits to go on, and must not when another has gone on in its place."""
    stopper = Stopper()
    looks = 0

    def taken_after_three_looks(_plan_id: str, _holder: object) -> Signs:
        nonlocal looks
        looks += 1
        if looks > 3:
            raise LeaseLost("taken")
        return Signs(Order(OrderKind.PAUSE, "ops", 0.0))

    stopper.obey(taken_after_three_looks, "p1", quiet)
    stopper.while_leased(taken_after_three_looks, "me")

    async def main() -> None:
        with anyio.fail_after(60):
            await stopper.checkpoint()

    with pytest.raises(LeaseLost):
        run_virtual(main)
