"""Claims that are refused, leave SIMs out, or name what no read shows: each ends, and none is sent too often."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour, MixedClaims
from migrator.carriers.simulation import Fault, FaultPlan, InProcessTransport
from migrator.core.run.doubts import Doubt
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind
from migrator.engine.run.context import ApplyOptions, Hooks
from tests.worlds.mishaps import People
from tests.worlds.world import Crash, World, crash_at, new_sims

QUICK = HologramBehaviour(claim_pending_s=(0.0, 0.0), state_pending_s=(0.0, 0.0))
FIRST = new_sims(1)[0]


def is_claim(method: str, path: str) -> bool:
    return method == "POST" and path.endswith("bulkclaim")


def too_many(times: int) -> FaultPlan:
    return FaultPlan(scripted=[Fault.TOO_MANY] * times, scripted_for=is_claim)


def claims_of(world: World, target: str) -> int:
    """How many claims named this SIM."""
    return sum(target in iccids for _, iccids in world.claims_sent())


def as_the_first_claim_leaves(deed: Callable[[], None]) -> Hooks:
    """Somebody does something between the last look at the SIMs and the claim."""
    deeds = [deed]

    def pass_by(kind: StepKind) -> None:
        if kind is StepKind.CLAIM and deeds:
            deeds.pop()()

    return Hooks(after_intent=pass_by)


# --- refused for now ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("timeout_s", "claims"), [(180.0, 2), (600.0, 1)])
def test_a_lost_claim_is_sent_again_only_once_it_took_longer_than_the_operator_says(
    tmp_path: Path, timeout_s: float, claims: int
) -> None:
    """This one is carried out 400 s after the connection broke."""
    late = FaultPlan(scripted=[Fault.LATE], scripted_for=is_claim)
    world = World(tmp_path, sims=2, behaviour=replace(QUICK, late_s=400.0), faults=late)
    world.options = ApplyOptions(claim_timeout_s=timeout_s)
    world.ready()
    world.apply_until_quiet()
    assert claims_of(world, FIRST) == claims
    world.check_fulfilled()


def test_a_claim_may_take_as_long_as_was_allowed_when_it_was_sent(tmp_path: Path) -> None:
    """The operator lowers the time-out while a claim of before is still under way at Hologram."""
    late = FaultPlan(scripted=[Fault.LATE], scripted_for=is_claim)
    world = World(tmp_path, sims=2, behaviour=replace(QUICK, late_s=400.0), faults=late)
    world.options = ApplyOptions(claim_timeout_s=600.0)
    world.ready()
    with pytest.raises(Crash):
        world.apply(hooks=crash_at("after_effect", 1, StepKind.CLAIM))
    world.options = ApplyOptions(claim_timeout_s=30.0)
    world.apply_until_quiet()
    assert claims_of(world, FIRST) == 1
    world.check_fulfilled()
    with world.store() as store:
        assert store.journal.claims_may_take(30.0) == 30.0  # nothing is open any more


@pytest.mark.parametrize(("timeout_s", "is_lost"), [(180.0, True), (600.0, False)])
def test_the_answer_to_a_claim_is_waited_for_as_long_as_the_operator_says(
    tmp_path: Path, timeout_s: float, *, is_lost: bool
) -> None:
    slow = FaultPlan(scripted=[Fault.SLOW], scripted_for=is_claim)
    world = World(tmp_path, sims=2, behaviour=replace(QUICK, slow_s=400.0), faults=slow)
    world.options = ApplyOptions(claim_timeout_s=timeout_s)
    world.ready()
    told: list[str] = []
    world.apply(progress=lambda event, _: told.append(event))
    assert ("claim_lost" in told) is is_lost
    assert claims_of(world, FIRST) == 1


def test_a_claim_that_is_refused_for_now_again_and_again_ends_the_run_resumable(tmp_path: Path) -> None:
    world = World(tmp_path, behaviour=QUICK, faults=too_many(20))
    world.ready()
    result = world.apply()
    assert (result.exit_code, result.failed) == (ExitCode.RESUMABLE, {})
    assert len(world.claims_sent()) == 6
    world.target.faults = FaultPlan()
    assert world.apply().exit_code is ExitCode.DONE
    world.check_fulfilled()


def test_a_claim_that_was_carried_out_for_all_that_it_was_refused_for_now_is_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Belated(InProcessTransport):
        """The first claim is carried out, and answered 429 all the same."""

        is_over = False

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            """Answer `request`."""
            answer = await InProcessTransport.handle_async_request(self, request)
            if self.is_over or not is_claim(request.method, request.url.path):
                return answer
            self.is_over = True
            return httpx.Response(429, json={"success": False, "error": "API rate limit exceeded"}, request=request)

    world = World(tmp_path, behaviour=QUICK)
    world.ready()
    plain = World.http
    monkeypatch.setattr(World, "http", lambda self: plain(self, Belated(self.target)))
    assert world.apply().exit_code is ExitCode.DONE
    assert len(world.claims_sent()) == 1
    world.check_fulfilled()


def test_a_sim_that_another_organization_took_meanwhile_is_told_after_a_refusal_for_now(tmp_path: Path) -> None:
    world = World(tmp_path, behaviour=QUICK, faults=too_many(1))
    world.ready()
    people = People(world)
    elsewhere = world.target.other_org_id
    result = world.apply(hooks=as_the_first_claim_leaves(lambda: people.claim(FIRST, org_id=elsewhere)))
    assert (result.exit_code, result.failed) == (ExitCode.ATTENTION, {"claimed_elsewhere": 1})
    assert claims_of(world, FIRST) == 1
    assert set(world.target.ledger.charges) == set(new_sims(world.sims)[1:])


# --- refused for good ---------------------------------------------------------------------------------------------


def test_a_refusal_of_several_sims_is_not_held_against_the_one_that_is_left(tmp_path: Path) -> None:
    """A person claimed the other one meanwhile: that may have been the reason, and the carrier names none."""
    world = World(tmp_path, sims=2, behaviour=replace(QUICK, claim_policy=MixedClaims.REFUSE_SILENTLY))
    world.ready()
    people = People(world)
    result = world.apply(hooks=as_the_first_claim_leaves(lambda: people.claim(FIRST)))
    assert (result.exit_code, result.failed) == (ExitCode.DONE, {})
    assert (claims_of(world, FIRST), len(world.claims_sent())) == (1, 2)
    assert world.target.ledger.charges == {new_sims(2)[1]: 1}
    world.check_fulfilled()


# --- accepted -----------------------------------------------------------------------------------------------------


def test_a_sim_that_three_accepted_claims_left_out_is_shown_to_a_person(tmp_path: Path) -> None:
    world = World(tmp_path, behaviour=replace(QUICK, claim_policy=MixedClaims.SKIP_BAD))
    world.pull()
    world.target.stock(new_sims(world.sims)[1:])
    world.pair(new_sims(world.sims))
    world.plan()
    result = world.apply(hooks=crash_at("after_intent", 4, StepKind.CLAIM))
    assert (result.exit_code, result.failed) == (ExitCode.ATTENTION, {"claim_ignored": 1})
    assert claims_of(world, FIRST) == 3
    assert world.apply().exit_code is ExitCode.ATTENTION
    assert claims_of(world, FIRST) == 3
    assert world.ours() == set(new_sims(world.sims)[1:])


def test_a_sim_that_a_reply_named_is_looked_for_ten_times_as_long_as_others(tmp_path: Path) -> None:
    """Reads are five minutes old: after one minute, as others are given, it would be taken for never seen."""
    world = World(tmp_path, behaviour=replace(QUICK, read_lag_s=300.0))
    world.ready()
    result = world.apply()
    assert (result.claimed, result.failed) == (world.sims, {})
    world.wait(300.0)
    assert world.apply().exit_code is ExitCode.DONE
    assert len(world.claims_sent()) == 1
    world.check_fulfilled()


def test_a_sim_that_a_reply_named_and_no_read_ever_shows_is_shown_to_a_person_and_never_sent_again(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, behaviour=replace(QUICK, read_lag_s=10_000.0))
    world.ready()
    began_s = world.elapsed_s
    result = world.apply()
    assert (result.exit_code, result.failed) == (ExitCode.ATTENTION, {Doubt.CLAIMED_UNSEEN: world.sims})
    assert world.elapsed_s - began_s >= 600
    assert world.apply().exit_code is ExitCode.ATTENTION
    assert len(world.claims_sent()) == 1
    world.check()
