"""`cutover` and `rollback` against both simulated carriers, on a virtual clock."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.onence.simulator import OnenceBehaviour
from migrator.carriers.onence.simulator.choices import OmittedFields, StatusWords
from migrator.carriers.onence.simulator.model import SimStatus
from migrator.carriers.simulation import Fault, FaultPlan, RateLimit
from migrator.core.cutover.plan import Require
from migrator.core.fleet.identifiers import Iccid
from migrator.core.policy.policy import OldSim
from migrator.core.run.results import ExitCode
from migrator.core.run.states import CUTOVER_STEPS, StepKind
from migrator.engine.cutover.context import CutoverOptions
from migrator.engine.run.context import Stopper
from migrator.workflows.cutover.make import stale_reasons
from tests.worlds.cutover_world import CutoverWorld, live_through_a_cutover
from tests.worlds.world import POLICY, Crash, crash_at

VERSIONS = ["v1", "v2"]
CANARY = POLICY.replace('name = "all"', 'name = "canary"\ncount = 5\n[[waves]]\nname = "rest"')


SILENT = 2


def migrated(folder: Path, *, silent: int = SILENT, sims: int = 14, **values: Any) -> CutoverWorld:
    world = CutoverWorld(folder, sims=sims, **values)
    world.migrated(silent=silent)
    return world


@pytest.fixture
def world(tmp_path: Path) -> CutoverWorld:
    return migrated(tmp_path)


def truly(world: CutoverWorld, old: str) -> Any:
    """The old SIM, to be changed behind our back."""
    sim = world.source.fleet.find(old)
    assert sim is not None
    return sim


def a_sim(world: CutoverWorld, *, nth: int = 0) -> str:
    """One of the SIMs that the newest plan switches."""
    with world.store() as store:
        header = store.cutovers.header(store.cutovers.newest() or "")
    return sorted(world.meant(header))[nth]


def orders_only(*faults: Fault) -> FaultPlan:
    return FaultPlan(scripted=faults, scripted_for=lambda method, path: method != "GET" and "/sims" in path)


# --- who qualifies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_cutover_switches_off_exactly_the_sims_that_qualify(tmp_path: Path, version: Any) -> None:
    world = migrated(tmp_path, api_version=version)
    already_off = world.off()
    header = world.cutover_plan()
    meant = world.meant(header)
    result = world.cut_over()
    assert result.exit_code is ExitCode.DONE, result
    assert result.proved == len(meant) == header.count > 5
    assert world.off() - already_off == meant
    world.check_values()


def test_every_source_sim_is_in_the_plan_once_with_its_reason(world: CutoverWorld) -> None:
    rows = world.rows(world.cutover_plan())
    assert set(rows) == {sim.iccid for sim in world.source.fleet}
    assert Counter(reason for _, reason in rows.values())["no_traffic"] == SILENT


def test_a_sim_that_never_passed_data_stays_on(world: CutoverWorld) -> None:
    header = world.cutover_plan()
    silent = {old for old, (_, reason) in world.rows(header).items() if reason == "no_traffic"}
    world.cut_over()
    assert silent
    assert not silent & world.off()


@pytest.mark.parametrize(("sizes", "reason"), [([0], "no_data"), ([0, 0], "no_data"), ([5, 0], "qualifies")])
@pytest.mark.parametrize("is_proved", [True, False])
def test_sessions_without_a_byte_are_no_proof_that_the_unit_works(
    world: CutoverWorld, sizes: list[int], reason: str, *, is_proved: bool
) -> None:
    """The unit reaches a network, and no server: to switch its old SIM off could cut it off for good."""
    old = min(old for old, (_, why) in world.rows(world.cutover_plan()).items() if why == "no_traffic")
    for number, size in enumerate(sizes, 1):
        world.let_pass_data(world.pairs()[old], after_s=60.0 * number, size=size)
    if is_proved:
        world.proves_life()
    assert world.rows(world.cutover_plan())[old][1] == reason


def test_data_from_before_the_claim_is_no_sign_of_life(world: CutoverWorld) -> None:
    silent = {old for old, (_, reason) in world.rows(world.cutover_plan()).items() if reason == "no_traffic"}
    old = min(silent)
    world.let_pass_data(world.pairs()[old], after_s=-3600)
    assert world.rows(world.cutover_plan())[old] == ("LEAVE_ON", "no_traffic")
    world.let_pass_data(world.pairs()[old], after_s=60)
    assert world.rows(world.cutover_plan())[old] == ("SWITCH_OFF", "qualifies")


def test_usage_is_asked_only_for_sims_whose_record_shows_no_connection(world: CutoverWorld) -> None:
    world.cutover_plan()
    assert len(world.target.ledger.requests("GET", "/usage/data")) == SILENT


def test_verified_is_enough_where_it_is_asked_for(world: CutoverWorld) -> None:
    strict = world.cutover_plan().count
    assert world.cutover_plan(require=Require.VERIFIED, old_sim=OldSim.NOT_ASKED).count == strict + SILENT


def test_a_sim_that_differs_from_the_plan_stays_on(world: CutoverWorld) -> None:
    old = min(world.meant(world.cutover_plan()))
    world.target.sims[world.pairs()[old]].overage_limit = 7
    assert world.rows(world.cutover_plan())[old] == ("LEAVE_ON", "not_verified")


def test_sims_that_have_not_rested_stay_on(world: CutoverWorld) -> None:
    header = world.cutover_plan(rest_s=24 * 3600)
    assert header.count == 0
    assert "not_rested" in {reason for _, reason in world.rows(header).values()}
    world.elapsed_s += 25 * 3600
    assert world.cutover_plan(rest_s=24 * 3600).count > 5


def test_a_sim_that_is_off_already_is_left_alone(world: CutoverWorld) -> None:
    rows = world.rows(world.cutover_plan())
    off = {old for old, (action, _) in rows.items() if action == "ALREADY_OFF"}
    assert off == {sim.iccid for sim in world.source.fleet if sim.status != SimStatus.ENABLED}


def test_a_paused_new_sim_never_takes_the_place_of_a_live_old_one(tmp_path: Path) -> None:
    world = migrated(tmp_path, policy_text=POLICY.replace("[status]\n", '[status]\nenabled = "pause"\n'))
    header = world.cutover_plan()
    assert header.count == 0
    assert "not_live" in {reason for _, reason in world.rows(header).values()}


def test_the_plan_tells_what_the_overlap_costs_and_what_is_left_behind(world: CutoverWorld) -> None:
    world.pull(quotas=True)
    told = world.cutover_plan().summary["double_billing"]
    on_both = sum(
        sim.status == SimStatus.ENABLED and world.target.sims[world.pairs()[sim.iccid]].device_id is not None
        for sim in world.source.fleet
    )
    assert told["on_both_sides"] == on_both
    assert float(told["hologram_per_day"]) == pytest.approx(on_both * 1.0 / 30, abs=0.01)
    mine = [link for link in world.target.sims.values() if link.device_id is not None]
    assert told["claimed"] == len(mine)
    assert told["not_seen_in_a_unit"] == sum(not link.sessions for link in mine)
    assert float(told["left_behind_mb"]) > 0
    assert told["left_behind_days"] > 0


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("old_sim", [OldSim.MUST_BE_SILENT, OldSim.NOT_ASKED])
def test_the_plan_foresees_the_requests_to_1nce_and_how_long_they_take(
    tmp_path: Path, version: Any, old_sim: OldSim
) -> None:
    """The newer API has no order for several SIMs: a large fleet takes hours, and who stays for them wants to know."""
    world = migrated(tmp_path, api_version=version)
    calls = world.cutover_plan(old_sim=old_sim).summary["calls"]
    before = len(world.source.ledger.entries)
    assert world.cut_over().exit_code is ExitCode.DONE
    sent = len(world.source.ledger.entries) - before
    assert sent * 0.7 <= calls["requests"] <= sent, (
        "as many as are needed at least; logins and second looks come on top"
    )
    assert calls["hours"] == pytest.approx(calls["requests"] / calls["max_rps"] / 3600, abs=0.01)


# --- reading first, and sending everything ------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_each_sim_is_read_before_it_is_ordered_and_after(tmp_path: Path, version: Any) -> None:
    world = migrated(tmp_path, api_version=version)
    meant = world.meant(world.cutover_plan())
    world.source.ledger.entries.clear()
    world.cut_over()
    entries = world.source.ledger.entries
    for old in meant:
        reads = [n for n, entry in enumerate(entries) if entry.method == "GET" and entry.path.endswith(old)]
        (order,) = (
            n for n, entry in enumerate(entries) if entry.method != "GET" and old in str((entry.path, entry.body))
        )
        assert min(reads) < order < max(reads)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_update_carries_all_four_fields(tmp_path: Path, version: Any) -> None:
    world = migrated(tmp_path, api_version=version)
    world.cutover_plan()
    world.cut_over()
    assert world.updates()
    assert {tuple(sorted(update)) for update in world.updates()} == {("iccid", "imei_lock", "label", "status")}


def test_label_and_lock_go_out_as_they_are_now_not_as_they_were_pulled(tmp_path: Path) -> None:
    """Fields left out would be defaulted here, and old ones would undo what somebody changed since."""
    world = migrated(
        tmp_path, api_version="v1", onence_behaviour=OnenceBehaviour(omitted_fields=OmittedFields.DEFAULTED)
    )
    world.cutover_plan()
    old = a_sim(world)
    truly(world, old).label, truly(world, old).imei_lock = "renamed today", True
    world.before[old] = ("renamed today", True)
    assert world.cut_over().exit_code is ExitCode.DONE
    world.check_values()


def test_v1_takes_modest_lists_and_v2_one_at_a_time(tmp_path: Path) -> None:
    for version, method, most in (("v1", "POST", 50), ("v2", "PUT", 1)):
        folder = tmp_path / version
        folder.mkdir()
        world = migrated(folder, sims=56 if version == "v1" else 10, api_version=version)
        world.cutover_plan()
        world.cut_over()
        sizes = [len(entry.body) if isinstance(entry.body, list) else 1 for entry in world.source.writes]
        assert {entry.method for entry in world.source.writes if version == "v2"} <= {method}
        assert max(sizes) <= most
        assert len(sizes) == -(-sum(sizes) // most)


def test_a_sim_that_somebody_switched_off_meanwhile_gets_no_order(world: CutoverWorld) -> None:
    world.cutover_plan()
    old = a_sim(world)
    truly(world, old).status = SimStatus.DISABLED
    result = world.cut_over()
    assert result.exit_code is ExitCode.DONE
    assert result.already == 1
    assert old not in {update["iccid"] for update in world.updates()}


def test_a_sim_that_expired_or_vanished_meanwhile_is_told_and_left(world: CutoverWorld) -> None:
    world.cutover_plan()
    expired, gone = a_sim(world, nth=0), a_sim(world, nth=1)
    truly(world, expired).status = SimStatus.EXPIRED
    del world.source.fleet[list(world.source.fleet).index(truly(world, gone))]
    world.served -= {gone}
    result = world.cut_over()
    assert result.exit_code is ExitCode.ATTENTION
    assert dict(result.aside) == {"expired": 1, "gone_at_source": 1}
    assert not {expired, gone} & {update["iccid"] for update in world.updates()}


def test_a_new_sim_that_died_after_the_plan_keeps_its_old_one_on(world: CutoverWorld) -> None:
    world.cutover_plan()
    old = a_sim(world)
    world.target.sims[world.pairs()[old]].state = "PAUSED-USER"
    result = world.cut_over()
    assert result.exit_code is ExitCode.ATTENTION
    assert dict(result.aside) == {"new_sim_not_alive": 1}
    assert old not in world.off()
    world.watch()


def test_a_new_sim_that_differs_since_the_plan_keeps_its_old_one_on(world: CutoverWorld) -> None:
    """It is live, but not as planned: somebody else may be at it."""
    world.cutover_plan()
    old = a_sim(world)
    world.target.sims[world.pairs()[old]].overage_limit = 7
    assert dict(world.cut_over().aside) == {"new_sim_not_alive": 1}
    assert old not in world.off()


def test_a_new_sim_that_dies_during_the_run_keeps_its_old_one_on(tmp_path: Path) -> None:
    """Each batch looks again: what was read for the first one says nothing about the last."""
    world = migrated(tmp_path, silent=0, api_version="v2", cutover_options=CutoverOptions(batch=4))
    meant = sorted(world.meant(world.cutover_plan()))
    doomed = meant[-1]

    def is_order(method: str, _path: str) -> bool:
        if method == "PUT":
            world.target.sims[world.pairs()[doomed]].state = "PAUSED-SYS"
        return False

    world.source.faults = FaultPlan(spare=is_order)
    assert world.cut_over().exit_code is ExitCode.ATTENTION
    assert doomed not in world.off()


def test_a_lock_that_1nce_does_not_tell_is_not_guessed(world: CutoverWorld) -> None:
    world.cutover_plan()
    old = a_sim(world)
    truly(world, old).imei_lock = None
    assert dict(world.cut_over().aside) == {"imei_lock_unknown": 1}
    assert truly(world, old).status == SimStatus.ENABLED


def test_a_label_that_came_out_otherwise_is_a_finding(world: CutoverWorld) -> None:
    world.cutover_plan()
    old = a_sim(world)

    world.source.behaviour = OnenceBehaviour(put_effect_s=30.0)
    changed = {"done": False}

    class Renaming(FaultPlan):
        def next(self, method: str, path: str) -> Fault:
            if changed["done"] and method == "GET" and path.endswith(old) and world.old_state(old) == "Disabled":
                truly(world, old).label = "somebody else"
            changed["done"] |= method == "PUT"
            return Fault.NONE

    world.source.faults = Renaming()
    result = world.cut_over()
    assert result.exit_code is ExitCode.ATTENTION
    assert dict(result.changed) == {"label_changed": 1}


# --- proof --------------------------------------------------------------------------------------------------------


def test_an_order_that_never_takes_effect_ends_resumable_and_is_not_called_done(tmp_path: Path) -> None:
    world = migrated(tmp_path, onence_behaviour=OnenceBehaviour(writes_applied=False))
    header = world.cutover_plan()
    result = world.cut_over(options=CutoverOptions(wait_s=120))
    assert result.exit_code is ExitCode.RESUMABLE
    assert (result.proved, result.unproved) == (0, header.count)
    world.source.behaviour = OnenceBehaviour()
    world.elapsed_s += 1200
    assert world.cut_over().exit_code is ExitCode.DONE
    assert world.meant(header) <= world.off()


def test_an_order_that_takes_effect_late_is_proved_by_a_later_run_and_not_sent_again(tmp_path: Path) -> None:
    world = migrated(tmp_path, onence_behaviour=OnenceBehaviour(put_effect_s=500.0, bulk_effect_s=500.0))
    header = world.cutover_plan()
    assert world.cut_over(options=CutoverOptions(wait_s=60)).exit_code is ExitCode.RESUMABLE
    assert world.cut_over().exit_code is ExitCode.DONE
    assert len(world.updates()) == header.count


def test_a_second_run_of_a_done_plan_sends_nothing(world: CutoverWorld) -> None:
    world.cutover_plan()
    world.cut_over()
    before = len(world.source.writes)
    assert world.cut_over().exit_code is ExitCode.DONE
    assert len(world.source.writes) == before


# --- waves, gates, failures ---------------------------------------------------------------------------------------


def test_waves_go_out_one_after_the_other_and_each_is_proved_before_the_next(tmp_path: Path) -> None:
    world = migrated(tmp_path, policy_text=CANARY, api_version="v2")
    header = world.cutover_plan()
    assert header.waves == ("canary", "rest")
    assert world.cut_over().exit_code is ExitCode.DONE
    with world.store() as store:
        canary = {item.row.source_iccid.digits for item in store.cutovers.items(header.cutover_id, "canary")}
    entries = world.source.ledger.entries
    orders = [n for n, entry in enumerate(entries) if entry.method == "PUT" and entry.path[-19:] not in canary]
    proofs = [n for n, entry in enumerate(entries) if entry.method == "GET" and entry.path[-19:] in canary]
    assert 0 < len(canary) <= 5
    assert max(proofs) < min(orders)


def test_waves_can_be_dealt_out_by_count(world: CutoverWorld) -> None:
    header = world.cutover_plan(waves=(2, 5))
    assert header.waves == ("first-2", "wave-2-of-5", "rest")
    with world.store() as store:
        sizes = [len(list(store.cutovers.items(header.cutover_id, wave))) for wave in header.waves]
    assert sizes == [2, 5, header.count - 7]


def test_a_wave_whose_new_sims_died_keeps_the_next_one_closed(world: CutoverWorld) -> None:
    header = world.cutover_plan(waves=(3,))
    first = sorted(world.meant(header))[:3]
    world.served.clear()  # what dies here is beyond our power

    def die(_method: str, _path: str) -> bool:
        for old in first:
            if world.old_state(old) == "Disabled":
                world.target.sims[world.pairs()[old]].state = "PAUSED-SYS"
        return False

    world.source.faults = FaultPlan(spare=die)
    before = world.off()
    result = world.cut_over()
    assert result.exit_code is ExitCode.HALTED
    assert world.off() - before == set(first)
    assert set(result.not_alive) == set(first)
    assert "rollback plan" in result.hint
    for old in first:
        world.target.sims[world.pairs()[old]].state = "LIVE"
    world.source.faults = FaultPlan()
    assert world.cut_over().exit_code is ExitCode.DONE


def test_a_wave_that_is_not_proved_yet_keeps_the_next_one_closed_and_resumable(tmp_path: Path) -> None:
    world = migrated(tmp_path, onence_behaviour=OnenceBehaviour(writes_applied=False))
    world.cutover_plan(waves=(3,))
    result = world.cut_over(options=CutoverOptions(wait_s=30))
    assert result.exit_code is ExitCode.RESUMABLE
    assert len({update["iccid"] for update in world.updates()}) == 3


def test_too_many_sims_in_trouble_halt_the_run(tmp_path: Path) -> None:
    world = migrated(tmp_path, policy_text=POLICY.replace("max_failures = 1000", "max_failures = 2"))
    header = world.cutover_plan(waves=(6,))
    for old in sorted(world.meant(header))[:4]:
        truly(world, old).status = SimStatus.EXPIRED
    world.served.clear()
    result = world.cut_over()
    assert result.exit_code is ExitCode.HALTED
    assert "expired 4" in result.reason


def test_a_code_with_a_bound_of_its_own_halts_the_run_at_that(tmp_path: Path) -> None:
    bounded = f"{POLICY}\n[gates.max_failures_by_code]\nexpired = 1\n"
    world = migrated(tmp_path, policy_text=bounded)
    header = world.cutover_plan(waves=(6,))
    for old in sorted(world.meant(header))[:2]:
        truly(world, old).status = SimStatus.EXPIRED
    world.served.clear()
    result = world.cut_over()
    assert result.exit_code is ExitCode.HALTED
    assert "[gates.max_failures_by_code] expired = 1" in result.reason


# --- trouble ------------------------------------------------------------------------------------------------------

LOST = [Fault.LOSE_BEFORE, Fault.LOSE_AFTER, Fault.HANG_AFTER, Fault.SERVER_ERROR_BEFORE, Fault.SERVER_ERROR_AFTER]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("fault", [*LOST, Fault.HTML, Fault.HTML_OK, Fault.TOO_MANY, Fault.TOO_MANY_SILENT])
def test_an_order_whose_answer_is_lost_is_settled_by_reading(tmp_path: Path, fault: Fault, version: Any) -> None:
    world = migrated(tmp_path, api_version=version)
    meant = world.meant(world.cutover_plan())
    before = world.off()
    world.source.faults = orders_only(fault, fault)
    assert world.cut_over().exit_code is ExitCode.DONE
    assert world.off() - before == meant
    world.check_values()


def test_orders_that_are_never_answered_end_the_run_after_a_few(tmp_path: Path) -> None:
    world = migrated(tmp_path, api_version="v2")
    world.cutover_plan()
    world.source.faults = orders_only(*[Fault.LOSE_BEFORE] * 100)
    result = world.cut_over(options=CutoverOptions(workers=1))
    assert result.exit_code is ExitCode.RESUMABLE
    assert len(world.source.writes) == 3


def test_a_list_with_a_bad_sim_in_it_goes_out_sim_by_sim(tmp_path: Path) -> None:
    """The read saw it enabled; it expires before the order comes, and the whole list is refused for it."""
    behaviour = OnenceBehaviour(bulk_all_or_nothing=True)
    world = migrated(tmp_path, api_version="v1", onence_behaviour=behaviour)
    meant = world.meant(world.cutover_plan())
    bad = a_sim(world)

    def expire(method: str, path: str) -> bool:
        if method == "POST" and path.endswith("/sims"):
            truly(world, bad).status = SimStatus.EXPIRED
        return False

    world.source.faults = FaultPlan(spare=expire)
    before = world.off()
    result = world.cut_over()
    assert result.exit_code is ExitCode.ATTENTION
    assert dict(result.failed) == {"expired": 1}
    assert world.off() - before == meant - {bad}


@pytest.mark.parametrize("words", list(StatusWords))
def test_every_word_for_on_and_off_is_understood(tmp_path: Path, words: StatusWords) -> None:
    world = migrated(tmp_path, onence_behaviour=OnenceBehaviour(v2_words=words))
    world.cutover_plan()
    assert world.cut_over().exit_code is ExitCode.DONE


def test_a_rate_limit_slows_the_run_and_loses_nothing(tmp_path: Path) -> None:
    world = migrated(tmp_path, onence_behaviour=OnenceBehaviour(rate_limit=RateLimit(2, 1), too_many_every=7))
    meant, before = world.meant(world.cutover_plan()), world.off()
    for _ in range(10):
        result = world.cut_over()
        if result.exit_code is not ExitCode.RESUMABLE:
            break
    assert result.exit_code is ExitCode.DONE
    assert world.off() - before == meant


def test_an_interrupted_run_finishes_the_request_in_flight_and_goes_on_later(tmp_path: Path) -> None:
    world = migrated(tmp_path, api_version="v2")
    meant, before = world.meant(world.cutover_plan()), world.off()
    stopper = Stopper()

    def stop(method: str, _path: str) -> bool:
        if method == "PUT":
            stopper.stop("interrupted")
        return False

    world.source.faults = FaultPlan(spare=stop)
    result = world.cut_over(stopper=stopper)
    assert result.exit_code is ExitCode.INTERRUPTED
    with world.store() as store:
        states = {state for _, state, _ in store.journal.step_codes(result.cutover_id)}
    assert states == {"uncertain"}  # answered and waiting for proof; none was cut off in flight
    world.source.faults = FaultPlan()
    assert world.cut_over().exit_code is ExitCode.DONE
    assert world.off() - before == meant


POINTS = ["after_intent", "after_effect", "after_outcome"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_cutover_that_dies_anywhere_is_resumed_to_the_same_end(
    tmp_path: Path, point: str, count: int, version: Any
) -> None:
    world = migrated(tmp_path, api_version=version, cutover_options=CutoverOptions(batch=4))
    meant, before = world.meant(world.cutover_plan()), world.off()
    with pytest.raises(Crash):
        world.cut_over(hooks=crash_at(point, count if version == "v2" else min(count, 2)))
    assert world.cut_over().exit_code is ExitCode.DONE
    assert world.off() - before == meant
    world.check_values()


# --- the way back -------------------------------------------------------------------------------------------------


def cut_over(folder: Path, **values: Any) -> CutoverWorld:
    world = migrated(folder, **values)
    world.cutover_plan()
    assert world.cut_over().exit_code is ExitCode.DONE
    return world


@pytest.mark.parametrize("version", VERSIONS)
def test_rollback_restores_exactly_what_the_cutover_switched_off(tmp_path: Path, version: Any) -> None:
    world = migrated(tmp_path, api_version=version)
    meant, off, were_paused = world.meant(world.cutover_plan()), world.off(), world.paused()
    world.cut_over()
    header = world.rollback_plan()
    assert world.meant(header) == meant
    result = world.roll_back()
    assert result.exit_code is ExitCode.DONE, result
    assert world.off() == off
    assert world.paused() - were_paused == meant
    world.check_values()


def test_no_new_sim_is_paused_before_its_old_one_is_proved_on(tmp_path: Path) -> None:
    """The order to enable is taken, and nothing comes of it: the watchman sees to it that service goes on."""
    world = cut_over(tmp_path)
    world.rollback_plan()
    world.source.behaviour = OnenceBehaviour(writes_applied=False)
    before = world.paused()
    assert world.roll_back(options=CutoverOptions(wait_s=300)).exit_code is ExitCode.RESUMABLE
    assert world.paused() == before
    world.source.behaviour = OnenceBehaviour()
    world.elapsed_s += 1200
    assert world.roll_back().exit_code is ExitCode.DONE


def test_an_old_sim_that_went_off_again_keeps_its_new_one_on(tmp_path: Path) -> None:
    """Proved on in an earlier run, and switched off by somebody since: it is read once more before the pause."""
    world = cut_over(tmp_path)
    world.rollback_plan()
    old = a_sim(world)
    with pytest.raises(Crash):
        world.roll_back(hooks=crash_at("after_intent", 1, StepKind.PAUSE))
    truly(world, old).status = SimStatus.DISABLED
    world.elapsed_s += 3600
    world.target.ledger.entries.clear()
    result = world.roll_back()
    assert result.exit_code is ExitCode.ATTENTION
    assert dict(result.aside) == {"old_sim_not_on": 1}
    assert world.target.sims[world.pairs()[old]].state == "LIVE"


def test_an_old_sim_that_expired_stays_on_the_new_link(tmp_path: Path) -> None:
    world = cut_over(tmp_path)
    world.rollback_plan()
    old = a_sim(world)
    truly(world, old).status = SimStatus.EXPIRED
    result = world.roll_back()
    assert result.exit_code is ExitCode.ATTENTION
    assert dict(result.aside) == {"expired": 1}
    assert world.target.sims[world.pairs()[old]].state == "LIVE"


@pytest.mark.parametrize("kind", CUTOVER_STEPS)
@pytest.mark.parametrize("point", POINTS)
def test_a_rollback_that_dies_anywhere_is_resumed_to_the_same_end(tmp_path: Path, point: str, kind: StepKind) -> None:
    world = migrated(tmp_path, cutover_options=CutoverOptions(batch=4))
    meant, off = world.meant(world.cutover_plan()), world.off()
    world.cut_over()
    world.rollback_plan()
    with pytest.raises(Crash):
        world.roll_back(hooks=crash_at(point, 2, kind))
    assert world.roll_back().exit_code is ExitCode.DONE
    assert world.off() == off
    assert meant <= world.paused()
    world.check_values()


@pytest.mark.parametrize("fault", LOST)
def test_a_pause_whose_answer_is_lost_is_settled_by_reading(tmp_path: Path, fault: Fault) -> None:
    world = cut_over(tmp_path)
    meant = world.meant(world.rollback_plan())
    world.target.faults = FaultPlan(scripted=[fault], scripted_for=lambda _, path: path.endswith("batch/state"))
    assert world.roll_back(options=CutoverOptions(wait_s=7200)).exit_code is ExitCode.DONE
    assert meant <= world.paused()


def test_a_rollback_of_a_cutover_in_doubt_orders_even_what_looks_on(tmp_path: Path) -> None:
    """The order to disable waits in 1NCE's queue while the rollback reads "on": the pause must not come first."""
    world = migrated(tmp_path, api_version="v2", onence_behaviour=OnenceBehaviour(put_effect_s=40.0))
    meant, off = world.meant(world.cutover_plan()), world.off()
    with pytest.raises(Crash):
        world.cut_over(hooks=crash_at("after_effect", len(meant)))
    header = world.rollback_plan()
    assert world.meant(header) == meant
    result = world.roll_back()
    assert result.exit_code is ExitCode.DONE, result
    assert world.off() == off
    assert {update["iccid"] for update in world.updates() if update["status"] == "Enabled"} == meant


