"""The report of a campaign: its bounds beside the carrier's own ledger, and what a person has to do next."""

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from migrator.core.run.results import ExitCode
from migrator.reports.campaign.documents import schema_text
from migrator.workflows.campaign.make import pause_campaign
from migrator.workflows.campaign.report import campaign_report
from tests.worlds.campaigned import CampaignWorld
from tests.worlds.outside import site_of
from tests.worlds.world import Crash, crash_at

DAY_S = 86_400.0


def began(folder: Path, **values: Any) -> CampaignWorld:
    """A campaign whose intake has all pairs."""
    world = CampaignWorld(folder, sims=14, seed=3)
    world.began(**values)
    world.hand_in_pairs("all.csv", zip(world.on(), world.cards, strict=False))
    return world


def reported(world: CampaignWorld) -> dict[str, Any]:
    """`campaign report`. Returns: its JSON."""
    with site_of(world, world.outside) as site:
        campaign_report(site, None, world.folder / "out", now=site.now())
    document: dict[str, Any] = json.loads((world.folder / "out" / "campaign.json").read_text())
    jsonschema.validate(document, json.loads(schema_text()), jsonschema.Draft202012Validator)
    return document


def test_bounds_are_told_beside_what_the_carrier_charged(tmp_path: Path) -> None:
    world = began(tmp_path, claims_per_day=4, claims_total=9, spend_per_day="7.00", spend_total="50.00")
    world.tick()
    world.wait(DAY_S)
    world.tick()
    document = reported(world)
    charged = world.target.ledger.charged
    assert (world.claims(), charged) == (8, Decimal(8))
    assert {one["bound"]: (one["used"], one["at_most"], one["left"]) for one in document["campaign"]["bounds"]} == {
        "claims_per_day": ("4", "4", "0"),
        "spend_per_day": ("4.00", "7.00", "3.00"),
        "claims_total": ("8", "9", "1"),
        "spend_total": ("8.00", "50.00", "42.00"),
    }
    with (tmp_path / "out" / "campaign-bounds.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == document["campaign"]["bounds"]
    page, ticket = ((tmp_path / "out" / f"campaign.{form}").read_text() for form in ("html", "md"))
    assert "of 4; 8 of 9 in all" in page
    assert "of 7.00; 8.00 of 50.00 in all" in page
    assert page.index("8 of 9 in all") < page.index('id="charts"')
    assert "| spend_total | 8.00 | 50.00 | 42.00 |" in ticket
    assert [call["exit_code"] for call in document["campaign"]["calls"]] == [7, 7]


def test_a_campaign_that_sends_nothing_is_said_first_with_the_way_on(tmp_path: Path) -> None:
    world = began(tmp_path, approve=False)
    told = reported(world)
    assert told["headline"]["words"] == "Nothing is known of the fleet yet"
    world.tick()
    told = reported(world)
    assert told["headline"]["words"] == "The campaign is not approved yet"
    assert "`migrator campaign approve`" in told["next"][0]
    world.approve("ann@desk")
    with site_of(world, world.outside) as site:
        pause_campaign(site, by="ann@desk")
    told = reported(world)
    assert told["headline"]["words"] == "The campaign is paused"
    assert "`migrator campaign resume --by NAME`" in told["next"][0]


def test_bounds_over_all_that_are_used_up_need_a_person(tmp_path: Path) -> None:
    world = began(tmp_path, claims_total=5)
    assert world.tick().exit_code is ExitCode.HALTED
    told = reported(world)
    assert told["headline"] == {
        "tone": "bad",
        "words": "[campaign] claims_total is used up",
        "detail": told["headline"]["detail"],
    }
    assert "raise claims_total in the policy, then `migrator campaign approve`" in told["next"][0]


def test_the_last_day_that_is_over_needs_a_person(tmp_path: Path) -> None:
    world = began(tmp_path)
    world.tick()
    world.wait(300 * DAY_S)
    told = reported(world)
    assert told["headline"]["words"] == "The campaign's last day is over: 2027-06-30"
    assert "`migrator campaign approve`" in told["next"][0]


def test_a_begun_plan_of_the_campaign_is_the_campaigns_to_go_on_with(tmp_path: Path) -> None:
    """`apply` refuses it."""
    world = began(tmp_path)
    world.outside.doomed = crash_at("after_effect", 1)
    with pytest.raises(Crash):
        world.tick()
    world.wait(900)
    told = reported(world)["next"]
    assert "`migrator campaign run --once` goes on with what was begun." in told
    assert not any("migrator apply" in step or "plan create" in step for step in told)


def test_the_report_of_a_call_does_not_take_the_call_for_somebody_else(tmp_path: Path) -> None:
    world = began(tmp_path)
    world.tick()
    document = json.loads((tmp_path / "campaign" / "report" / "campaign.json").read_text())
    assert document["running"] is None
    assert not any("at work now" in step for step in document["next"])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("[gates]\nmax_failures = 7\n", "The policy's file was changed since it was approved"),
        ("[gatse]\n", "The policy's file cannot be used"),
    ],
)
def test_a_changed_policy_needs_a_person(tmp_path: Path, more: str, words: str) -> None:
    """Also one that cannot be read any more."""
    world = began(tmp_path)
    world.tick()
    assert reported(world)["headline"]["tone"] == "good"
    world.write_policy(more=more)
    told = reported(world)
    assert told["headline"]["words"] == words
    assert "`migrator campaign approve`" in told["next"][0]
    (tmp_path / "policy.toml").unlink()  # as on a machine that only watches
    assert reported(world)["headline"]["tone"] == "good"
