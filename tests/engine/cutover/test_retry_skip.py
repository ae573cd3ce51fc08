"""`retry` and `skip` for the SIMs of a cutover or rollback, through whole runs."""

from pathlib import Path

import pytest

from migrator.carriers.onence.simulator import OnenceBehaviour
from migrator.carriers.onence.simulator.model import SimStatus
from migrator.carriers.simulation import FaultPlan
from migrator.core.cutover.plan import Aside
from migrator.core.fleet.identifiers import Iccid
from migrator.core.run.control import Selection
from migrator.core.run.doubts import Doubt
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepEvent, StepKind, StepState
from migrator.errors import InputError, StalePlan
from migrator.workflows.cutover.apply import cutover_may_be_retried
from migrator.workflows.cutover.make import stale_reasons
from tests.engine.cutover.test_cutover_runs import a_sim, migrated, truly
from tests.worlds.cutover_world import CutoverWorld
from tests.worlds.world import POLICY, Crash, crash_at

STRICT = POLICY.replace("max_failures = 1000", "max_failures = 0")


def key_of(old: str) -> str:
    return Iccid.parse(old).key


def refused(folder: Path) -> tuple[CutoverWorld, str]:
    """A finished cutover in which one SIM was refused: 1NCE took it for expired when its order came."""
    world = migrated(folder, api_version="v1", onence_behaviour=OnenceBehaviour(bulk_all_or_nothing=True))
    world.cutover_plan()
    bad = a_sim(world)

    def expire(method: str, path: str) -> bool:
        if method == "POST" and path.endswith("/sims"):
            truly(world, bad).status = SimStatus.EXPIRED
        return False

    world.source.faults = FaultPlan(spare=expire)
    result = world.cut_over()
    assert dict(result.failed) == {"expired": 1}
    world.source.faults = FaultPlan()
    with world.store() as store:
        store.cutovers.finish(result.cutover_id, world.now().timestamp())
    return world, bad


def newest(world: CutoverWorld) -> str:
    with world.store() as store:
        return store.cutovers.newest() or ""


# --- retry --------------------------------------------------------------------------------------------------------


def test_what_was_refused_is_read_and_ordered_again_after_a_retry(tmp_path: Path) -> None:
    world, bad = refused(tmp_path)
    truly(world, bad).status = SimStatus.ENABLED  # somebody extended it
    writes = len(world.source.writes)
    with world.store() as store:
        came = store.interventions.retry(newest(world), Selection(frozenset({"expired"})), now=world.now().timestamp())
        assert (came.sims, dict(came.by_code)) == (1, {"expired": 1})
        assert store.cutovers.state(newest(world)) == "started"
        (step,) = store.cutovers.items_by_key(newest(world), [key_of(bad)])[0].steps.values()
        assert (step.state, step.doubt, step.attempts > 0) == (StepState.UNCERTAIN, Doubt.RETRIED, True)
        assert key_of(bad) in store.cutovers.switched_off(), "it may be off, until a read shows what it is"
    assert bad not in world.off()
    result = world.cut_over()
    assert result.exit_code is ExitCode.DONE, result
    assert bad in world.off()
    assert len(world.source.writes) == writes + 1
    world.check_values()
    with world.store() as store:
        assert list(store.audit.problems()) == []


def test_what_happened_after_all_is_not_ordered_again_after_a_retry(tmp_path: Path) -> None:
    world, bad = refused(tmp_path)
    truly(world, bad).status = SimStatus.DISABLED
    writes = len(world.source.writes)
    with world.store() as store:
        store.interventions.retry(newest(world), Selection(), now=world.now().timestamp())
    assert world.cut_over().exit_code is ExitCode.DONE
    assert len(world.source.writes) == writes


def test_an_order_in_doubt_is_never_retried(tmp_path: Path) -> None:
    world = migrated(tmp_path)
    world.cutover_plan()
    with pytest.raises(Crash):
        world.cut_over(hooks=crash_at("after_effect", 1))
    with world.store() as store:
        assert store.journal.step_counts(newest(world))[StepKind.SOURCE, StepState.IN_FLIGHT]
        assert store.interventions.retry(newest(world), Selection(), now=world.now().timestamp()).sims == 0


def test_a_plan_that_a_later_one_took_over_is_not_retried(tmp_path: Path) -> None:
    world, bad = refused(tmp_path)
    truly(world, bad).status = SimStatus.ENABLED
    cutover = newest(world)
    world.rollback_plan()
    world.roll_back()
    with world.store() as store:
        with pytest.raises(StalePlan, match="started later"):
            cutover_may_be_retried(store, cutover)
        assert stale_reasons(store, store.cutovers.header(cutover))


