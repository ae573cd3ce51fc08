"""`retry` and `skip` between two runs of `apply`: what happened is never sent again, what is skipped is never sent."""

from pathlib import Path

import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour, MixedClaims
from migrator.core.run.control import Intervened, Selection
from migrator.core.run.doubts import Doubt
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepEvent, StepKind, StepState
from migrator.engine.run.context import ApplyOptions, Hooks
from migrator.errors import InputError
from migrator.ports import SetName
from tests.worlds.world import POLICY, Crash, World, crash_at, new_sims

EVERYTHING = Selection()


def retry(world: World, chosen: Selection = EVERYTHING) -> Intervened:
    with world.store() as store:
        return store.interventions.retry(store.plans.newest() or "", chosen, now=world.now().timestamp())


def skip(world: World, chosen: Selection = EVERYTHING) -> Intervened:
    with world.store() as store:
        return store.interventions.skip(store.plans.newest() or "", chosen, now=world.now().timestamp())


def finish(world: World) -> None:
    """As the command line does it once nothing is open."""
    with world.store() as store:
        store.plans.finish(store.plans.newest() or "", world.now().timestamp())


def keys(world: World) -> list[str]:
    with world.store() as store:
        return [item.key for item in store.journal.items(store.plans.newest() or "")]


def claim_states(world: World) -> list[StepState]:
    with world.store() as store:
        return [item.state_of(StepKind.CLAIM) for item in store.journal.items(store.plans.newest() or "")]


@pytest.fixture
def refused(tmp_path: Path) -> World:
    """A finished plan: two of twelve SIMs could not be claimed, as the carrier did not know them yet."""
    world = World(tmp_path, behaviour=HologramBehaviour(claim_policy=MixedClaims.SKIP_BAD, latency_s=0.15))
    world.pull()
    targets = new_sims(world.sims)
    world.target.stock(targets[2:])
    world.pair(targets)
    world.plan()
    assert world.apply_until_quiet().exit_code is ExitCode.ATTENTION
    assert claim_states(world).count(StepState.FAILED) == 2
    finish(world)
    return world


def test_after_retry_a_failed_claim_is_read_then_sent_then_verified(refused: World) -> None:
    refused.target.stock(new_sims(2))
    before, retried_at = len(refused.claims_sent()), refused.elapsed_s
    assert retry(refused).sims == 2
    with refused.store() as store:
        assert store.plans.state(store.plans.newest() or "") == "started"
    assert refused.apply_until_quiet().exit_code is ExitCode.DONE
    again = refused.claims_sent()[before:]
    assert sorted(iccid for _, iccids in again for iccid in iccids) == new_sims(2)
    (claimed_at, _) = again[0]
    reads = [entry for entry in refused.target.ledger.requests("GET") if retried_at <= entry.at_s < claimed_at]
    assert reads
    assert claimed_at - retried_at >= 60
    refused.check_fulfilled()


def test_after_retry_a_claim_that_had_happened_is_not_sent_again(refused: World) -> None:
    """The carrier delivered and a person claimed them at its console."""
    refused.target.stock_claimed(new_sims(2), name="by hand")
    before = len(refused.claims_sent())
    retry(refused)
    assert refused.apply_until_quiet().exit_code is ExitCode.DONE
    assert len(refused.claims_sent()) == before
    refused.check_fulfilled()


def test_retry_looks_again_for_a_claim_that_the_carrier_named_and_never_sends_it(refused: World) -> None:
    with refused.store() as store:
        plan_id = store.plans.newest() or ""
        failed = [item for item in store.journal.items(plan_id) if item.state_of(StepKind.CLAIM) is StepState.FAILED]
        named = {item.key: (Doubt.CLAIMED_UNSEEN, "the reply named it") for item in failed}
        now = refused.now().timestamp()
        store.journal.move(plan_id, StepKind.CLAIM, StepEvent.OPERATOR_RETRY, named, now=now)
        store.journal.move(plan_id, StepKind.CLAIM, StepEvent.PROBED_CONFLICT, named, now=now)
    refused.target.stock(new_sims(2))
    before = len(refused.claims_sent())
    assert retry(refused, Selection(frozenset({Doubt.CLAIMED_UNSEEN}))).sims == 2
    assert refused.apply_until_quiet().exit_code is ExitCode.ATTENTION
    assert len(refused.claims_sent()) == before


def test_a_setting_that_was_refused_is_sent_again_after_retry(tmp_path: Path) -> None:
    """Its SIM was judged before, and takes orders again only because an operator says so."""
    world = World(tmp_path)
    world.ready()
    assert world.apply().exit_code is ExitCode.DONE
    with world.store() as store:
        plan_id = store.plans.newest() or ""
        key = keys(world)[0]
        item = store.journal.items_by_key(plan_id, [key])[0]
    device_id = world.target.sims[str(item.change.target_iccid)].device_id
    rename(world, device_id or 0, "not as planned")
    fail_names(world, key)
    assert world.apply().exit_code is ExitCode.ATTENTION
    assert world.target.sims[str(item.change.target_iccid)].name == "not as planned"
    assert retry(world).by_code == {"name_refused": 1}
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    world.check_fulfilled()


def rename(world: World, device_id: int, name: str) -> None:
    """A person names a device at the carrier's console."""

    async def body() -> None:
        async with world.http() as http:
            await world.hologram(http).send(SetName(device_id, name))

    world._process(body)


