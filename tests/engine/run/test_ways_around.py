"""Ways around the rules that once were open: each was found by breaking in, and stays shut."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import anyio
import pytest

from migrator import wiring
from migrator.carriers.hologram.adapter import HologramTarget
from migrator.carriers.hologram.simulator import HologramBehaviour, MixedClaims, ReplyEdition
from migrator.carriers.simulation import Fault, FaultPlan, LedgerEntry
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import Pair
from migrator.core.plan.plan import Action, Reason
from migrator.core.run.results import ApplyResult, ExitCode
from migrator.core.run.states import StepKind
from migrator.engine.run.context import ApplyOptions
from migrator.errors import InputError, InsufficientBalance, StoreBusy
from migrator.ports import Answer, Claim, SetLimits, SetName, SetNames, SetState, TargetOrder
from migrator.store.journal.waiting import stuck_sims
from tests.builders import sim
from tests.worlds.mishaps import People
from tests.worlds.world import POLICY, Crash, World, crash_at, new_sims


def sent(world: World, path_part: str, method: str = "POST") -> list[LedgerEntry]:
    return world.target.ledger.requests(method, path_part)


def on(path_part: str, method: str = "POST") -> Callable[[str, str], bool]:
    return lambda verb, path: verb == method and path_part in path


def quick(**behaviour: Any) -> HologramBehaviour:
    return replace(HologramBehaviour(claim_pending_s=(0.0, 0.0), state_pending_s=(0.0, 0.0)), **behaviour)


def test_a_claim_that_is_never_answered_is_not_sent_for_ever(tmp_path: Path) -> None:
    world = World(tmp_path, faults=FaultPlan(scripted=[Fault.SERVER_ERROR_BEFORE] * 99, scripted_for=on("bulkclaim")))
    world.ready()
    result = world.apply()
    assert result.exit_code is ExitCode.RESUMABLE
    assert len(world.claims_sent()) == 3


def test_what_a_reply_named_as_claimed_is_remembered_when_the_read_back_fails(tmp_path: Path) -> None:
    """The reads lag for five minutes and fail at first: without the reply's word the SIMs would look unclaimed."""
    world = World(tmp_path, behaviour=quick(read_lag_s=300.0))
    world.ready()
    world.target.faults = FaultPlan(scripted=[Fault.HTML] * 40, scripted_for=on("links/cellular", "GET"))
    assert world.apply().exit_code is ExitCode.RESUMABLE
    world.target.faults = FaultPlan()
    world.apply_until_quiet()
    assert len(world.claims_sent()) == 1
    world.check()


def test_a_sim_that_was_named_and_never_seen_is_not_claimed_by_the_next_plan(tmp_path: Path) -> None:
    world = World(tmp_path, behaviour=quick(read_lag_s=1500.0))
    world.ready()
    world.apply()
    again = world.plan()
    assert again.claims == 0
    with world.store() as store:
        reasons = {change.reason for change in store.plans.changes(again.plan_id)}
    assert reasons == {Reason.CLAIMED_UNSEEN}


def test_limits_are_set_before_anything_is_waited_for(tmp_path: Path) -> None:
    """Limits come after the claim here, and one SIM of the claim stays in doubt for a minute."""
    policy = POLICY.replace('zone = "global"', 'zone = "global"\nlimits = "after_claim"')
    world = World(tmp_path, behaviour=quick(claim_policy=MixedClaims.SKIP_BAD), policy_text=policy)
    world.pull()
    targets = new_sims(world.sims)
    world.target.stock(targets[1:])
    world.target.stock_foreign(targets[:1])
    world.pair(targets)
    world.plan()
    world.apply()
    claimed_at, _ = world.claims_sent()[0]
    assert sent(world, "usagelimit")[0].at_s - claimed_at < 10
    world.check()


def test_a_resume_sets_missing_limits_before_it_looks_at_failures(tmp_path: Path) -> None:
    policy = POLICY.replace('zone = "global"', 'zone = "global"\nlimits = "after_claim"')
    world = World(tmp_path, behaviour=quick(), policy_text=policy)
    world.ready()
    with pytest.raises(Crash):
        world.apply(hooks=crash_at("after_outcome", 2))
    world.target.ledger.entries.clear()
    world.apply()
    writes = [entry for entry in world.target.ledger.entries if entry.method != "GET"]
    assert "usagelimit" in writes[0].path
    world.check_fulfilled()