def test_a_cutover_is_stale_once_its_rollback_was_started(tmp_path: Path) -> None:
    world = cut_over(tmp_path)
    with world.store() as store:
        cutover = store.cutovers.header(store.cutovers.newest() or "")
    back = world.rollback_plan()
    with world.store() as store:
        assert stale_reasons(store, cutover) == []
    world.roll_back()
    with world.store() as store:
        assert back.cutover_id in stale_reasons(store, cutover)[0]


def test_what_was_rolled_back_is_not_offered_again(tmp_path: Path) -> None:
    world = cut_over(tmp_path)
    listed = {Iccid.parse(min(world.meant(world.rollback_plan()))).key}
    first = world.rollback_plan(listed=listed)
    assert first.count == 1
    world.roll_back()
    assert world.meant(world.rollback_plan()).isdisjoint(world.meant(first))


# --- thousands of schedules, a few here ---------------------------------------------------------------------------


PAGES_IN_A_ROW = 910076
"""A seed that failed once: rate limits, then pages for people used up the tries of one read."""
NOBODY_CONNECTS = 63010
"""A seed whose new SIMs are all silent: the schedule itself failed there once."""


@pytest.mark.parametrize("seed", [*range(6), PAGES_IN_A_ROW, NOBODY_CONNECTS])
def test_whatever_goes_wrong_every_unit_is_served_and_the_end_is_the_same(tmp_path: Path, seed: int) -> None:
    live_through_a_cutover(seed, tmp_path)