def fail_names(world: World, key: str) -> None:
    """As if the carrier had refused the SIM's name for good."""
    with world.store() as store, store._db.write() as connection:
        connection.exec_driver_sql(
            "UPDATE steps SET state = 'failed', code = 'name_refused' WHERE kind = 'name' AND source_key = ?", (key,)
        )


# --- skip ---------------------------------------------------------------------------------------------------------


def test_nothing_is_sent_for_a_sim_that_was_skipped_before_it_was_begun(tmp_path: Path) -> None:
    world = World(tmp_path)
    header = world.ready()
    left_behind = keys(world)[:3]
    assert skip(world, Selection(keys=frozenset(left_behind))).by_code == {"not_begun": 3}
    assert world.apply().exit_code is ExitCode.DONE
    assert len(world.target.ledger.charges) == header.claims - 3
    with world.store() as store:
        verdicts = store.journal.verdicts(header.plan_id)
    assert verdicts == {"ok": world.sims - 3}
    world.check()


def test_nothing_more_is_sent_for_a_sim_that_was_skipped_after_its_claim(tmp_path: Path) -> None:
    """It was claimed, and its name is still to come."""
    world = World(tmp_path)
    world.ready()
    with pytest.raises(Crash):
        world.apply(hooks=die_at_the_first_name())
    prove_limits(world)
    chosen = [key for key in keys(world) if not is_in_doubt(world, key)]
    assert skip(world, Selection(keys=frozenset(chosen))).by_code == {"waiting": len(chosen)}
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    named = {int(entry.path.rsplit("/", 1)[-1]) for entry in world.target.ledger.requests("PUT")}
    assert named.isdisjoint(device_ids(world, chosen))
    assert len(world.claims_sent()) == 1
    assert chosen
    world.check()


def die_at_the_first_name() -> Hooks:
    def pass_by(kind: StepKind) -> None:
        if kind is StepKind.NAME:
            raise Crash(kind)

    return Hooks(after_intent=pass_by)


def prove_limits(world: World) -> None:
    """What a resume would read of the limits that were sent."""
    with world.store() as store:
        plan_id, now = store.plans.newest() or "", world.now().timestamp()
        items = store.journal.items(plan_id)
        sent = {item.key: ("", "") for item in items if item.state_of(StepKind.LIMITS) is StepState.UNCERTAIN}
        store.journal.move(plan_id, StepKind.LIMITS, StepEvent.PROBED_PRESENT, sent, now=now)


def is_in_doubt(world: World, key: str) -> bool:
    with world.store() as store:
        (item,) = store.journal.items_by_key(store.plans.newest() or "", [key])
    return bool({StepState.UNCERTAIN, StepState.IN_FLIGHT} & {step.state for step in item.steps.values()})


def device_ids(world: World, chosen: list[str]) -> set[int | None]:
    with world.store() as store:
        items = store.journal.items_by_key(store.plans.newest() or "", chosen)
    return {world.target.sims[str(item.change.target_iccid)].device_id for item in items}


def test_skipped_failures_no_longer_need_attention_and_no_gate_waits_for_them(tmp_path: Path) -> None:
    waves = '[[waves]]\nname = "first"\ncount = 4\n[[waves]]\nname = "rest"\n'
    policy = POLICY.replace('[[waves]]\nname = "all"\n', waves)
    behaviour = HologramBehaviour(claim_policy=MixedClaims.SKIP_BAD)
    world = World(tmp_path, policy_text=policy, behaviour=behaviour)
    world.pull()
    targets = new_sims(world.sims)
    world.target.stock(targets[2:])
    world.pair(targets)
    world.plan()
    closed = world.apply_until_quiet()
    assert closed.exit_code is ExitCode.HALTED
    assert "stays closed" in closed.reason
    with world.store() as store:
        codes = frozenset(store.journal.failure_codes(store.plans.newest() or ""))
    assert skip(world, Selection(codes, wave="first")).sims == 2
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    assert world.ours() == set(targets[2:])
    assert set(world.target.ledger.charges.values()) == {1}


@pytest.mark.parametrize("cap", ["max_sims = 3", "max_spend_now = 3.00"])
def test_a_sim_that_a_reply_named_as_claimed_stays_in_the_caps_when_it_is_skipped(tmp_path: Path, cap: str) -> None:
    """No read shows it in time, and yet it was charged."""
    world = World(tmp_path, behaviour=HologramBehaviour(read_lag_s=5000.0), policy_text=f"{POLICY}[caps]\n{cap}\n")
    world.ready()
    two = ApplyOptions(max_sims=2)
    assert world.apply(options=two).failed == {Doubt.CLAIMED_UNSEEN: 2}
    assert skip(world, Selection(frozenset({Doubt.CLAIMED_UNSEEN}))).sims == 2
    result = world.apply(options=two)
    assert (result.exit_code, len(world.target.ledger.charges)) == (ExitCode.HALTED, 2)
    assert "[caps]" in result.reason
    world.apply(options=ApplyOptions(max_sims=1))
    assert len(world.target.ledger.charges) == 3


def test_a_sim_whose_request_is_in_doubt_cannot_be_skipped(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.ready()
    with pytest.raises(Crash):
        world.apply(hooks=crash_at("after_effect", 2))  # the first is the tag
    before = claim_states(world)
    with pytest.raises(InputError, match="not known yet"):
        skip(world)
    assert claim_states(world) == before