def test_a_pause_that_failed_is_read_and_ordered_again_after_a_retry(tmp_path: Path) -> None:
    world = migrated(tmp_path)
    meant = world.meant(world.cutover_plan())
    world.cut_over()
    world.rollback_plan()
    with pytest.raises(Crash):
        world.roll_back(hooks=crash_at("after_effect", 1, StepKind.PAUSE))
    new = world.pairs()[min(meant)]
    world.defective_records = {new}
    assert dict(world.roll_back().failed) == {"unexpected": 1}
    world.defective_records = set()
    with world.store() as store:
        assert store.interventions.retry(newest(world), Selection(), now=world.now().timestamp()).sims == 1
    world.elapsed_s += 3600
    result = world.roll_back()
    assert (result.exit_code, result.paused) == (ExitCode.DONE, len(meant)), result
    assert world.target.sims[new].state == "PAUSED-USER"


# --- skip ---------------------------------------------------------------------------------------------------------


def test_a_sim_that_was_skipped_stays_on_and_is_no_trouble(tmp_path: Path) -> None:
    world = migrated(tmp_path, policy_text=STRICT)
    meant, before = world.meant(world.cutover_plan(waves=(2,))), world.off()
    left = a_sim(world)
    with world.store() as store:
        came = store.cutovers.skip(newest(world), Selection(keys=frozenset({key_of(left)})), now=1.0)
        assert (came.sims, dict(came.by_code)) == (1, {"not_begun": 1})
    result = world.cut_over()
    assert result.exit_code is ExitCode.DONE, result
    assert world.off() - before == meant - {left}
    assert dict(result.aside) == {Aside.LEFT_BY_OPERATOR: 1}
    with world.store() as store:
        assert key_of(left) not in store.cutovers.switched_off()
        assert store.cutovers.skip(newest(world), Selection(), now=2.0).sims == 0, "the others are proved"
        assert list(store.audit.problems()) == []


def test_a_gate_does_not_wait_for_what_was_skipped(tmp_path: Path) -> None:
    """Half of the first wave is left behind, and all of it has to be switched."""
    world = migrated(tmp_path, policy_text=f"{POLICY}verified_share = 1.0\n")
    meant, before = world.meant(world.cutover_plan(waves=(2,))), world.off()
    with world.store() as store:
        first = next(store.cutovers.items(newest(world), "first-2"))
        store.cutovers.skip(newest(world), Selection(keys=frozenset({first.key})), now=1.0)
    assert world.cut_over().exit_code is ExitCode.DONE
    assert len(world.off() - before) == len(meant) - 1


def test_a_sim_with_an_order_in_doubt_cannot_be_skipped(tmp_path: Path) -> None:
    world = migrated(tmp_path)
    world.cutover_plan()
    with pytest.raises(Crash):
        world.cut_over(hooks=crash_at("after_effect", 1))
    with world.store() as store:
        before = list(store.cutovers.stored_steps(newest(world)))
        with pytest.raises(InputError, match="not known yet") as caught:
            store.cutovers.skip(newest(world), Selection(wave="all"), now=1.0)
        assert f"migrator cutover apply {newest(world)}" in caught.value.hint
        assert list(store.cutovers.stored_steps(newest(world))) == before


def test_an_order_that_was_given_up_and_may_come_late_cannot_be_skipped(tmp_path: Path) -> None:
    """Another plan has to know of it, and would not."""
    world = migrated(tmp_path)
    world.cutover_plan()
    with pytest.raises(Crash):
        world.cut_over(hooks=crash_at("after_effect", 1))
    with world.store() as store:
        store.journal.reclaim_in_flight(newest(world), 1.0)
        open_ = [one.key for one in store.cutovers.items(newest(world), "all") if one.steps]
        told = dict.fromkeys(open_, (Doubt.NOT_EFFECTIVE.value, ""))
        store.journal.move(newest(world), StepKind.SOURCE, StepEvent.PROBED_ABSENT, told, now=2.0)
        with pytest.raises(InputError, match="not known yet"):
            store.cutovers.skip(newest(world), Selection(keys=frozenset(open_)), now=3.0)


def test_what_failed_is_skipped_with_its_code_in_words(tmp_path: Path) -> None:
    world, bad = refused(tmp_path)
    with world.store() as store:
        came = store.cutovers.skip(newest(world), Selection(frozenset({"expired"})), now=1.0)
        assert dict(came.by_code) == {"expired": 1}
        (step,) = store.cutovers.items_by_key(newest(world), [key_of(bad)])[0].steps.values()
    assert (step.state, step.code) == (StepState.SKIPPED, Aside.LEFT_BY_OPERATOR)
    assert step.message.startswith("expired: ")
    assert world.cut_over().exit_code is ExitCode.DONE