def assert_resumed_once_limited(world: World, targets: list[str]) -> None:
    world.pair(targets)
    world.plan()
    world.apply_until_quiet()
    limits, states = sent(world, "usagelimit"), sent(world, "batch/state")
    assert states[0].at_s - limits[0].at_s >= 30
    world.check_fulfilled()


def test_a_paused_link_is_resumed_only_once_its_limit_is_on_record(tmp_path: Path) -> None:
    world = World(tmp_path, sims=3, behaviour=quick(limits_lag_s=30.0))
    world.pull()
    targets = new_sims(3)
    world.target.stock_claimed(targets, state="PAUSED-USER", overage_limit=-1)
    assert_resumed_once_limited(world, targets)


@pytest.mark.parametrize(("overage", "sms"), [(-1, 5), (0, 100)])
def test_nor_while_one_of_its_two_limits_is_wider_than_planned(tmp_path: Path, overage: int, sms: int) -> None:
    """Whoever claimed it left the other one narrow enough."""
    world = World(tmp_path, sims=3, behaviour=quick(limits_lag_s=30.0))
    world.pulled([sim(number, sms_quota=Decimal(5), data_quota_mb=Decimal(500)) for number in range(1, 4)])
    targets = new_sims(3)
    world.target.stock_claimed(targets, state="PAUSED-USER", overage_limit=overage, sms_limit=sms)
    assert_resumed_once_limited(world, targets)


@pytest.mark.parametrize(
    "found",
    [
        {"plan_id": 2041, "zone": "global"},
        {"zone": "US"},
        {"state": "TEST-ACTIVATED"},
        {"state": "SOMETHING-NEW"},
        {"state": "DEAD"},
    ],
)
def test_a_sim_that_is_not_as_it_could_be_claimed_takes_no_order(tmp_path: Path, found: dict[str, Any]) -> None:
    """Somebody claimed it by hand since the plan, on another tariff, or it is in a state that we do not touch."""
    world = World(tmp_path, sims=3, behaviour=quick())
    world.ready()
    odd = new_sims(1)[0]
    people = People(world)
    people.claim(odd, plan_id=found.get("plan_id", 2096))
    people.change(odd, **found)
    result = world.apply_until_quiet()
    assert result.exit_code is ExitCode.ATTENTION, result
    device_id = world.target.sims[odd].device_id
    orders = [entry for entry in world.target.ledger.entries if entry.method != "GET" and "tags" not in entry.path]
    assert orders
    for entry in orders:
        assert f"/{device_id}" not in entry.path
        assert device_id not in entry.body.get("deviceids", ())
        assert odd not in entry.body.get("sims", ())


def test_a_sim_that_is_left_alone_is_ordered_with_growing_pauses(tmp_path: Path) -> None:
    behaviour = HologramBehaviour(
        limits_locked_while_pending=True, claim_pending_s=(900.0, 900.0), limits_edition=ReplyEdition.REF_2
    )
    world = World(tmp_path, sims=6, behaviour=behaviour)
    world.ready()
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    orders = [(entry.at_s, device_id) for entry in sent(world, "usagelimit") for device_id in entry.body["deviceids"]]
    ordered = orders[0][1]
    at_s = [at_s for at_s, device_id in orders if device_id == ordered]
    pauses = [after - before for before, after in pairwise(at_s)]
    assert len(pauses) > 3
    assert all(pause_s >= 15 * 2**number for number, pause_s in enumerate(pauses[:4])), pauses


def test_a_verified_sim_that_somebody_changed_takes_no_order(tmp_path: Path) -> None:
    """A person paused a SIM after it was verified; resuming the rest of the plan must not switch it on again."""
    world = World(tmp_path, behaviour=quick(), options=ApplyOptions(max_sims=5))
    world.ready()
    world.apply()
    verified = world.target.sims[next(iter(world.target.ledger.charges))]
    verified.state, verified.name = "PAUSED-USER", "in repair"
    result = world.apply(options=ApplyOptions())
    assert result.exit_code is ExitCode.ATTENTION
    assert (verified.state, verified.name) == ("PAUSED-USER", "in repair")


