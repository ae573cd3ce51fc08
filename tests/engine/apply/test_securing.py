"""SIMs without a limit: where it follows the claim, nothing else goes on until it is through; locks are outlasted."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour, MixedClaims, ReplyEdition
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind
from migrator.core.run.steps import Item
from migrator.engine.run.context import ApplyOptions, Context
from migrator.engine.run.read_targets import items_now
from tests.worlds.world import POLICY, Crash, World, crash_at, new_sims

AFTER_CLAIM = POLICY.replace('zone = "global"', 'zone = "global"\nlimits = "after_claim"')
HOUR_S = 3600.0
LAG_S = 60.0


def unlimited_s(world: World) -> float:
    """The longest that a SIM of ours was without the limit that was planned."""
    longest_s = 0.0
    for iccid in world.ours():
        link = world.target.sims[iccid]
        claimed_s = next(at_s for at_s, now in link._conditions if now.device_id is not None)
        limited_s = next((at_s for at_s, now in link._conditions if now.device_id and now.overage_limit != -1), 1e9)
        longest_s = max(longest_s, limited_s - claimed_s)
    return longest_s


@pytest.mark.parametrize("sims", [20, 120])
def test_while_an_order_of_limits_is_lost_nothing_else_goes_on(
    tmp_path: Path, sims: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However large the wave, its SIMs are without a limit no longer than the carrier's reads may lag."""
    monkeypatch.setattr(World, "ceiling_rps", 5.0)  # a wave takes a while
    world = World(
        tmp_path,
        sims=sims,
        policy_text=AFTER_CLAIM,
        options=ApplyOptions(claim_batch=10, batch=10),
        faults=FaultPlan(scripted=[Fault.LOSE_BEFORE], scripted_for=lambda _verb, path: "usagelimit" in path),
    )
    world.ready()
    assert world.apply().exit_code is ExitCode.DONE
    world.check_fulfilled()
    assert unlimited_s(world) < LAG_S + 10
    orders = [entry for entry in world.target.ledger.entries if entry.method != "GET"]
    lost = next(number for number, entry in enumerate(orders) if entry.fault == Fault.LOSE_BEFORE)
    assert "usagelimit" in orders[lost + 1].path, f"{orders[lost + 1].path} went out before the limits were through"


def test_what_a_lost_claim_made_ours_gets_its_limits_while_the_others_are_waited_for(tmp_path: Path) -> None:
    """One of the SIMs cannot be claimed: for minutes nobody knows whether its claim may still come."""
    behaviour = HologramBehaviour(claim_policy=MixedClaims.FALSE_BUT_SOME)
    world = World(tmp_path, sims=6, policy_text=AFTER_CLAIM, behaviour=behaviour)
    world.pull()
    targets = new_sims(6)
    world.target.stock(targets[1:])
    world.target.stock_foreign(targets[:1])
    world.pair(targets)
    world.plan()
    world.target.faults = FaultPlan(scripted=[Fault.LOSE_AFTER], scripted_for=lambda _verb, path: "bulkclaim" in path)
    assert world.apply_until_quiet().exit_code is ExitCode.ATTENTION
    first, second = (at_s for at_s, _ in world.claims_sent())
    assert second - first > LAG_S + 10
    assert unlimited_s(world) < LAG_S


def assert_nothing_came_between(world: World, lost_at: int) -> None:
    """The `lost_at`-th write was an order of limits that was lost: the next write is the same order once more."""
    writes = [entry for entry in world.target.ledger.entries if entry.method != "GET" and "tags" not in entry.path]
    lost = next(number for number, entry in enumerate(writes) if entry.fault == Fault.LOSE_BEFORE)
    assert lost >= lost_at
    again = writes[lost + 1]
    assert again.path == writes[lost].path, f"{again.path} came first"
    assert sorted(again.body["deviceids"]) == sorted(writes[lost].body["deviceids"])


def test_nor_while_one_to_an_adopted_sim_is_lost(tmp_path: Path) -> None:
    world = World(tmp_path, sims=6, policy_text=AFTER_CLAIM, options=ApplyOptions(claim_batch=2, batch=50))
    world.pull()
    targets = new_sims(6)
    world.target.stock_claimed(targets[:2])
    world.target.stock(targets[2:])
    world.pair(targets)
    world.plan()
    world.target.faults = FaultPlan(scripted=[Fault.LOSE_BEFORE], scripted_for=lambda _verb, path: "usagelimit" in path)
    assert world.apply().exit_code is ExitCode.DONE
    assert_nothing_came_between(world, 0)


