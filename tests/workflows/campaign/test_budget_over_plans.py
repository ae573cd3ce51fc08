"""The error budget is one number: over the plans of a campaign, and within a run."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.run.control import Selection
from migrator.core.run.results import ExitCode
from migrator.workflows.campaign.make import resume_campaign, retry_refused
from migrator.workflows.campaign.once import Ticked, run_once
from migrator.workflows.campaign.report import campaign_standing
from migrator.workflows.field.stock import claim_stock, import_stock
from tests.worlds.campaigned import CampaignWorld
from tests.worlds.outside import site_of
from tests.worlds.world import new_sims

DAY_S = 86_400.0
TWO_OF_TEN = "last_units = 10\nerror_budget = 0.2\n"


def began(folder: Path, *bad: int, sims: int = 14, more: str = "") -> CampaignWorld:
    """A campaign whose cards with these numbers are refused."""
    world = CampaignWorld(folder, sims=sims, seed=3)
    world.began(more=TWO_OF_TEN + more)
    world.target.behaviour = HologramBehaviour(poison=frozenset(world.cards[number] for number in bad))
    return world


def handed_in(world: CampaignWorld, units: list[str], first: int, beyond: int) -> None:
    world.hand_in_pairs(f"{first}.csv", zip(units[first:beyond], world.cards[first:beyond], strict=True))


def one_by_one(world: CampaignWorld) -> Ticked:
    """A call whose claims have one card each."""
    with site_of(world, world.outside, MIGRATOR_CLAIM_BATCH="1") as site:
        return run_once(site)


def numbers(world: CampaignWorld) -> list[int]:
    """The cards that were asked for, in this order."""
    return [world.cards.index(card) for _, (card,) in world.claims_sent()]


def failures(world: CampaignWorld) -> int:
    """How many of the newest ten units failed."""
    with site_of(world, world.outside) as site:
        return site.store.due.outcomes(site.store.campaigns.required(), 10, site.now()).count(False)


def test_failures_of_former_plans_count_in_a_run(tmp_path: Path) -> None:
    world = began(tmp_path, 0, 1, 4, 5, 6, 8, 9)
    units = world.on()
    handed_in(world, units, 0, 4)
    assert one_by_one(world).exit_code is ExitCode.ATTENTION
    assert world.claims() == 2, "two of four failed, and two may"
    world.wait(DAY_S)
    handed_in(world, units, 4, 10)
    sent = len(world.claims_sent())
    ticked = one_by_one(world)
    assert numbers(world)[sent:] == [7, 8], "the third failure ends it, in whichever plan it is"
    assert world.claims() == 3
    assert ticked.exit_code is ExitCode.HALTED
    assert [one.words for one in ticked.held if one.exit_code is ExitCode.HALTED] == [
        "of the newest 10 units more than 2 failed: nothing more is claimed"
    ]
    card = world.pairs()[units[7]]
    assert world.target.sims[card].name, "what was claimed is set up all the same"
    world.target.behaviour = HologramBehaviour()
    world.wait(DAY_S)
    assert one_by_one(world).exit_code is ExitCode.HALTED
    assert world.claims() == 3
    with site_of(world, world.outside) as site:
        resume_campaign(site, by="ann")
    assert one_by_one(world).exit_code is ExitCode.ATTENTION
    assert world.claims() == 7
    world.check()


@pytest.mark.parametrize("days", [1, 3])
def test_what_is_set_up_later_pushes_no_failure_out_of_the_window(tmp_path: Path, days: int) -> None:
    """Names and limits of good units come after the refusals of bad ones that were begun with them."""
    world = began(tmp_path, 0, 1, 2)
    units = world.on()
    handed_in(world, units, 0, len(units) - 1)
    assert world.tick().exit_code is ExitCode.HALTED
    claims = world.claims()
    for _ in range(days):
        world.wait(DAY_S)
        world.tick()
    handed_in(world, units, len(units) - 1, len(units))
    ticked = world.tick()
    assert world.claims() == claims, "until a person says so"
    assert ticked.exit_code is ExitCode.HALTED


def test_failures_that_are_older_than_the_window_do_not_count_in_a_run(tmp_path: Path) -> None:
    world = began(tmp_path, 7, 8, 12)
    units = world.on()
    handed_in(world, units, 0, 11)
    one_by_one(world)
    claims = world.claims()
    assert claims == 9
    world.wait(DAY_S)
    handed_in(world, units, 11, len(units))
    assert one_by_one(world).exit_code is ExitCode.ATTENTION
    assert numbers(world)[-11:] == [2, 3, 4, 5, 10, 6, 0, 1, 13, 11, 12], "the newest ten have one of three"
    assert world.claims() == claims + 2


def test_a_unit_that_fails_again_is_one_of_the_newest(tmp_path: Path) -> None:
    world = began(tmp_path, 0, 1)
    units = world.on()
    for first, beyond in ((0, 2), (2, len(units))):
        handed_in(world, units, first, beyond)
        world.tick()
        world.wait(DAY_S)
    assert failures(world) == 0, "ten others are newer"
    with site_of(world, world.outside) as site:
        assert retry_refused(site, code="refused", by="ann") == 2
    world.tick()
    assert failures(world) == 2


def test_units_whose_cards_are_paid_already_push_no_failure_out(tmp_path: Path) -> None:
    """Cards from the stock cost the campaign nothing, and say nothing of its claims."""
    world = began(tmp_path, 0, 1, 2, sims=40, more="[stock]\nmax_cards = 12\n")
    stock = new_sims(200)[140:152]
    world.target.stock(stock)
    (tmp_path / "stock.txt").write_text("\n".join(stock) + "\n", encoding="utf-8")
    with site_of(world, world.outside) as site:
        import_stock(site, tmp_path / "stock.txt")
        assert claim_stock(site, tmp_path / "policy.toml", count=12, confirm=12).exit_code is ExitCode.DONE
    units = world.on()
    handed_in(world, units, 0, 3)
    assert one_by_one(world).exit_code is ExitCode.HALTED
    assert failures(world) == 3
    world.hand_in_pairs("paid.csv", zip(units[3:15], stock, strict=True))
    world.wait(DAY_S)
    named = [world.target.sims[card].name for card in stock]
    world.tick()
    assert named != [world.target.sims[card].name for card in stock], "they are set up, which claims nothing"
    claims = world.claims()
    handed_in(world, units, 15, 20)
    world.wait(DAY_S)
    assert one_by_one(world).exit_code is ExitCode.HALTED
    assert world.claims() == claims, "until a person says so"
    with site_of(world, world.outside) as site:
        assert site.store.due.outcomes(site.store.campaigns.required(), 10, site.now()) == [False] * 3


def test_claims_that_were_put_back_push_no_failure_out(tmp_path: Path) -> None:
    """Nothing happened to these units: they are neither good nor bad."""
    world = began(tmp_path, 0, 1)
    units = world.on()
    handed_in(world, units, 0, 2)
    world.tick()
    world.wait(DAY_S)
    world.target.faults = FaultPlan(
        scripted=[Fault.HTML] * 99, scripted_for=lambda method, path: method == "POST" and "claim" in path
    )
    handed_in(world, units, 2, 12)
    world.tick()
    assert world.claims() == 0
    assert failures(world) == 2, "and no unit is newer"
    with site_of(world, world.outside) as site:
        plan_id = site.store.due.all_plans(site.store.campaigns.required())[-1]
        assert site.store.interventions.skip(plan_id, Selection(), now=site.now()).sims == 10
    assert failures(world) == 2, "nor is one that a person left alone"
    with site_of(world, world.outside) as site:
        assert retry_refused(site, code="refused", by="ann") == 2
    world.tick()
    assert failures(world) == 2, "a retry that was put back went not well"


def test_a_resume_under_a_clock_that_was_far_ahead_counts_at_once(tmp_path: Path) -> None:
    """It forgives what failed before it, and nothing that fails after it."""
    world = began(tmp_path, 0, 1, 2, 3, 4, 5)
    handed_in(world, world.on(), 0, 3)
    assert one_by_one(world).exit_code is ExitCode.HALTED
    with site_of(world, world.outside) as site:
        campaign = site.store.campaigns.required()
        site.store.campaigns.resume(campaign, "ann", site.now() + 300 * DAY_S)
    assert failures(world) == 0
    handed_in(world, world.on(), 3, 7)
    world.wait(60)
    assert one_by_one(world).exit_code is ExitCode.HALTED
    assert failures(world) == 3
    assert world.claims() == 0


@pytest.mark.parametrize("days", [5, -5])
def test_failures_under_another_clock_count_as_what_came_last(tmp_path: Path, days: int) -> None:
    """Claims before them push no failure out, whatever the clock said, and a resume is one for them all the same."""
    world = began(tmp_path, 10, 11, 12)
    units = world.on()
    handed_in(world, units, 0, 10)
    assert one_by_one(world).exit_code is ExitCode.DONE
    assert world.claims() == 10
    world.elapsed_s += days * DAY_S
    handed_in(world, units, 10, 13)
    assert one_by_one(world).exit_code is ExitCode.HALTED
    world.elapsed_s -= days * DAY_S - 7200
    handed_in(world, units, 13, 14)
    assert one_by_one(world).exit_code is ExitCode.HALTED
    assert failures(world) == 3
    assert world.claims() == 10
    with site_of(world, world.outside) as site:
        resume_campaign(site, by="ann")
    assert failures(world) == 0
    one_by_one(world)
    assert world.claims() == 11


def test_claims_under_a_clock_that_was_far_ahead_push_no_failure_out(tmp_path: Path) -> None:
    """They seem the newest for days; what fails after them counts all the same."""
    world = began(tmp_path, 10, 11, 12)
    units = world.on()
    world.elapsed_s += 5 * DAY_S
    handed_in(world, units, 0, 10)
    assert one_by_one(world).exit_code is ExitCode.DONE
    assert world.claims() == 10
    world.elapsed_s -= 5 * DAY_S - 7200
    handed_in(world, units, 10, 13)
    assert one_by_one(world).exit_code is ExitCode.HALTED
    handed_in(world, units, 13, 14)
    world.wait(60)
    assert one_by_one(world).exit_code is ExitCode.HALTED
    assert world.claims() == 10


def as_upgraded(folder: Path) -> None:
    """A store from before the log's numbers."""
    with contextlib.closing(sqlite3.connect(folder / "state.db")) as connection, connection:
        connection.executescript("UPDATE steps SET moved_no = 0; UPDATE campaigns SET budget_since_no = 0")