def test_a_sim_that_the_plan_leaves_alone_takes_no_order(tmp_path: Path) -> None:
    world = World(tmp_path, behaviour=quick())
    world.ready()
    world.apply()
    assert world.plan().counts == {Action.NO_OP.value: world.sims}
    link = world.target.sims[new_sims(1)[0]]
    link.state = "PAUSED-USER"
    assert world.apply().exit_code is ExitCode.ATTENTION
    assert link.state == "PAUSED-USER"


def test_sims_with_nothing_to_do_do_not_fill_the_canary(tmp_path: Path) -> None:
    waves = POLICY.replace('[[waves]]\nname = "all"', '[[waves]]\nname = "canary"\ncount = 5\n[[waves]]\nname = "rest"')
    world = World(tmp_path, behaviour=quick(), policy_text=waves)
    world.ready()
    world.apply(options=ApplyOptions(max_sims=5))
    again = world.plan()
    with world.store() as store:
        canary = [change for change in store.plans.changes(again.plan_id) if change.wave == "canary"]
    assert sum(change.action is Action.CLAIM for change in canary) == 5


def test_a_target_that_came_to_us_on_another_plan_meanwhile_is_only_shown(tmp_path: Path) -> None:
    world = World(tmp_path, sims=2, behaviour=quick())
    world.pull()
    targets = new_sims(2)
    world.target.stock(targets[1:])
    world.pair(targets)
    world.plan()
    world.target.stock_claimed(targets[:1], state="PAUSED-USER", plan_id=2041, name="theirs")
    result = world.apply()
    assert result.exit_code is ExitCode.ATTENTION
    assert (world.target.sims[targets[0]].state, world.target.sims[targets[0]].name) == ("PAUSED-USER", "theirs")


def test_names_are_put_one_by_one_where_the_bulk_call_is_refused(tmp_path: Path) -> None:
    policy = POLICY + '[name]\ntemplate = "pump"\n'
    world = World(tmp_path, behaviour=quick(), policy_text=policy)
    world.ready()
    world.target.behaviour = quick(features=frozenset(), features_listed=False)
    assert world.apply().exit_code is ExitCode.DONE
    assert len(sent(world, "/devices/", "PUT")) == world.sims


@pytest.mark.parametrize("path_part", ["batch/state", "devices/count"])
def test_a_read_that_is_only_nice_to_have_does_not_stop_the_run(tmp_path: Path, path_part: str) -> None:
    world = World(
        tmp_path, sims=12, behaviour=quick(), policy_text=POLICY.replace("[status]\n", '[status]\nenabled = "pause"\n')
    )
    world.ready()
    world.target.faults = FaultPlan(scripted=[Fault.SERVER_ERROR_BEFORE] * 99, scripted_for=on(path_part, "GET"))
    assert world.apply().exit_code is ExitCode.DONE


def test_a_reason_that_merely_sounds_like_money_does_not_halt_a_fleet_that_can_pay(tmp_path: Path) -> None:
    behaviour = quick(foreign_reason="Insufficient permissions for this SIM")
    world = World(tmp_path, behaviour=behaviour)
    world.pull()
    targets = new_sims(world.sims)
    world.target.stock(targets[1:])
    world.target.stock_foreign(targets[:1])
    world.pair(targets)
    world.plan()
    assert world.apply().exit_code is ExitCode.ATTENTION
    assert len(world.target.ledger.charges) == world.sims - 1


def test_a_target_in_another_organization_of_ours_is_seen_before_it_is_claimed(tmp_path: Path) -> None:
    world = World(tmp_path, behaviour=quick())
    world.pull()
    targets = new_sims(world.sims)
    world.target.stock(targets[2:])
    world.target.stock_other_org(targets[:2])
    world.pair(targets)
    assert world.plan().counts == {Action.BLOCK.value: 2, Action.CLAIM.value: world.sims - 2}


def test_a_source_whose_claim_has_no_outcome_is_not_claimed_for_another_target(tmp_path: Path) -> None:
    world = World(tmp_path, sims=2, behaviour=quick())
    world.ready()
    with pytest.raises(Crash):
        world.apply(hooks=crash_at("after_effect", 2))
    spare = ["8944500000000009001", "8944500000000009002"]
    world.target.stock(spare)
    with world.store() as store:
        sims = [sim.iccid for sim in store.inventory.sims()]
        pairs = [Pair(old, Iccid.parse(new), "test") for old, new in zip(sims, spare, strict=True)]
        with pytest.raises(InputError, match="may have been"):
            store.pairs.add(pairs, replace=True, now=world.now().timestamp())
        with mock.patch("migrator.store.pairs.pairs.refuse_pairs_in_use"):  # as a version of before that rule
            store.pairs.add(pairs, replace=True, now=world.now().timestamp())
    assert world.plan().claims == 0