def test_nor_while_a_later_order_for_a_wave_before_is_lost(tmp_path: Path) -> None:
    """The first order met a lock and did nothing; half of the second one is lost, and the other half opens the gate."""
    policy = AFTER_CLAIM.replace('name = "all"', 'name = "one"\ncount = 4\n[[waves]]\nname = "two"')
    world = World(
        tmp_path,
        sims=12,
        policy_text=f"{policy}verified_share = 0.5\n",
        options=ApplyOptions(claim_batch=4, batch=50),
        behaviour=HologramBehaviour(
            limits_edition=ReplyEdition.REF_3, limits_locked_while_pending=True, claim_pending_s=(20.0, 20.0)
        ),
        faults=FaultPlan(
            scripted=[Fault.NONE, Fault.NONE, Fault.NONE, Fault.LOSE_BEFORE],
            scripted_for=lambda _verb, path: "usagelimit" in path,
        ),
    )
    world.ready()
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    assert_nothing_came_between(world, 3)


def test_a_sim_whose_lock_ends_gets_its_limit_before_the_wave_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(World, "ceiling_rps", 1.0)
    world = World(
        tmp_path,
        sims=120,
        policy_text=AFTER_CLAIM,
        options=ApplyOptions(claim_batch=5, batch=5),
        behaviour=HologramBehaviour(
            limits_edition=ReplyEdition.REF_3, limits_locked_while_pending=True, claim_pending_s=(20.0, 20.0)
        ),
    )
    world.ready()
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    world.check_fulfilled()
    claims = world.claims_sent()
    for iccid in claims[0][1]:
        limited_s = next(at_s for at_s, now in world.target.sims[iccid]._conditions if now.overage_limit > 0)
        assert limited_s < claims[-1][0]


def test_what_is_locked_is_not_loaded_again_with_every_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = 0

    def counted(ctx: Context, keys: Sequence[str]) -> list[Item]:
        nonlocal loaded
        loaded += len(keys)
        return items_now(ctx, keys)

    monkeypatch.setattr("migrator.engine.apply.secure.items_now", counted)
    world = World(
        tmp_path,
        sims=120,
        policy_text=AFTER_CLAIM,
        options=ApplyOptions(claim_batch=10, batch=10, wait_s=0),
        behaviour=HologramBehaviour(limits_locked_while_pending=True, claim_pending_s=(HOUR_S, HOUR_S)),
    )
    world.ready()
    world.apply()
    assert len(world.target.ledger.charges) > 90
    assert loaded < 5 * 120


def test_an_order_of_limits_that_took_effect_unanswered_costs_a_read_and_no_wait(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        sims=8,
        policy_text=AFTER_CLAIM,
        options=ApplyOptions(claim_batch=2, batch=2),
        faults=FaultPlan(scripted=[Fault.LOSE_AFTER], scripted_for=lambda _verb, path: "usagelimit" in path),
    )
    world.ready()
    assert world.apply().exit_code is ExitCode.DONE
    world.check_fulfilled()
    writes = [entry for entry in world.target.ledger.entries if entry.method != "GET"]
    lost = next(number for number, entry in enumerate(writes) if entry.fault == Fault.LOSE_AFTER)
    assert writes[lost + 1].at_s - writes[lost].at_s < LAG_S / 4


def test_a_pause_that_an_earlier_run_lost_comes_before_the_next_claim(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        sims=6,
        policy_text=POLICY.replace("[status]\n", '[status]\nenabled = "pause"\n'),
        options=ApplyOptions(claim_batch=2, batch=2),
        behaviour=HologramBehaviour(claim_pending_s=(0.0, 0.0)),
        faults=FaultPlan(scripted=[Fault.LOSE_BEFORE], scripted_for=lambda _verb, path: path.endswith("batch/state")),
    )
    world.ready()
    with pytest.raises(Crash):
        world.apply(hooks=crash_at("after_intent", 2, StepKind.CLAIM))
    world.wait(HOUR_S)
    world.target.ledger.entries.clear()
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    writes = [entry.path for entry in world.target.ledger.entries if entry.method != "GET"]
    assert "batch/state" in writes[0]
    world.check_fulfilled()


PAUSED = POLICY.replace("[status]\n", '[status]\nenabled = "pause"\n')


