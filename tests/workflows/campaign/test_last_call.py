"""The first words of a report: what held the last call up, calls that nobody makes, and a campaign that was ended."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.core.cutover.plan import Direction
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind
from migrator.engine.run.context import Hooks
from migrator.errors import InputError
from migrator.reports.campaign.model import headline, next_commands
from migrator.workflows.campaign.make import approve_campaign, create_campaign, end_campaign, resume_campaign
from migrator.workflows.campaign.report import fleet_report
from migrator.workflows.campaign.status import campaign_status
from migrator.workflows.cutover.apply import CutoverBounds, carry_out_cutover
from tests.worlds.campaigned import CampaignWorld
from tests.worlds.outside import site_of
from tests.worlds.world import Crash, crash_at, new_sims

DAY_S = 86_400.0


def began(folder: Path, *, behaviour: HologramBehaviour | None = None, **values: Any) -> CampaignWorld:
    """A campaign with all its pairs in the intake."""
    world = CampaignWorld(folder, sims=14, seed=3, behaviour=behaviour or HologramBehaviour())
    world.began(rest="24h", **values)
    world.hand_in_pairs("all.csv", zip(world.on(), world.cards, strict=False))
    return world


def said(world: CampaignWorld) -> tuple[str, str, list[str]]:
    """What a report of now says first. Returns: tone, headline, next steps."""
    with site_of(world, world.outside) as site:
        report = fleet_report(site.store, now=site.now())
    told = headline(report)
    return told.tone, told.words, next_commands(report)


def test_cutovers_that_wait_for_a_person_are_no_good_news(tmp_path: Path) -> None:
    world = began(tmp_path, cutover="ask")
    world.tick()
    assert said(world)[0] == "good"
    for old in world.on()[:2]:
        world.swap(old)
    for _ in range(2):
        world.wait(DAY_S)
        ticked = world.tick()
    (offer,) = [one for one in ticked.held if "cutover apply" in one.hint]
    tone, words, steps = said(world)
    assert (tone, words) == ("open", "Old SIMs can be switched off: 2")
    assert offer.hint in steps[0]
    written = json.loads((tmp_path / "campaign" / "report" / "campaign.json").read_text())
    assert written["headline"]["words"] == words, "the call's own report says what holds it up, not what held the last"
    assert offer.hint in written["next"][0]


def test_the_name_of_a_file_stays_as_it_is(tmp_path: Path) -> None:
    world = began(tmp_path)
    world.hand_in("odd.csv", [("colour", "size"), ("red", "9")])
    world.tick()
    _, words, steps = said(world)
    assert words.startswith("odd.csv cannot be used")
    assert steps[0].startswith("odd.csv cannot be used")


def test_a_last_call_that_was_halted_is_told_until_a_person_lets_it_go_on(tmp_path: Path) -> None:
    bad = frozenset(new_sims(3))
    more = "last_units = 20\nerror_budget = 0.1\n"
    world = began(tmp_path, claims_per_day=4, more=more, behaviour=HologramBehaviour(poison=bad))
    world.tick()
    world.wait(DAY_S)
    assert world.tick().exit_code is ExitCode.HALTED
    tone, words, steps = said(world)
    assert (tone, words) == ("bad", "The last call was held up")
    assert "`migrator campaign resume --by NAME`" in steps[0]
    world.wait(60)
    with site_of(world, world.outside) as site:
        resume_campaign(site, by="ann")
    assert said(world)[1] != "The last call was held up"


def test_calls_that_nobody_makes_are_told(tmp_path: Path) -> None:
    world = began(tmp_path)
    world.tick()
    world.wait(1.9 * DAY_S)
    assert said(world)[0] == "good"
    world.wait(0.2 * DAY_S)
    tone, words, steps = said(world)
    assert (tone, words) == ("bad", "Nobody called `campaign run` for 2 days")
    assert "scheduler" in steps[0]
    world.tick()
    assert said(world)[0] == "good"


def test_calls_that_die_again_and_again_are_told(tmp_path: Path) -> None:
    world = began(tmp_path)
    world.tick()

    def dies(event: str, values: Mapping[str, Any]) -> None:
        if event == "campaign_stage" and values["stage"] == "claims":
            raise Crash("claims")

    for _ in range(4):  # the newest may be at work
        with pytest.raises(Crash):
            world.tick(dies)
    assert said(world)[:2] == ("bad", "The last 3 calls of `campaign run` did not end")
    world.tick()
    assert said(world)[0] == "good"


# --- a campaign that was ended ------------------------------------------------------------------------------------


def test_a_call_whose_campaign_is_ended_meanwhile_sends_nothing_also_where_another_one_follows(tmp_path: Path) -> None:
    world = began(tmp_path)

    def ends(event: str, values: Mapping[str, Any]) -> None:
        if event == "campaign_stage" and values["stage"] == "claims":
            with site_of(world, world.outside) as site:
                end_campaign(site, by="ann")
                create_campaign(site, tmp_path / "policy.toml", folder=tmp_path / "other")
                approve_campaign(site, by="ann")

    ticked = world.tick(ends)
    assert world.claims() == 0, "the bounds of the other one are counted from its own claims"
    assert ticked.exit_code is ExitCode.HALTED
    assert ticked.reason == "the campaign was ended meanwhile"
    world.wait(60)
    world.tick()
    assert world.claims() == len(world.on())


def test_the_status_of_a_campaign_that_was_ended(tmp_path: Path) -> None:
    world = began(tmp_path)
    world.tick()
    with site_of(world, world.outside) as site:
        end_campaign(site, by="ann")
        told = campaign_status(site)
        assert (told.campaign.state, told.spent.sims) == ("ended", world.claims())
        assert [one.exit_code for one in told.ticks] == [0]
        create_campaign(site, tmp_path / "policy.toml", name="second")
        told = campaign_status(site)
    assert (told.campaign.name, told.spent.sims, list(told.ticks)) == ("second", 0, [])


def test_there_is_no_status_without_any_campaign(tmp_path: Path) -> None:
    world = CampaignWorld(tmp_path, sims=2, seed=3)
    with site_of(world) as site, pytest.raises(InputError, match="no campaign"):
        campaign_status(site)


def put_in(world: CampaignWorld, before: set[str]) -> set[str]:
    """Technicians put every claimed card into its unit. Returns: the old SIMs."""
    claimed = {old for old, card in world.pairs().items() if world.target.sims[card].device_id is not None} - before
    for old in sorted(claimed):
        world.swap(old)
    return claimed


@pytest.mark.parametrize("point", ["after_intent", "after_effect"])
def test_a_campaign_takes_over_what_a_former_one_left_begun(tmp_path: Path, point: str) -> None:
    """A claim and a cutover were killed half way, and their campaign was ended: a person runs that cutover by hand."""
    world = began(tmp_path, claims_per_day=7)
    world.tick()
    swapped = put_in(world, set())
    for kind in (StepKind.CLAIM, StepKind.SOURCE):
        world.wait(DAY_S)
        world.outside.doomed = crash_at(point, 1, kind)
        with pytest.raises(Crash):
            world.tick()
    world.outside.doomed = Hooks()
    with site_of(world, world.outside) as site:
        end_campaign(site, by="ann")
    with site_of(world, world.outside) as site:
        create_campaign(site, tmp_path / "policy.toml", folder=tmp_path / "campaign", name="second")
        approve_campaign(site, by="ann")
        (begun,) = site.store.cutovers.known(Direction.CUTOVER)
    assert f"`migrator cutover apply {begun}` goes on with what was begun." in said(world)[2]
    with site_of(world, world.outside) as site:
        carry_out_cutover(site, site.store.cutovers.header(begun), CutoverBounds())
    for _ in range(5):
        world.wait(DAY_S)
        world.tick()
        swapped |= put_in(world, swapped)
        world.check()
    assert world.on() == []
    assert world.claims() == len(set(world.target.ledger.charges)) == len(world.pairs())
