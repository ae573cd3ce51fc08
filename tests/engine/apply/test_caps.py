"""`[caps]` over all plans of an organization, or over each plan alone, on a virtual clock."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.core.plan.plan import PlanHeader
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind
from migrator.engine.run.context import ApplyOptions
from tests.worlds.world import POLICY, Crash, World, crash_at

QUICK = HologramBehaviour(claim_pending_s=(0.0, 0.0), state_pending_s=(0.0, 0.0))


def caps(text: str, more: int = 0) -> str:
    """The policy with these caps; `more` makes plans of one and the same cap differ."""
    return POLICY.replace("max_failures = 1000", f"max_failures = {1000 + more}") + f"[caps]\n{text}\n"


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., World]:
    """A world of which an earlier plan has claimed some SIMs."""

    def make(earlier: int, policy: str = POLICY) -> World:
        world = World(tmp_path, behaviour=QUICK, policy_text=policy)
        world.ready()
        world.apply(options=ApplyOptions(max_sims=earlier))
        assert len(world.target.ledger.charges) == earlier
        return world

    return make


def planned(world: World, text: str) -> PlanHeader:
    world.policy_text = caps(text, more=1)
    return world.plan()


def test_what_other_plans_have_claimed_counts(make: Callable[..., World]) -> None:
    world = make(7)
    header = planned(world, "max_sims = 9")
    with world.store() as store:
        first, second = (plan["plan_id"] for plan in reversed(store.plans.list()))
    assert header.plan_id == second
    result = world.apply()
    assert result.exit_code is ExitCode.HALTED
    assert f"other plans 7 for 7.00 ({first}: 7)" in result.reason
    assert 'scope = "plan"' in result.hint
    assert len(world.target.ledger.charges) == 7
    assert world.apply(options=ApplyOptions(max_sims=2)).exit_code is ExitCode.HALTED
    assert len(world.target.ledger.charges) == 9
    world.apply(options=ApplyOptions(max_sims=1))
    assert len(world.target.ledger.charges) == 9


def test_a_cap_may_be_held_against_each_plan_alone(make: Callable[..., World]) -> None:
    world = make(7)
    header = planned(world, 'max_sims = 5\nscope = "plan"')
    assert (header.summary["caps"]["used_sims"], header.summary["caps"]["left_sims"]) == (0, 5)
    assert world.apply().exit_code is ExitCode.DONE
    assert len(world.target.ledger.charges) == 12


def test_money_counts_over_all_plans_at_the_price_of_its_time(make: Callable[..., World]) -> None:
    """Seven at a dollar each, and then five at two."""
    world = make(7)
    world.target.behaviour = replace(QUICK, price_times=Decimal(2))
    planned(world, "max_spend_now = 16.99")
    assert world.apply().exit_code is ExitCode.HALTED
    assert len(world.target.ledger.charges) == 7
    world.policy_text = caps("max_spend_now = 17.00", more=2)
    world.plan()
    assert world.apply().exit_code is ExitCode.DONE
    assert world.target.ledger.charged == 17


def test_a_claim_that_may_have_happened_counts(tmp_path: Path) -> None:
    world = World(tmp_path, behaviour=QUICK, options=ApplyOptions(claim_batch=5))
    header = world.ready()
    with pytest.raises(Crash):
        world.apply(hooks=crash_at("after_effect", 1, StepKind.CLAIM))
    with world.store() as store:
        (made,) = store.journal.claims_made(header.org_id)
    assert (made.plan_id, made.sims, made.price) == (header.plan_id, 5, Decimal(1))


def test_a_sim_that_was_ours_before_counts_for_nobody(make: Callable[..., World]) -> None:
    """The second plan adopts what the first has claimed."""
    world = make(7)
    header = planned(world, "max_sims = 12")
    assert header.counts["CLAIM"] == 5
    assert world.apply().exit_code is ExitCode.DONE
    with world.store() as store:
        assert sorted(one.sims for one in store.journal.claims_made(header.org_id)) == [5, 7]
        assert store.journal.claims_made(header.org_id + 1) == []


def test_a_plan_shows_what_is_used_up_and_what_is_left(make: Callable[..., World]) -> None:
    world = make(7)
    header = planned(world, "max_sims = 9\nmax_spend_now = 10.50")
    shown: dict[str, Any] = header.summary["caps"]
    assert (shown["scope"], shown["max_sims"], shown["used_sims"], shown["left_sims"]) == ("organization", 9, 7, 2)
    assert (shown["max_spend_now"], shown["used_spend"], shown["left_spend"]) == ("10.50", "7.00", "3.50")
    told = [words for words in header.summary["warnings"] if "[caps]" in words]
    assert len(told) == 2
    assert all("7 that other plans have claimed for 7.00" in words for words in told)


def test_a_price_that_no_plan_told_is_not_counted_and_that_is_said(tmp_path: Path) -> None:
    world = World(tmp_path, behaviour=replace(QUICK, plan_prices_shown=False))
    world.ready()
    world.apply(options=ApplyOptions(max_sims=7))
    world.target.behaviour = QUICK
    header = planned(world, "max_spend_now = 5.00")
    assert header.summary["caps"]["unpriced_sims"] == 7
    assert any("does not count, as their price is not known: 7" in words for words in header.summary["warnings"])
    assert world.apply().exit_code is ExitCode.DONE


def test_a_plan_of_an_earlier_version_is_held_to_the_caps_over_all(make: Callable[..., World]) -> None:
    world = make(7)
    planned(world, "max_sims = 9")
    with world.store() as store, store._db.write() as connection:
        connection.exec_driver_sql("UPDATE plans SET policy_json = json_remove(policy_json, '$.caps.scope')")
        connection.exec_driver_sql("UPDATE plans SET header = json_remove(header, '$.summary.caps')")
    assert world.apply().exit_code is ExitCode.HALTED
    assert len(world.target.ledger.charges) == 7