def test_a_store_that_had_no_numbers_goes_by_its_times(tmp_path: Path) -> None:
    world = began(tmp_path, 0, 1, 12)
    units = world.on()
    handed_in(world, units, 0, 2)
    one_by_one(world)
    world.wait(DAY_S)
    handed_in(world, units, 2, 11)
    one_by_one(world)
    as_upgraded(tmp_path)
    assert failures(world) == 1, "the newest ten have one of two"
    world.wait(60)
    with site_of(world, world.outside) as site:
        site.store.campaigns.resume(site.store.campaigns.required(), "ann", site.now())
    as_upgraded(tmp_path)
    assert failures(world) == 0


def test_a_resume_of_the_future_in_such_a_store_hides_no_failure(tmp_path: Path) -> None:
    world = began(tmp_path, 0, 1, 2)
    with site_of(world, world.outside) as site:
        site.store.campaigns.resume(site.store.campaigns.required(), "ann", site.now() + 300 * DAY_S)
    handed_in(world, world.on(), 0, 3)
    assert one_by_one(world).exit_code is ExitCode.HALTED
    as_upgraded(tmp_path)
    assert failures(world) == 3


def test_failures_of_the_future_in_such_a_store_can_be_resumed_past(tmp_path: Path) -> None:
    world = began(tmp_path, 0, 1, 2)
    world.elapsed_s += 5 * DAY_S
    handed_in(world, world.on(), 0, 3)
    assert one_by_one(world).exit_code is ExitCode.HALTED
    world.elapsed_s -= 5 * DAY_S - 7200
    as_upgraded(tmp_path)
    with site_of(world, world.outside) as site:
        resume_campaign(site, by="ann")
    assert failures(world) == 0


