"""Campaigns in the store: one at a time, each order in the log, and stores of older releases."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from migrator.core.campaign.state import Campaign, CampaignApproval, CampaignState
from migrator.errors import InputError
from migrator.store import Store
from tests.builders import pair, sim
from tests.schema.older import make_older
from tests.store.store_kit import NOW, change, open_store, planned, pulled


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened


def made(store: Store, sha256: str = "a") -> Campaign:
    return store.campaigns.create(
        "north", policy_file="p.toml", text="", policy={}, sha256=sha256, folder="campaign", by="ann", now=NOW
    )


def approved(store: Store, campaign: Campaign, by: str, required: int = 1, sha256: str = "a") -> Campaign:
    return store.campaigns.approve(campaign, CampaignApproval(by, NOW, sha256, "CHG0042", ""), required=required)


def test_one_campaign_at_a_time(store: Store) -> None:
    assert store.campaigns.open() is None
    with pytest.raises(InputError, match="no campaign"):
        store.campaigns.required()
    first = made(store)
    with pytest.raises(InputError, match="is not ended"):
        made(store)
    store.campaigns.end(first, "ann", NOW)
    assert made(store).campaign_no == first.campaign_no + 1


def test_people_count_once_and_for_the_policy_that_they_saw(store: Store) -> None:
    campaign = approved(store, made(store), "Ann", required=2)
    campaign = approved(store, campaign, " ann", required=2)
    assert (campaign.state, store.campaigns.people(campaign)) == (CampaignState.MADE, ["Ann"])
    campaign = approved(store, campaign, "bob", required=2)
    assert campaign.state is CampaignState.APPROVED
    campaign = store.campaigns.take_policy(campaign, text="", policy={}, sha256="b", now=NOW)
    assert (campaign.state, store.campaigns.people(campaign)) == (CampaignState.MADE, [])


def test_nobody_alone_brings_a_former_policy_back(store: Store) -> None:
    """Two people approved it, and then another one in its place."""
    campaign = made(store)
    for sha256 in ("a", "b", "a"):
        campaign = store.campaigns.take_policy(campaign, text="", policy={}, sha256=sha256, now=NOW)
        campaign = approved(store, campaign, "ann", required=2, sha256=sha256)
        assert (campaign.state, store.campaigns.people(campaign)) == (CampaignState.MADE, ["ann"])
        campaign = approved(store, campaign, "bob", required=2, sha256=sha256)
        assert campaign.state is CampaignState.APPROVED


@pytest.mark.parametrize("between", ["approval", "pause", "policy"])
def test_an_approval_counts_what_others_did_until_it_is_written(
    store: Store, monkeypatch: pytest.MonkeyPatch, between: str
) -> None:
    """Two people at two terminals: each transaction sees the one before, whatever was read before it."""
    campaign = made(store)
    if between != "approval":
        campaign = approved(store, campaign, "ann", required=2)
    write, others = store._db.write, [between]

    def after_somebody_else() -> AbstractContextManager[Connection]:
        if others:
            match others.pop():
                case "approval":
                    approved(store, campaign, "ann", required=2)
                case "pause":
                    store.campaigns.pause(campaign, "cleo", NOW)
                case _:
                    store.campaigns.take_policy(campaign, text="", policy={}, sha256="b", now=NOW)
        return write()

    monkeypatch.setattr(store._db, "write", after_somebody_else)
    now = approved(store, campaign, "bob", required=2)
    states = {"approval": CampaignState.APPROVED, "pause": CampaignState.PAUSED, "policy": CampaignState.MADE}
    assert now.state is states[between]
    assert (now.approved_s is None) is (between == "policy")


def test_a_pause_ends_as_it_began(store: Store) -> None:
    campaign = made(store)
    for wanted in (CampaignState.MADE, CampaignState.APPROVED):
        store.campaigns.pause(campaign, "ann", NOW)
        assert store.campaigns.required().state is CampaignState.PAUSED
        store.campaigns.resume(store.campaigns.required(), "ann", NOW + 5)
        campaign = store.campaigns.required()
        assert (campaign.state, campaign.budget_since_s) == (wanted, NOW + 5)
        campaign = approved(store, campaign, "ann")


def test_a_paused_campaign_stays_paused_whoever_approves_a_changed_policy(store: Store) -> None:
    campaign = approved(store, made(store), "ann")
    store.campaigns.pause(campaign, "bob", NOW)
    campaign = store.campaigns.take_policy(store.campaigns.required(), text="", policy={}, sha256="b", now=NOW)
    campaign = approved(store, campaign, "ann", sha256="b")
    assert campaign.state is CampaignState.PAUSED
    store.campaigns.resume(campaign, "bob", NOW)
    assert store.campaigns.required().state is CampaignState.APPROVED


def test_the_bounds_hold_for_one_organization(store: Store) -> None:
    pulled(store, map(sim, (1, 2)))
    store.pairs.add([pair(1)], replace=False, now=NOW)
    planned(store, [change(1)])
    campaign = made(store)
    store.campaigns.own(campaign, "p1", 4711, NOW)
    campaign = store.campaigns.required()
    assert store.campaigns.of_plan("p1") == campaign
    with pytest.raises(InputError, match="is for organization 4711"):
        store.campaigns.own(campaign, "p1", 4712, NOW)


def test_every_order_is_in_the_log(store: Store) -> None:
    campaign = approved(store, made(store), "ann")
    store.campaigns.pause(campaign, "ann", NOW)
    store.campaigns.resume(campaign, "ann", NOW)
    store.campaigns.retry(["1"], "ann", NOW)
    store.campaigns.end(campaign, "ann", NOW)
    kinds = [event.kind for event in store.audit.events() if event.kind.startswith("campaign.")]
    assert kinds == [f"campaign.{word}" for word in ("made", "approved", "paused", "resumed", "retry", "ended")]


def test_a_tick_that_was_killed_has_no_end(store: Store) -> None:
    campaign = made(store)
    store.ticks.begin(campaign.campaign_no, NOW)
    second = store.ticks.begin(campaign.campaign_no, NOW + 60)
    store.ticks.end(second, exit_code=7, reason="later", told={"claimed": 2}, now=NOW + 90)
    newest, killed = store.ticks.list()
    assert (newest.exit_code, newest.told, killed.ended_s) == (7, {"claimed": 2}, None)


def test_what_is_done_is_read_in_the_order_of_the_log(store: Store) -> None:
    pulled(store, map(sim, (1, 2)))
    store.pairs.add([pair(1)], replace=False, now=NOW)
    planned(store, [change(1)])
    campaign = made(store)
    store.journal.gate_reached("p1", "all", NOW)
    assert store.done.waves(campaign, 0).ids == (), "it is no plan of the campaign"
    store.campaigns.own(campaign, "p1", 4711, NOW)
    done = store.done.waves(campaign, 0)
    assert done.ids == (("p1", "all"),)
    assert store.done.waves(campaign, done.seq).ids == ()
    assert store.done.cutovers(campaign, 0).ids == ()
    assert [event.kind for event in store.audit.of_campaigns()] == ["campaign.made", "campaign.plan"]
    assert (store.campaigns.plans(campaign), store.due.unseen(campaign)) == (["p1"], [pair(1).source.key])
    assert store.due.outcomes(campaign, 5, NOW) == []


def test_the_calls_of_a_campaign_are_read_oldest_first(store: Store) -> None:
    first = made(store)
    numbers = [store.ticks.begin(first.campaign_no, NOW + at) for at in range(3)]
    store.campaigns.end(first, "ann", NOW)
    store.ticks.begin(made(store).campaign_no, NOW)
    assert [one.tick_no for one in store.ticks.of(first.campaign_no)] == numbers


@pytest.mark.files
def test_plans_of_an_older_release_are_of_no_campaign(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, map(sim, (1, 2)))
        store.pairs.add([pair(1)], replace=False, now=NOW)
        planned(store, [change(1)])
    make_older(tmp_path / "state.db", "0011")
    with open_store(tmp_path) as store:
        assert store.campaigns.of_plan("p1") is None
        campaign = made(store)
        assert [one.key for one in store.due.waiting(campaign)] == [pair(1).source.key]
        assert store.due.open_plans(campaign) == []


def test_a_new_sim_that_was_never_seen_has_not_rested(store: Store) -> None:
    pulled(store, [sim(1)])
    store.pairs.add([pair(1)], replace=False, now=NOW)
    key = pair(1).source.key
    assert store.due.unrested([key], NOW + 1e9) == [key]