def test_sims_that_a_reply_left_out_are_not_taken_for_claimed_when_the_process_dies_then(tmp_path: Path) -> None:
    """Two of twelve cannot be claimed yet, and the reply says nothing of them; later the carrier delivers them."""
    world = World(tmp_path, behaviour=quick(claim_policy=MixedClaims.SKIP_BAD))
    world.pull()
    targets = new_sims(world.sims)
    world.target.stock(targets[2:])
    world.pair(targets)
    world.plan()
    with pytest.raises(Crash):
        world.apply(hooks=crash_at("after_outcome", 1, StepKind.CLAIM))
    world.target.stock(targets[:2])
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    world.check_fulfilled()


def test_a_run_that_stood_still_while_another_took_over_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its claim waits for its turn; the other run settles it as not sent, and claims. Then the first one wakes up."""
    world = World(tmp_path, behaviour=quick())
    world.ready()
    send = HologramTarget.send
    slept: list[HologramTarget] = []
    others: list[ApplyResult] = []

    async def asleep(target: HologramTarget, order: TargetOrder, **options: Any) -> Answer:
        if isinstance(order, Claim) and not slept:
            slept.append(target)
            async with world.http() as http:
                others.append(await world.apply_beside(http))
        return await send(target, order, **options)

    monkeypatch.setattr(HologramTarget, "send", asleep)
    monkeypatch.setattr(wiring, "HEARTBEAT_S", 1e9)  # it stands still as well
    with pytest.raises(StoreBusy, match="lost the store"):
        world.apply(leased=True)
    assert others[0].exit_code is ExitCode.DONE
    assert len(world.claims_sent()) == 1
    world.check_fulfilled()


@pytest.mark.parametrize("late_s", [70.0, 170.0])
def test_a_claim_is_not_sent_again_while_the_carrier_may_still_be_at_work_on_it(tmp_path: Path, late_s: float) -> None:
    """The connection breaks at once, and the carrier goes on, as long as a claim may take."""
    world = World(
        tmp_path, behaviour=quick(late_s=late_s), faults=FaultPlan(scripted=[Fault.LATE], scripted_for=on("bulkclaim"))
    )
    world.ready()
    assert world.apply().exit_code is ExitCode.DONE
    assert len(world.claims_sent()) == 1
    world.check_fulfilled()


def test_nor_by_the_next_process_when_this_one_died_at_once(tmp_path: Path) -> None:
    world = World(
        tmp_path, behaviour=quick(late_s=170.0), faults=FaultPlan(scripted=[Fault.LATE], scripted_for=on("bulkclaim"))
    )
    world.ready()
    with pytest.raises(Crash):
        world.apply(hooks=crash_at("after_effect", 1, StepKind.CLAIM))
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    assert len(world.claims_sent()) == 1
    world.check_fulfilled()


def test_a_run_asks_for_no_money_for_sims_that_are_ours_by_now(tmp_path: Path) -> None:
    world = World(tmp_path, behaviour=quick())
    world.ready()
    people = People(world)
    for target in new_sims(world.sims):
        people.claim(target)
    world.target.balance = Decimal(0)
    assert world.apply().exit_code is ExitCode.DONE
    assert world.claims_sent() == []


def test_what_waits_in_a_long_queue_is_looked_at_again_before_it_is_claimed(tmp_path: Path) -> None:
    """Claims are refused without a word on which SIMs, and halved, each after a wait; meanwhile a person claims one."""
    targets = new_sims(64)
    world = World(tmp_path, sims=64, behaviour=quick(poison=frozenset(targets[:30:3])))
    world.ready()
    people = People(world)

    async def by_hand() -> None:
        await anyio.sleep(300)
        people.claim(targets[-1])

    world.apply(beside=by_hand)
    by_hand_at = people.deeds[0][0]
    assert [at_s for at_s, sims in world.claims_sent() if targets[-1] in sims and at_s > by_hand_at] == []
    world.check()


def test_an_adopted_sim_that_hangs_at_the_carrier_is_told_as_stuck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was ordered for it, so that no step of ours says since when it waits."""
    monkeypatch.setattr("migrator.engine.run.context.SLEEP_SLICE_S", 300.0)  # nobody gives orders here
    world = World(tmp_path, sims=3, behaviour=quick())
    world.pull()
    world.target.stock_claimed(new_sims(3), state="LIVE-PENDING", name="theirs")
    world.pair(new_sims(3))
    world.plan()
    told: list[Mapping[str, Any]] = []
    options = ApplyOptions(wait_s=100_000)
    world.apply(options=options, progress=lambda event, values: told.append(values) if event == "stuck" else None)
    assert {"sims": 3, "minutes": 30} in told
    assert {"sims": 3, "minutes": 1440} in told
    with world.store() as store:
        assert stuck_sims(store._db, store.plans.newest() or "", world.now().timestamp()).day == 3