def states_at(world: World) -> list[float]:
    """When each order of a state arrived."""
    return [entry.at_s for entry in world.target.ledger.requests("POST", "batch/state")]


@pytest.mark.parametrize("fault", [Fault.LOSE_BEFORE, Fault.SERVER_ERROR_BEFORE, Fault.HTML])
def test_a_pause_whose_answer_was_lost_is_ordered_again_once_reads_would_show_it(tmp_path: Path, fault: Fault) -> None:
    """Meanwhile the SIM is live, and the next wave waits: ten minutes would be for nothing."""
    world = World(
        tmp_path,
        sims=3,
        policy_text=PAUSED,
        behaviour=HologramBehaviour(claim_pending_s=(0.0, 0.0), state_pending_s=(0.0, 0.0)),
        faults=FaultPlan(scripted=[fault], scripted_for=lambda _verb, path: path.endswith("batch/state")),
    )
    world.ready()
    assert world.apply().exit_code is ExitCode.DONE
    lost, again = states_at(world)
    assert LAG_S <= again - lost <= 2.5 * LAG_S  # reads are up to a minute apart
    world.check_fulfilled()


def test_a_pause_that_is_lost_each_time_gets_more_time_with_each_order(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        sims=3,
        policy_text=PAUSED,
        behaviour=HologramBehaviour(claim_pending_s=(0.0, 0.0), state_pending_s=(0.0, 0.0)),
        faults=FaultPlan(
            scripted=[Fault.LOSE_BEFORE] * 4, scripted_for=lambda _verb, path: path.endswith("batch/state")
        ),
    )
    world.ready()
    world.apply_until_quiet()
    gaps = [later - earlier for earlier, later in pairwise(states_at(world))]
    assert len(gaps) == 4
    assert all(gap >= LAG_S * number for number, gap in enumerate(gaps, 1))
    world.check_fulfilled()


def test_a_pause_that_was_accepted_is_given_ten_minutes(tmp_path: Path) -> None:
    """The carrier has it in its queue: the record shows it late, and nothing is ordered twice."""
    world = World(
        tmp_path,
        sims=3,
        policy_text=PAUSED,
        behaviour=HologramBehaviour(claim_pending_s=(0.0, 0.0), state_pending_s=(0.0, 0.0), read_lag_s=5 * LAG_S),
    )
    world.ready()
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    assert len(states_at(world)) == 1
    world.check_fulfilled()


def test_nor_after_a_crash(tmp_path: Path) -> None:
    """The order was lost with the process: the next one settles it before it claims."""
    options = ApplyOptions(claim_batch=2, batch=2)
    world = World(tmp_path, sims=6, policy_text=AFTER_CLAIM, options=options)
    world.ready()
    with pytest.raises(Crash):
        world.apply(hooks=crash_at("after_intent", 1, StepKind.LIMITS))
    claimed = len(world.claims_sent())
    assert world.apply().exit_code is ExitCode.DONE
    world.check_fulfilled()
    writes = [entry.path for entry in world.target.ledger.entries if entry.method != "GET" and "tags" not in entry.path]
    after = writes[claimed:]
    assert "usagelimit" in after[0], f"{after[0]} came first"


@pytest.mark.parametrize("timing", ["with_claim", "after_claim"])
@pytest.mark.parametrize("edition", list(ReplyEdition))
def test_a_lock_is_outlasted_whatever_the_reply_says_of_it(tmp_path: Path, edition: ReplyEdition, timing: str) -> None:
    """Limits do not take while the SIM is pending, for an hour; one edition of the reply does not even say so."""
    behaviour = HologramBehaviour(
        limits_edition=edition, limits_locked_while_pending=True, claim_pending_s=(HOUR_S, HOUR_S)
    )
    policy = POLICY.replace('zone = "global"', f'zone = "global"\nlimits = "{timing}"')
    world = World(tmp_path, sims=6, behaviour=behaviour, policy_text=policy)
    world.ready()
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    world.check_fulfilled()


def test_a_limit_that_never_takes_is_given_up_all_the_same(tmp_path: Path) -> None:
    """The record is free, each order is accepted, and nothing comes of it: that is for a person to see."""
    world = World(tmp_path, sims=6, behaviour=HologramBehaviour(limits_lag_s=1e6))
    world.ready()
    result = world.apply_until_quiet()
    assert result.exit_code is ExitCode.ATTENTION
    assert set(result.failed) == {"limits_not_applied"}
