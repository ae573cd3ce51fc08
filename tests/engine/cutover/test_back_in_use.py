"""Old SIMs that are in use again, and plans that are older than what they rest on, against both carriers."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.onence.simulator import OnenceBehaviour, UsageCall, V1Retired
from migrator.core.cutover.plan import Direction
from migrator.core.policy.policy import OldSim
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind
from migrator.engine.run.context import Hooks
from migrator.workflows.cutover import judge_old_sims
from migrator.workflows.cutover.judge_old_sims import WORKERS
from tests.worlds.cutover_world import CutoverWorld
from tests.worlds.meanwhile import HoldingBack, suspend

DAY_S = 86_400


@pytest.fixture
def world(tmp_path: Path) -> Iterator[CutoverWorld]:
    made = CutoverWorld(tmp_path, sims=14)
    made.migrated()
    yield made
    made.check_values()


def back_in_use(world: CutoverWorld, *, days: int = 5) -> str:
    """Days later, one unit is back on its old SIM, and in use yesterday and today. Returns: that old SIM."""
    old = min(world.meant(world.cutover_plan()))
    world.wait(days * DAY_S)
    today = world.now().date()
    world.comes_back(old, today, today - timedelta(days=1))
    return old


def test_an_old_sim_that_is_in_use_after_its_new_one_lived_stays_on(world: CutoverWorld) -> None:
    old = back_in_use(world)
    header = world.cutover_plan()
    assert world.rows(header)[old] == ("LEAVE_ON", "old_sim_in_use")
    assert header.summary["old_sims"] == {"asked": header.count + 1, "silent": header.count, "in_use": 1, "unknown": 0}
    assert world.cut_over().exit_code is ExitCode.DONE
    assert world.old_state(old) == "Enabled"


def test_once_the_new_sim_lived_on_a_later_day_the_old_ones_use_is_history(world: CutoverWorld) -> None:
    old = back_in_use(world)
    world.wait(2 * DAY_S)
    age_s = (world.now() - world.claimed_at(old)).total_seconds()
    world.let_pass_data(world.pairs()[old], after_s=age_s)
    assert world.rows(world.cutover_plan())[old] == ("SWITCH_OFF", "qualifies")


def test_what_a_proof_noted_counts_though_1nce_is_not_asked(world: CutoverWorld) -> None:
    old = back_in_use(world)
    assert world.rows(world.cutover_plan(old_sim=OldSim.NOT_ASKED))[old][0] == "SWITCH_OFF"
    asked = len(world.source.ledger.requests("GET", "/usage"))
    assert world.proves_life()[old] == "talks"
    header = world.cutover_plan(old_sim=OldSim.NOT_ASKED)
    assert world.rows(header)[old] == ("LEAVE_ON", "old_sim_in_use")
    assert len(world.source.ledger.requests("GET", "/usage")) == asked + len(world.connected)


def test_a_proof_that_was_noted_for_an_earlier_plan_counts_for_a_later_one(world: CutoverWorld) -> None:
    old = back_in_use(world)
    world.proves_life()
    world.policy_text += "[approvals]\nrequired = 0\n"
    world.plan()
    assert world.rows(world.cutover_plan(old_sim=OldSim.NOT_ASKED))[old] == ("LEAVE_ON", "old_sim_in_use")


@pytest.mark.parametrize(("version", "usage"), [("v2", UsageCall.V1_ONLY), ("v1", UsageCall.FORBIDDEN)])
def test_where_1nce_cannot_tell_the_policy_decides_and_it_is_said(
    tmp_path: Path, version: str, usage: UsageCall
) -> None:
    retired = V1Retired.GONE if version == "v2" else V1Retired.NO
    behaviour = OnenceBehaviour(usage_call=usage, v1_retired=retired)
    world = CutoverWorld(tmp_path, sims=14, api_version=version, onence_behaviour=behaviour)  # type: ignore[arg-type]
    world.migrated()
    free = world.cutover_plan(old_sim=OldSim.NOT_ASKED)
    strict = world.cutover_plan()
    assert (strict.count, strict.summary["reasons"]["old_sim_unknown"]) == (0, free.count)
    assert any("so they stay on" in words for words in strict.summary["reminders"])
    lenient = world.cutover_plan(old_sim=OldSim.IF_KNOWN)
    assert lenient.count == free.count > 5
    assert any("which was accepted" in words for words in lenient.summary["reminders"])
    assert world.cut_over().exit_code is ExitCode.DONE


def test_an_old_sim_that_comes_back_into_use_after_the_plan_stays_on(world: CutoverWorld) -> None:
    header = world.cutover_plan()
    old = min(world.meant(header))
    world.wait(3 * DAY_S)
    world.comes_back(old, world.now().date())
    result = world.cut_over()
    assert (result.exit_code, dict(result.aside)) == (ExitCode.ATTENTION, {"old_sim_in_use": 1})
    assert world.old_state(old) == "Enabled"


def test_what_was_noted_between_plan_and_order_counts(world: CutoverWorld) -> None:
    header = world.cutover_plan(old_sim=OldSim.NOT_ASKED)
    old = min(world.meant(header))
    world.wait(3 * DAY_S)
    world.comes_back(old, world.now().date())
    world.proves_life()
    assert dict(world.cut_over().aside) == {"old_sim_in_use": 1}
    assert world.old_state(old) == "Enabled"


def test_an_old_sim_of_which_1nce_tells_nothing_any_more_stays_on(world: CutoverWorld) -> None:
    header = world.cutover_plan()
    world.source.behaviour = OnenceBehaviour(usage_call=UsageCall.FORBIDDEN)
    assert dict(world.cut_over().aside) == {"old_sim_unknown": header.count}


def test_a_session_of_long_ago_is_no_proof_that_the_new_sim_works_today(world: CutoverWorld) -> None:
    count = world.cutover_plan().count
    world.wait(15 * DAY_S)
    header = world.cutover_plan()
    assert (header.count, header.summary["reasons"]["not_alive_lately"]) == (0, count)
    assert world.cutover_plan(alive_within_s=20.0 * DAY_S).count == count


def test_a_plan_of_spring_is_not_carried_out_in_autumn(world: CutoverWorld) -> None:
    header = world.cutover_plan()
    lives_on = min(world.meant(header))
    before = world.off()
    world.wait(150 * DAY_S)
    age_s = (world.now() - world.claimed_at(lives_on)).total_seconds()
    world.let_pass_data(world.pairs()[lives_on], after_s=age_s)
    result = world.cut_over()
    assert (result.exit_code, dict(result.aside)) == (ExitCode.ATTENTION, {"not_alive_lately": header.count - 1})
    assert world.off() - before == {lives_on}


def test_the_cost_is_told_before_1nce_is_asked(world: CutoverWorld) -> None:
    told: list[tuple[str, int]] = []

    def progress(event: str, values: Mapping[str, Any]) -> None:
        asked = len(world.source.ledger.requests("GET", "/usage"))
        told.append((event, values.get("requests", asked)))
        assert event != "asking_old_sims" or not asked

    header = world.cutover_plan(progress=progress)
    assert ("asking_old_sims", header.count) in told
    assert len(world.source.ledger.requests("GET", "/usage")) == header.count


def test_where_nothing_is_told_of_the_first_the_others_are_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge_old_sims, "ENOUGH_UNTOLD", 3)
    behaviour = OnenceBehaviour(usage_call=UsageCall.V1_ONLY, v1_retired=V1Retired.NOT_FOUND)
    world = CutoverWorld(tmp_path, sims=14, onence_behaviour=behaviour)
    world.migrated()
    header = world.cutover_plan(old_sim=OldSim.IF_KNOWN)
    assert header.count > 5
    assert header.summary["old_sims"] == {"asked": 3, "silent": 0, "in_use": 0, "unknown": header.count}
    asked = [entry.path for entry in world.source.ledger.requests("GET", "/usage")]
    assert sum("/v2/" in path for path in asked) == 3
    assert sum("/v1/" in path for path in asked) <= 3


def test_while_v1_lives_it_tells_the_use_that_v2_has_no_path_for(tmp_path: Path) -> None:
    world = CutoverWorld(tmp_path, sims=14, onence_behaviour=OnenceBehaviour(usage_call=UsageCall.V1_ONLY))
    world.migrated()
    old = back_in_use(world)
    before = len(world.source.ledger.requests("GET", "/usage"))
    header = world.cutover_plan()
    assert world.rows(header)[old] == ("LEAVE_ON", "old_sim_in_use")
    assert header.count > WORKERS
    assert header.summary["old_sims"]["unknown"] == 0
    asked = [entry.path for entry in world.source.ledger.requests("GET", "/usage")[before:]]
    assert sum("/v2/" in path for path in asked) <= WORKERS, "once it is known, v2 is asked in vain no more"
    assert sum("/v1/" in path for path in asked) == header.summary["old_sims"]["asked"]


def test_answers_of_before_a_long_wait_are_no_ground_for_an_order(world: CutoverWorld) -> None:
    """Every unit goes back to its old SIM while a 429 holds the run up, between the question and the order."""
    header = world.cutover_plan()
    before = world.off()
    world.source.behaviour = replace(world.source.behaviour, too_many_retry_after_s=600)

    def all_come_back() -> None:
        for old in world.meant(header):
            world.comes_back(old, world.now().date())

    def is_read(method: str, path: str) -> bool:
        return method == "GET" and "usage" not in path and "/sims/" in path

    world.source.faults = HoldingBack(is_read, all_come_back)  # type: ignore[assignment]  # asked like one
    result = world.carry_out(Direction.CUTOVER)
    assert world.off() == before
    assert result.exit_code is ExitCode.ATTENTION


def test_the_day_is_that_of_the_host_after_a_machine_has_slept(world: CutoverWorld) -> None:
    """Every unit goes back to its old SIM on the day after, while the machine sleeps right before the order."""
    header = world.cutover_plan()
    before, nights = world.off(), [2 * DAY_S]

    def sleep(kind: StepKind) -> None:
        if kind is StepKind.SOURCE and nights:
            suspend(world, nights.pop())
            for old in world.meant(header):
                world.comes_back(old, world.now().date())

    result = world.carry_out(Direction.CUTOVER, hooks=Hooks(after_intent=sleep))
    assert nights == []
    assert world.off() == before
    assert set(result.aside) == {"old_sim_in_use"}