@pytest.mark.parametrize("refused", [SetState, SetLimits, SetName, SetNames])
def test_an_order_that_is_refused_for_want_of_money_fails_no_sim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: type[TargetOrder]
) -> None:
    policy = POLICY.replace('zone = "global"', 'zone = "global"\nlimits = "after_claim"').replace(
        "[status]\n", '[status]\nenabled = "pause"\n'
    )
    if refused is SetNames:
        policy += '[name]\ntemplate = "pump"\n'
    world = World(tmp_path, behaviour=quick(), policy_text=policy)
    world.ready()

    send = HologramTarget.send

    async def refuse(target: HologramTarget, order: TargetOrder, **options: Any) -> Answer:
        if isinstance(order, refused):
            raise InsufficientBalance("no money", status=402)
        return await send(target, order, **options)

    monkeypatch.setattr(HologramTarget, "send", refuse)
    result = world.apply()
    assert (result.exit_code, result.failed) == (ExitCode.HALTED, {})


def refused_by_name(folder: Path) -> World:
    """Two of twelve SIMs are a stranger's, and a claim with them is refused, naming them."""
    world = World(folder, behaviour=quick(claim_policy=MixedClaims.ALL_OR_NOTHING))
    world.pull()
    targets = new_sims(world.sims)
    world.target.stock(targets[2:])
    world.target.stock_foreign(targets[:2])
    world.pair(targets)
    world.plan()
    return world


def check_not_claimed_again(world: World) -> None:
    assert world.apply_until_quiet().exit_code is ExitCode.ATTENTION
    named = [at_s for at_s, sims in world.claims_sent() if set(sims) & set(new_sims(2))]
    assert len(named) == 1
    assert len(world.target.ledger.charges) == world.sims - 2
    world.check()


def test_sims_refused_by_name_are_not_claimed_again_when_the_process_dies_then(tmp_path: Path) -> None:
    world = refused_by_name(tmp_path)
    with pytest.raises(Crash):
        world.apply(hooks=crash_at("after_outcome", 1, StepKind.CLAIM))
    check_not_claimed_again(world)


def test_sims_refused_by_name_are_not_claimed_again_when_the_read_back_fails(tmp_path: Path) -> None:
    world = refused_by_name(tmp_path)
    world.target.faults = FaultPlan(scripted=[Fault.HTML] * 40, scripted_for=on("links/cellular", "GET"))
    assert world.apply().exit_code is ExitCode.RESUMABLE
    world.target.faults = FaultPlan()
    check_not_claimed_again(world)


def test_a_word_about_money_said_of_single_sims_fails_none_of_them(tmp_path: Path) -> None:
    """An invoiced account, whose balance cannot be read: the words are all there is."""
    world = World(
        tmp_path, behaviour=quick(foreign_reason="Insufficient balance", claim_policy=MixedClaims.ALL_OR_NOTHING)
    )
    world.pull()
    targets = new_sims(world.sims)
    world.target.stock_foreign(targets)
    world.target.balance = None
    world.pair(targets)
    world.plan()
    result = world.apply()
    assert (result.exit_code, result.failed) == (ExitCode.HALTED, {})
    for target in targets:
        del world.target._world.sims[target]
    world.target.stock(targets)
    assert world.apply_until_quiet().exit_code is ExitCode.DONE


def test_sims_that_a_402_names_are_not_claimed_again(tmp_path: Path) -> None:
    world = refused_by_name(tmp_path)
    world.target.behaviour = replace(world.target.behaviour, claim_failure_status=402)
    world.apply()
    assert len(world.claims_sent()) == 2