@pytest.mark.parametrize("days", [5, -5])
def test_a_retry_under_another_clock_is_one_for_what_came_before_it_alone(tmp_path: Path, days: int) -> None:
    """By the times it would be asked for in each call until its day, or never."""
    world = began(tmp_path, 0)
    handed_in(world, world.on(), 0, 1)
    one_by_one(world)
    assert numbers(world) == [0]
    world.elapsed_s += days * DAY_S
    with site_of(world, world.outside) as site:
        assert retry_refused(site, code="refused", by="ann") == 1
    world.elapsed_s -= days * DAY_S
    for _ in range(3):
        world.wait(900)
        one_by_one(world)
    assert numbers(world) == [0, 0]


@pytest.mark.parametrize("days", [0, 300])
def test_what_holds_a_campaign_is_told_whatever_the_clock_of_the_last_resume_was(tmp_path: Path, days: int) -> None:
    world = began(tmp_path, 0, 1, 2)
    with site_of(world, world.outside) as site:
        site.store.campaigns.resume(site.store.campaigns.required(), "ann", site.now() + days * DAY_S)
    handed_in(world, world.on(), 0, 3)
    world.wait(60)
    assert one_by_one(world).exit_code is ExitCode.HALTED
    with site_of(world, world.outside) as site:
        standing = campaign_standing(site.store, site.now())
    assert standing is not None
    assert "nothing more is claimed" in str(standing.held)
