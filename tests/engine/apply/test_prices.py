"""Prices that are not what a plan was confirmed at, or not to be read, against the simulated carrier."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour, ReplyEdition
from migrator.core.run.results import ExitCode
from migrator.engine.run.context import ApplyOptions
from migrator.errors import Halted
from tests.worlds.world import POLICY, World

STOPS = f'{POLICY}[caps]\nwithout_price = "stop"\n'
GOES_ON = f'{POLICY}[caps]\nwithout_price = "go_on"\n'
QUICK: dict[str, Any] = {"claim_pending_s": (0.0, 0.0), "state_pending_s": (0.0, 0.0)}


def behave(world: World, **values: Any) -> None:
    """From now on the carrier behaves so."""
    world.target.behaviour = replace(world.target.behaviour, **values)


def after_claims(world: World, count: int, then: Callable[[], None]) -> Callable[[str, Any], None]:
    """A listener that does something once so many SIMs are claimed."""

    def tell(event: str, _values: Any) -> None:
        if event == "claimed" and len(world.target.ledger.charges) == count:
            then()

    return tell


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, behaviour=HologramBehaviour(**QUICK))


def test_a_price_that_rose_since_the_plan_is_refused_and_both_are_named(world: World) -> None:
    world.ready()
    behave(world, price_times=Decimal("12.5"))
    result = world.apply()
    assert result.exit_code is ExitCode.STALE
    assert "12.50" in result.reason
    assert "1.00" in result.reason
    assert world.claims_sent() == []


def test_a_price_that_rises_in_mid_run_stops_before_the_next_claim(tmp_path: Path) -> None:
    world = World(tmp_path, behaviour=HologramBehaviour(**QUICK), options=ApplyOptions(claim_batch=4))
    world.ready()
    rise = after_claims(world, 4, lambda: behave(world, price_times=Decimal("1.01")))
    result = world.apply(progress=rise)
    assert result.exit_code is ExitCode.STALE
    assert "names and verifies those that are claimed already" in result.hint
    assert {amount for _, amount in world.target.ledger.amounts} == {Decimal(1)}
    assert len(world.target.ledger.charges) == 4


def test_a_plan_whose_sims_are_claimed_goes_on_whatever_the_price_is_now(tmp_path: Path) -> None:
    """Limits, states and names must not wait for a new plan."""
    world = World(tmp_path)
    header = world.ready()
    assert world.apply(options=ApplyOptions(wait_s=0)).exit_code is ExitCode.RESUMABLE
    assert len(world.target.ledger.charges) == header.claims
    behave(world, price_times=Decimal(2))
    world.wait(200)
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    world.check_fulfilled()


def test_a_new_plan_at_the_new_price_claims_the_rest(tmp_path: Path) -> None:
    world = World(tmp_path, behaviour=HologramBehaviour(**QUICK), options=ApplyOptions(claim_batch=4))
    world.ready()
    world.apply(progress=after_claims(world, 4, lambda: behave(world, price_times=Decimal(3))))
    header = world.plan()
    assert header.summary["money"]["price_per_sim"] == "3.00"
    assert world.apply().exit_code is ExitCode.DONE
    world.check_fulfilled()


def test_a_new_plan_names_and_verifies_the_sims_that_the_stopped_one_left(tmp_path: Path) -> None:
    """Its hint says so: nothing more is done for them under the plan whose price rose."""
    world = World(tmp_path, options=ApplyOptions(claim_batch=4))
    world.ready()
    stopped = world.apply(progress=after_claims(world, 4, lambda: behave(world, price_times=Decimal(3))))
    assert (stopped.exit_code, stopped.verdicts.get("verified", 0)) == (ExitCode.STALE, 0)
    world.wait(200)
    header = world.plan()
    assert header.counts["CLAIM"] == header.claims == sum(header.counts.values()) - 4
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    assert set(world.target.ledger.charges.values()) == {1}
    world.check_fulfilled()


def test_a_price_that_fell_is_told_once_and_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path, behaviour=HologramBehaviour(**QUICK), options=ApplyOptions(claim_batch=4))
    world.ready()
    behave(world, price_times=Decimal("0.5"))
    told: list[dict[str, Any]] = []
    result = world.apply(progress=lambda event, values: told.append(dict(values)) if event == "price_fell" else None)
    assert result.exit_code is ExitCode.DONE
    assert told == [{"was": "1.00", "now": "0.50"}]


def test_a_price_that_is_not_shown_any_more_is_no_price_that_was_confirmed(world: World) -> None:
    world.ready()
    behave(world, plan_prices_shown=False)
    result = world.apply()
    assert result.exit_code is ExitCode.STALE
    assert world.claims_sent() == []


@pytest.mark.parametrize("policy", [STOPS, GOES_ON], ids=["stop", "go_on"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"amount_shown": "USD 90.00"},
        {"amount_shown": "-1.00"},
        {"amount_shown": "1_0"},
        {"amount_shown": "1,50"},
        {"amount_shown": True},
        {"amount_shown": {"value": "1.00"}},
        {"listed_again_at": "0.10"},
        {"flat_amount": "0.10", "plans_edition": ReplyEdition.REF_2},
        {"flat_amount": "0.10", "plans_edition": ReplyEdition.REF_3},
    ],
    ids=str,
)
def test_a_price_that_cannot_be_relied_on_stops_whatever_without_price_says(
    tmp_path: Path, policy: str, wrong: dict[str, Any]
) -> None:
    world = World(tmp_path, behaviour=HologramBehaviour(**QUICK), policy_text=policy)
    world.ready()
    behave(world, **wrong)
    result = world.apply()
    assert result.exit_code is ExitCode.HALTED
    assert "price" in result.reason
    assert world.claims_sent() == []
    with pytest.raises(Halted, match="price"):
        world.plan()


def test_a_plan_that_is_listed_twice_with_one_price_is_no_contradiction(world: World) -> None:
    world.ready()
    behave(world, listed_again_at="1.000000")
    assert world.apply().exit_code is ExitCode.DONE


@pytest.mark.parametrize("edition", [ReplyEdition.REF_2, ReplyEdition.REF_3])
def test_an_account_on_a_tier_of_its_own_plans_and_claims_at_the_dearer_price(
    tmp_path: Path, edition: ReplyEdition
) -> None:
    """Its list tells the price of BASE beside the tiers; of which one it is, the carrier does not say."""
    behaviour = HologramBehaviour(**QUICK, own_tier_amount="0.60", plans_edition=edition)
    world = World(tmp_path, behaviour=behaviour)
    header = world.ready()
    assert header.summary["money"]["price_per_sim"] == "1.00"
    assert any("another tier" in words and "'0.60'" in words for words in header.summary["warnings"])
    assert world.apply().exit_code is ExitCode.DONE
    world.check_fulfilled()


def test_a_tier_of_its_own_that_rises_past_the_confirmed_price_claims_nothing(tmp_path: Path) -> None:
    behaviour = HologramBehaviour(**QUICK, own_tier_amount="0.60", plans_edition=ReplyEdition.REF_2)
    world = World(tmp_path, behaviour=behaviour)
    world.ready()
    behave(world, own_tier_amount="1.01")
    assert world.apply().exit_code is ExitCode.STALE
    assert world.claims_sent() == []


def test_a_balance_that_cannot_be_read_is_not_taken_for_none(world: World) -> None:
    world.ready()
    behave(world, balance_shown="USD 90.00")
    result = world.apply()
    assert result.exit_code is ExitCode.HALTED
    assert "balance" in result.reason
    assert world.claims_sent() == []


def test_the_price_of_data_past_the_plan_may_not_rise_either(world: World) -> None:
    """The largest bill that the plan showed would be another."""
    header = world.ready()
    assert header.summary["money"]["price_per_mb"] == "0.03"
    behave(world, overage_times=Decimal(2))
    result = world.apply()
    assert result.exit_code is ExitCode.STALE
    assert "0.06" in result.reason
    assert world.claims_sent() == []


def test_a_plan_of_an_earlier_version_is_held_to_the_price_that_it_tells(world: World) -> None:
    """It told the price of a SIM, and not those of data and SMS."""
    world.ready()
    with world.store() as store, store._db.write() as connection:
        connection.exec_driver_sql(
            "UPDATE plans SET header = json_remove(header, '$.summary.money.price_per_mb', "
            "'$.summary.money.price_per_sms', '$.summary.caps')"
        )
    behave(world, overage_times=Decimal(2))
    assert world.apply(options=ApplyOptions(max_sims=1)).exit_code is ExitCode.HALTED
    assert len(world.target.ledger.charges) == 1
    behave(world, price_times=Decimal(2))
    assert world.apply().exit_code is ExitCode.STALE
    assert len(world.target.ledger.charges) == 1
