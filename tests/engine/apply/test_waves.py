"""Waves, gates, rests and bounds on failures, against the simulated carrier on a virtual clock."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour, Operation
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.policy.policy import Gates, Policy, Wave
from migrator.core.run.results import ExitCode
from migrator.engine.run.context import ApplyOptions, Stopper
from migrator.inputs.policy.file import LoadedPolicy
from migrator.ports import Progress
from migrator.workflows.plans.make import look
from tests.worlds.meanwhile import suspend
from tests.worlds.world import POLICY, World, new_sims

BEARING = Gates(max_failures=1000, max_failure_share=Decimal(1))
TWO = (Wave("canary", 4), Wave("rest"))


@dataclass(slots=True)
class Staged(World):
    """A world whose policy is changed as a test wants it."""

    change: Callable[[Policy], Policy] = field(default=lambda policy: policy)

    def policy(self) -> LoadedPolicy:
        loaded = super(Staged, self).policy()
        return replace(loaded, policy=self.change(loaded.policy))


def staged(folder: Path, *, waves: tuple[Wave, ...] = TWO, gates: Gates = BEARING, **values: Any) -> Staged:
    world = Staged(folder, change=lambda policy: replace(policy, waves=waves, gates=gates), **values)
    world.ready()
    return world


def claims_after(world: World, start_s: float) -> int:
    return sum(len(iccids) for at_s, iccids in world.claims_sent() if at_s >= start_s)


def sleeping(world: World, nights: list[float]) -> Progress:
    """The machine sleeps as a wave begins, for one night after another."""

    def sleep(event: str, _values: Mapping[str, Any]) -> None:
        if event == "wave" and nights:
            suspend(world, nights.pop())

    return sleep


# --- rest ---------------------------------------------------------------------------------------------------------


def test_the_next_wave_opens_only_after_the_rest(tmp_path: Path) -> None:
    world = staged(tmp_path, waves=(Wave("canary", 4, soak_s=3600), Wave("rest")))
    assert world.apply(options=ApplyOptions(wait_s=7200)).exit_code is ExitCode.DONE
    (first_at, first), (second_at, _) = world.claims_sent()
    assert len(first) == 4
    assert second_at - first_at >= 3600
    world.check_fulfilled()


def test_a_rest_longer_than_the_wait_ends_the_run_and_the_same_command_goes_on_later(tmp_path: Path) -> None:
    world = staged(tmp_path, waves=(Wave("canary", 4, soak_s=86400), Wave("rest")))
    first = world.apply()
    assert (first.exit_code, len(world.claims_sent())) == (ExitCode.RESUMABLE, 1)
    assert "rests until" in first.reason
    world.elapsed_s += 3600
    assert world.apply().exit_code is ExitCode.RESUMABLE
    assert len(world.claims_sent()) == 1
    world.elapsed_s += 86400
    assert world.apply().exit_code is ExitCode.DONE
    world.check_fulfilled()


def test_a_rest_is_not_over_because_the_machine_slept_before_it_began(tmp_path: Path) -> None:
    """What a run notes after a nap is read by the next one, whose clock counts the nap."""
    world = staged(tmp_path, waves=(Wave("canary", 4, soak_s=3600), Wave("rest")))
    nights = [8 * 3600.0]
    assert world.apply(progress=sleeping(world, nights)).exit_code is ExitCode.RESUMABLE
    assert not nights
    again = world.apply()
    assert (again.exit_code, len(world.claims_sent())) == (ExitCode.RESUMABLE, 1)
    assert "rests until" in again.reason
    world.wait(3600)
    assert world.apply().exit_code is ExitCode.DONE


def test_a_rest_is_no_longer_than_asked_for_though_the_machine_slept_before_it_began(tmp_path: Path) -> None:
    world = staged(tmp_path, waves=(Wave("canary", 4, soak_s=3600), Wave("rest")))
    nights = [8 * 3600.0]
    assert world.apply(progress=sleeping(world, nights), options=ApplyOptions(wait_s=7200)).exit_code is ExitCode.DONE
    (first_at, _), (second_at, _) = world.claims_sent()
    assert 3600 <= second_at - first_at < 7200


def test_a_wave_that_went_wrong_while_it_rested_keeps_the_next_one_closed(tmp_path: Path) -> None:
    world = staged(tmp_path, waves=(Wave("canary", 4, soak_s=600), Wave("rest")))

    def meddle(event: str, _values: Mapping[str, Any]) -> None:
        if event == "resting":
            for link in world.target.sims.values():
                link.name = "somebody else's"

    result = world.apply(progress=meddle)
    assert result.exit_code is ExitCode.HALTED
    assert len(world.claims_sent()) == 1


def test_a_rest_begins_anew_after_the_gate_was_lost(tmp_path: Path) -> None:
    world = staged(tmp_path, waves=(Wave("canary", 4, soak_s=600), Wave("rest")))
    with world.store() as store:
        plan_id = store.plans.newest() or ""
        assert store.journal.gate_reached(plan_id, "canary", 100.0) == 100.0
        assert store.journal.gate_reached(plan_id, "canary", 200.0) == 100.0
        store.journal.gate_lost(plan_id, "canary", 250.0)
        assert store.journal.gate_reached(plan_id, "canary", 300.0) == 300.0


def test_a_verify_that_finds_a_resting_wave_below_its_gate_has_it_rest_anew(tmp_path: Path) -> None:
    """What was wrong and is right again was not left in peace for its time."""
    two = '[[waves]]\nname = "canary"\ncount = 4\nsoak = "24h"\n[[waves]]\nname = "rest"'
    world = World(tmp_path, policy_text=POLICY.replace('[[waves]]\nname = "all"', two))
    world.ready()
    assert world.apply().exit_code is ExitCode.RESUMABLE
    names = {link.iccid: link.name for link in world.target.sims.values()}
    for change in ("somebody else's", None):
        world.wait(12 * 3600)
        for link in world.target.sims.values():
            link.name = change or names[link.iccid]
        verify(world)
    world.wait(2 * 3600)  # 26 hours after the gate was reached first
    again = world.apply()
    assert (again.exit_code, len(world.claims_sent())) == (ExitCode.RESUMABLE, 1)
    assert "rests until" in again.reason
    world.wait(24 * 3600)
    assert world.apply().exit_code is ExitCode.DONE


def verify(world: World) -> None:
    """What `verify` reads and notes."""

    async def body() -> None:
        async with world.http() as http:
            header = store.plans.header(store.plans.newest() or "")
            target = world.hologram(http)
            await look(
                store, target, header, absent_after_s=60.0, clock=world, stopper=Stopper(), progress=lambda *_: None
            )

    with world.store() as store:
        world._process(body)


def test_a_rest_begins_anew_in_the_run_that_waits_for_it_when_verify_finds_the_gate_lost(tmp_path: Path) -> None:
    world = staged(tmp_path, waves=(Wave("canary", 4, soak_s=600), Wave("rest")))
    rests: list[float] = []

    def lose(event: str, _values: Mapping[str, Any]) -> None:
        if event == "resting":
            rests.append(world.now().timestamp())
            if len(rests) == 1:
                with world.store() as store:
                    store.journal.gate_lost(store.plans.newest() or "", "canary", rests[0])

    assert world.apply(progress=lose, options=ApplyOptions(wait_s=7200)).exit_code is ExitCode.DONE
    (first_at, _), (second_at, _) = world.claims_sent()
    assert len(rests) == 2
    assert second_at - first_at >= 1200
    world.check_fulfilled()


# --- gates --------------------------------------------------------------------------------------------------------


def test_a_stuck_sim_that_the_gate_bears_does_not_hold_the_next_wave(tmp_path: Path) -> None:
    behaviour = HologramBehaviour(stuck=frozenset(new_sims(12)[:1]))
    world = staged(tmp_path, gates=replace(BEARING, verified_share=Decimal("0.7")), behaviour=behaviour)
    result = world.apply(options=ApplyOptions(wait_s=600))
    assert result.exit_code is ExitCode.RESUMABLE
    assert len(world.ours()) == 12
    (first_at, _), (second_at, _) = world.claims_sent()
    assert second_at - first_at < 600
    assert result.verdicts == {"ok": 11, "pending": 1}


def test_a_gate_that_cannot_decide_pauses_the_run(tmp_path: Path) -> None:
    world = staged(tmp_path, behaviour=HologramBehaviour(stuck=frozenset(new_sims(12)[:1])))
    result = world.apply(options=ApplyOptions(wait_s=600))
    assert result.exit_code is ExitCode.RESUMABLE
    assert len(world.ours()) == 4


def test_a_gate_that_too_many_sims_keep_closed_halts_the_run(tmp_path: Path) -> None:
    world = staged(tmp_path, behaviour=HologramBehaviour(names_refused=frozenset(new_sims(12)[:2])))
    result = world.apply()
    assert (result.exit_code, len(world.ours())) == (ExitCode.HALTED, 4)
    with world.store() as store:
        (run,) = store.journal.runs(store.plans.newest() or "")
    assert "stays closed" in run.reason
    assert "migrator retry" in run.reason


# --- one wave, some time ------------------------------------------------------------------------------------------


def test_one_wave_can_be_carried_out_by_itself(tmp_path: Path) -> None:
    world = staged(tmp_path)
    first = world.apply(options=ApplyOptions(wave="canary"))
    assert (first.exit_code, len(world.ours())) == (ExitCode.DONE, 4)
    assert first.is_open
    assert world.apply(options=ApplyOptions(wave="rest")).exit_code is ExitCode.DONE
    world.check_fulfilled()


def test_a_wave_cannot_be_begun_before_its_turn(tmp_path: Path) -> None:
    world = staged(tmp_path)
    assert world.apply(options=ApplyOptions(wave="rest")).exit_code is ExitCode.RESUMABLE
    assert world.claims_sent() == []


def test_a_wave_before_its_turn_names_the_command_that_goes_on(tmp_path: Path) -> None:
    """The same command would wait for ever: it leaves the wave before as it is."""
    world = staged(tmp_path, waves=(Wave("first five", 5), Wave("rest")))
    with world.store() as store:
        plan_id = store.plans.newest()
    told = world.apply(options=ApplyOptions(wave="rest"))
    assert f"`migrator apply {plan_id} --wave 'first five'`" in told.hint
    assert f"`migrator apply {plan_id}`" in told.hint
    assert "the same command" not in told.hint
    assert world.apply(options=ApplyOptions(wave="first five")).exit_code is ExitCode.DONE
    assert world.apply(options=ApplyOptions(wave="rest")).exit_code is ExitCode.DONE


def test_one_wave_that_rests_or_runs_out_of_time_goes_on_by_the_same_command(tmp_path: Path) -> None:
    world = staged(tmp_path, waves=(Wave("canary", 4, soak_s=3600), Wave("rest")))
    short = world.apply(options=ApplyOptions(wave="canary", max_duration_s=5.0))
    world.apply(options=ApplyOptions(wave="canary"))
    early = world.apply(options=ApplyOptions(wave="rest"))
    assert "rests until" in early.reason
    assert short.hint == early.hint == "the same command goes on from here"


def test_one_wave_alone_needs_money_for_its_own_sims_only(tmp_path: Path) -> None:
    world = staged(tmp_path)
    world.target.balance = Decimal(5)
    assert world.apply(options=ApplyOptions(wave="canary")).exit_code is ExitCode.DONE
    result = world.apply(options=ApplyOptions(wave="rest"))
    assert (result.exit_code, len(world.ours())) == (ExitCode.HALTED, 4)
    assert "the next 8 SIMs cost 8.00" in result.reason


def test_one_wave_alone_is_held_to_the_caps_with_what_was_claimed_before_it(tmp_path: Path) -> None:
    world = Staged(tmp_path, change=lambda policy: replace(policy, waves=TWO, caps=replace(policy.caps, max_sims=11)))
    world.ready()
    whole = world.apply()
    assert (whole.exit_code, len(world.ours())) == (ExitCode.HALTED, 0)
    assert world.apply(options=ApplyOptions(wave="canary")).exit_code is ExitCode.DONE
    rest = world.apply(options=ApplyOptions(wave="rest"))
    assert (rest.exit_code, len(world.ours())) == (ExitCode.HALTED, 4)
    assert "would make 12 SIMs" in rest.reason


def test_an_earlier_wave_that_went_wrong_keeps_a_later_one_closed_and_is_left_as_it_is(tmp_path: Path) -> None:
    world = staged(tmp_path)
    world.apply(options=ApplyOptions(wave="canary"))
    for link in world.target.sims.values():
        link.name = "somebody else's"
    assert world.apply(options=ApplyOptions(wave="rest")).exit_code is ExitCode.HALTED
    assert len(world.ours()) == 4
    assert {link.name for link in world.target.sims.values()} == {"somebody else's"}


def test_a_wave_that_the_plan_does_not_have_is_refused(tmp_path: Path) -> None:
    world = staged(tmp_path)
    result = world.apply(options=ApplyOptions(wave="rset"))
    assert (result.exit_code, world.claims_sent()) == (ExitCode.INPUT, [])


def test_a_run_stops_in_good_order_when_its_time_is_up(tmp_path: Path) -> None:
    world = staged(tmp_path, behaviour=HologramBehaviour(claim_pending_s=(900.0, 900.0)))
    began_s = world.elapsed_s
    result = world.apply(options=ApplyOptions(max_duration_s=60.0))
    assert (result.exit_code, result.reason) == (ExitCode.RESUMABLE, "--max-duration is over")
    assert world.elapsed_s - began_s <= 61
    assert world.apply(options=ApplyOptions(wait_s=7200)).exit_code is ExitCode.DONE
    world.check_fulfilled()


# --- failures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [0, 3])
def test_no_request_is_sent_after_one_failure_too_many(tmp_path: Path, most: int) -> None:
    refused = HologramBehaviour(names_refused=frozenset(new_sims(40)), latency_s=0.2)
    gates = replace(BEARING, max_failures=most)
    world = staged(tmp_path, waves=(Wave("all"),), gates=gates, sims=40, behaviour=refused)
    assert world.apply().exit_code is ExitCode.HALTED
    names = world.target.ledger.requests("PUT", "devices/")
    assert len(names) == most + 1


def test_one_name_at_a_time_goes_out_when_the_next_sim_may_make_the_share_count(tmp_path: Path) -> None:
    """SIMs that were adopted are begun one by one, and with the fiftieth, what failed before it is too many."""
    gates = replace(BEARING, max_failure_share=Decimal("0.1"), min_sample=50)
    world = staged(tmp_path, waves=(Wave("all"),), gates=gates, sims=80)
    world.apply()
    for link in world.target.sims.values():
        link.change(world.target._clock.now_s(), name="theirs")
    world.target.behaviour = HologramBehaviour(names_refused=frozenset(new_sims(80)[::2]), latency_s=1.0)
    world.wait(100)
    world.plan()
    world.target.ledger.entries.clear()
    assert world.apply().exit_code is ExitCode.HALTED
    names = world.target.ledger.requests("PUT", "devices/")
    refused = [entry.at_s for entry in names if entry.status == 400]
    later = [entry.at_s for entry in names if entry.at_s > refused[5] + 1.0]
    assert len(refused) >= 6
    assert all(after - before >= 1.0 for before, after in pairwise(later))


def test_limits_are_not_tried_sim_by_sim_once_too_many_were_refused(tmp_path: Path) -> None:
    policy = POLICY.replace('zone = "global"', 'zone = "global"\nlimits = "after_claim"')
    gates = replace(BEARING, max_failures=5)
    behaviour = HologramBehaviour(max_devices=0)
    world = staged(tmp_path, waves=(Wave("all"),), gates=gates, sims=300, behaviour=behaviour, policy_text=policy)
    result = world.apply()
    assert result.exit_code is ExitCode.HALTED
    assert sum(result.failed.values()) <= 7
    sent = world.target.ledger.requests("POST", "usagelimit")
    alone = [number for number, entry in enumerate(sent) if len(entry.body["deviceids"]) == 1]
    assert len(alone) <= 7
    assert len(sent) - alone[5] < 15  # what the halved batches left: one order for each


def test_sims_that_failed_and_were_mended_are_no_failures_any_more(tmp_path: Path) -> None:
    world = staged(
        tmp_path, behaviour=HologramBehaviour(names_refused=frozenset(new_sims(12)[:2])), waves=(Wave("all"),)
    )
    assert world.apply().exit_code is ExitCode.ATTENTION
    with world.store() as store:
        plan_id = store.plans.newest() or ""
        assert store.journal.failures(plan_id).total == 2
        changes = {str(change.target_iccid): change for change in store.plans.changes(plan_id)}
    for iccid in new_sims(12)[:2]:
        world.target.sims[iccid].name = str(changes[iccid].name)
    world.apply()
    with world.store() as store:
        assert store.journal.failures(plan_id).total == 0


def test_stuck_sims_are_told_after_half_an_hour_and_after_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("migrator.engine.run.context.SLEEP_SLICE_S", 300.0)  # nobody gives orders here
    world = staged(tmp_path, waves=(Wave("all"),), behaviour=HologramBehaviour(stuck=frozenset(new_sims(12)[:3])))
    told: list[Mapping[str, Any]] = []
    world.apply(
        options=ApplyOptions(wait_s=100_000),
        progress=lambda event, values: told.append(values) if event == "stuck" else None,
    )
    assert told == [{"sims": 3, "minutes": 30}, {"sims": 3, "minutes": 1440}]


def test_a_part_of_a_plan_that_the_caps_do_not_allow_as_a_whole_can_be_applied(tmp_path: Path) -> None:
    world = Staged(tmp_path, change=lambda policy: replace(policy, caps=replace(policy.caps, max_sims=5)))
    world.ready()
    world.apply(options=ApplyOptions(max_sims=3))
    assert len(world.ours()) == 3
    world.apply(options=ApplyOptions(max_sims=3))
    assert len(world.ours()) == 3


# --- the tag ------------------------------------------------------------------------------------------------------


def test_a_tag_that_cannot_be_made_halts_the_run_before_anything_is_claimed(tmp_path: Path) -> None:
    world = staged(tmp_path, behaviour=HologramBehaviour(denied=frozenset({Operation.TAGS})))
    result = world.apply()
    assert result.exit_code in {ExitCode.REFUSED, ExitCode.HALTED}
    assert world.claims_sent() == []


@pytest.mark.parametrize("fault", [Fault.LOSE_AFTER, Fault.LOSE_BEFORE])
def test_a_lost_order_to_make_the_tag_is_settled_by_reading_and_made_once(tmp_path: Path, fault: Fault) -> None:
    world = staged(tmp_path)
    world.target.faults = FaultPlan(
        scripted=[fault], scripted_for=lambda method, path: method == "POST" and path.endswith("devices/tags")
    )
    world.apply_until_quiet()
    made = {tag for link in world.target.sims.values() for tag in link.tag_ids}
    assert len(made) == 1
    world.check_fulfilled()
    with world.store() as store:
        paths = [request.path.partition("?")[0] for request in store.journal.requests(store.plans.newest() or "")]
    assert paths.count("/devices/tags") == len(world.target.ledger.requests("POST", "devices/tags"))
