"""Waves and cutovers of a campaign are told by its calls: summed, once a day, and none is lost."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.onence.simulator import OnenceBehaviour
from migrator.carriers.onence.simulator.model import SimStatus
from migrator.carriers.simulation import FaultPlan
from migrator.core.cutover.plan import Direction
from migrator.core.policy.outside import NoticeEvent
from migrator.core.run.results import ExitCode
from migrator.workflows.campaign import once
from migrator.workflows.campaign.make import create_campaign, end_campaign
from migrator.workflows.campaign.notices import note_failed_call
from migrator.workflows.cutover.apply import CutoverBounds, carry_out_cutover
from migrator.workflows.notices.stopped import Standstill
from tests.worlds.campaigned import CampaignWorld
from tests.worlds.outside import site_of
from tests.worlds.world import Crash

DAY_S = 86_400.0
RECEIVER = """
[[notify]]
to = "command"
command = ["true"]
on = ["wave_done", "cutover_done"]
"""


def began(folder: Path, *, more: str = RECEIVER, **values: Any) -> CampaignWorld:
    """A campaign with all its pairs in the intake."""
    world = CampaignWorld(folder, sims=14, seed=3)
    world.began(more=more, **values)
    world.hand_in_pairs("all.csv", zip(world.on(), world.cards, strict=False))
    return world


def told(world: CampaignWorld, event: NoticeEvent) -> list[Mapping[str, Any]]:
    """What was told so far of an event, oldest first."""
    with site_of(world, world.outside) as site:
        return [one.told for one in site.store.outbox.newest(99) if one.event is event]


def dies_in(stage: str) -> Any:
    def dies(_event: str, values: Mapping[str, Any]) -> None:
        if values.get("stage") == stage:
            raise Crash(stage)

    return dies


def swapped(world: CampaignWorld, *units: str) -> None:
    """New cards live in some units, and rest for two days without a call."""
    for old in units:
        world.swap(old)
    world.tick()
    world.wait(3 * DAY_S)


def test_a_call_tells_its_wave_and_the_plan_does_not(tmp_path: Path) -> None:
    world = began(tmp_path, claims_per_day=5)
    world.tick()
    (wave,) = told(world, NoticeEvent.WAVE_DONE)
    assert wave["reason"] == "SIMs that are verified: 5 of 5, in 1 plan"
    assert (wave["campaign"], wave["counts"]["plans"]) == ("policy", 1)
    assert wave["next"] == "`migrator campaign status` shows how far it is"
    assert "plan_id" not in wave


def test_plans_of_a_day_are_told_once_a_day_and_none_is_lost(tmp_path: Path) -> None:
    world = CampaignWorld(tmp_path, sims=14, seed=3)
    world.began(more=RECEIVER)
    units = world.on()
    for number in range(3):  # a plan of its own each, on one day
        world.hand_in_pairs(f"{number}.csv", [(units[number], world.cards[number])])
        world.tick()
        world.wait(900)
    assert [one["counts"] for one in told(world, NoticeEvent.WAVE_DONE)] == [{"plans": 1, "ok": 1}]
    world.wait(DAY_S)
    for _ in range(2):
        world.tick()
    assert [one["counts"] for one in told(world, NoticeEvent.WAVE_DONE)] == [
        {"plans": 1, "ok": 1},
        {"plans": 2, "ok": 2},
    ]


def test_the_end_of_a_campaign_tells_the_rest_once(tmp_path: Path) -> None:
    world = CampaignWorld(tmp_path, sims=14, seed=3)
    world.began(more=RECEIVER)
    units = world.on()
    for number in range(2):
        world.hand_in_pairs(f"{number}.csv", [(units[number], world.cards[number])])
        world.tick()
    with site_of(world, world.outside) as site:
        assert len(site.store.outbox.newest(99)) == 1
        end_campaign(site, by="ann")
        notices_at_end = site.store.outbox.newest(99)
    assert [one.told["counts"] for one in notices_at_end] == [{"plans": 1, "ok": 1}] * 2
    assert notices_at_end[-1].tries == 1, "no other call would deliver it"


@pytest.mark.parametrize("wave", ["before", "after"])
def test_a_call_that_is_at_work_at_the_end_tells_nothing_twice_and_loses_nothing(tmp_path: Path, wave: str) -> None:
    """A day's second wave is done as the campaign is ended, and the end tells it; or it is done after that."""
    world = CampaignWorld(tmp_path, sims=14, seed=3)
    world.began(more=RECEIVER)
    units, seen = world.on(), list[str]()
    world.hand_in_pairs("first.csv", [(units[0], world.cards[0])])
    world.tick()
    world.hand_in_pairs("second.csv", [(units[1], world.cards[1])])

    def ends(event: str, values: Mapping[str, Any]) -> None:
        seen.append(values.get("stage", ""))
        is_there = seen[-1] == "discovery" if wave == "before" else event != "campaign_stage" and "claims" in seen
        if is_there and "ended" not in seen:
            seen.append("ended")
            with site_of(world, world.outside) as site:
                end_campaign(site, by="ann")
            assert len(told(world, NoticeEvent.WAVE_DONE)) == (2 if wave == "before" else 1)

    world.tick(ends)
    assert "ended" in seen
    assert [one["counts"] for one in told(world, NoticeEvent.WAVE_DONE)] == [{"plans": 1, "ok": 1}] * 2


def test_a_call_that_failed_as_a_whole_makes_none_be_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = began(tmp_path, claims_per_day=3)
    world.tick()
    world.wait(DAY_S)
    world.tick()
    assert len(told(world, NoticeEvent.WAVE_DONE)) == 2
    with site_of(world, world.outside) as site:
        assert note_failed_call(site, Standstill(ExitCode.INPUT, "HOLOGRAM_ORG_ID is wrong", "mend it", cause="key"))
    world.wait(900)
    world.tick()
    assert len(told(world, NoticeEvent.WAVE_DONE)) == 2
    with monkeypatch.context() as fails:
        fails.setattr(once, "_STAGES", (("report", lambda _tick: 1 // 0),))
        with pytest.raises(ZeroDivisionError):
            world.tick()
    world.wait(900)
    world.tick()
    assert len(told(world, NoticeEvent.WAVE_DONE)) == 2


def test_another_campaign_tells_its_own_first_wave_on_the_same_day(tmp_path: Path) -> None:
    """What a former campaign told, and how far it read, is of no meaning for it."""
    world = CampaignWorld(tmp_path, sims=14, seed=3)
    world.began(more=RECEIVER)
    units = world.on()
    world.hand_in_pairs("first.csv", [(units[0], world.cards[0])])
    world.tick()
    with site_of(world, world.outside) as site:
        end_campaign(site, by="ann")
        create_campaign(site, world.folder / "policy.toml", folder=world.folder / "campaign")
    world.approve("ann@desk")
    world.hand_in_pairs("second.csv", zip(units[1:3], world.cards[1:3], strict=True))
    world.tick()
    assert [one["counts"] for one in told(world, NoticeEvent.WAVE_DONE)] == [
        {"plans": 1, "ok": 1},
        {"plans": 1, "ok": 3},  # its first plan sets up the paid card, too
    ]


def test_cutovers_of_several_plans_are_one_notice(tmp_path: Path) -> None:
    world = began(tmp_path, claims_per_day=3)
    for _ in range(2):
        world.tick()
        world.wait(DAY_S)
    units = [old for old, card in world.pairs().items() if card in world.target.ledger.charges]
    swapped(world, *units)
    world.tick()
    assert len(world.off()) >= len(units) == 6
    (done,) = told(world, NoticeEvent.CUTOVER_DONE)
    assert done["counts"] == {"cutovers": 2, "switched_off": 6}
    world.wait(DAY_S)
    world.tick()
    assert len(told(world, NoticeEvent.CUTOVER_DONE)) == 1


@pytest.mark.parametrize("stage", ["exceptions", "handover"])
def test_what_a_killed_call_did_is_told_by_the_next_one(tmp_path: Path, stage: str) -> None:
    world = began(tmp_path)
    with pytest.raises(Crash):
        world.tick(dies_in(stage))
    assert world.claims() == len(world.on())
    assert told(world, NoticeEvent.WAVE_DONE) == []
    world.wait(900)
    world.tick()
    (wave,) = told(world, NoticeEvent.WAVE_DONE)
    assert wave["counts"]["ok"] == world.claims()
    swapped(world, world.on()[0])
    with pytest.raises(Crash):
        world.tick(dies_in(stage))
    assert len(world.on()) == world.claims() - 1
    world.wait(900)
    for _ in range(2):
        world.tick()
    assert [one["counts"] for one in told(world, NoticeEvent.CUTOVER_DONE)] == [{"cutovers": 1, "switched_off": 1}]
    assert len(told(world, NoticeEvent.WAVE_DONE)) == 1, "what was told before is not told again after a kill"


def test_a_day_without_news_keeps_the_day_of_the_last_notice(tmp_path: Path) -> None:
    """Else what is done later on that day would wait for the next one."""
    world = CampaignWorld(tmp_path, sims=14, seed=3)
    world.began(more=RECEIVER)
    world.tick()
    world.hand_in_pairs("first.csv", [(world.on()[0], world.cards[0])])
    world.wait(900)
    world.tick()
    assert [one["counts"] for one in told(world, NoticeEvent.WAVE_DONE)] == [{"plans": 1, "ok": 1}]


def test_a_cutover_that_a_person_runs_tells_by_itself_and_is_not_summed(tmp_path: Path) -> None:
    world = began(tmp_path, cutover="ask")
    world.tick()
    swapped(world, world.on()[0])
    world.tick()
    with site_of(world, world.outside) as site:
        cutover_id, *_ = site.store.cutovers.known(Direction.CUTOVER)
        header = site.store.cutovers.header(cutover_id)
        assert carry_out_cutover(site, header, CutoverBounds()).exit_code is ExitCode.DONE
    (done,) = told(world, NoticeEvent.CUTOVER_DONE)
    assert done["switch_id"] == cutover_id
    for _ in range(2):
        world.wait(DAY_S)
        world.tick()
    assert len(told(world, NoticeEvent.CUTOVER_DONE)) == 1


def test_a_way_back_is_no_old_sim_that_was_switched_off(tmp_path: Path) -> None:
    """Its plan's policy told nobody yet; a rollback is a person's, who reads its words."""
    world = began(tmp_path, more="")
    world.tick()
    swapped(world, world.on()[0])
    world.tick()
    world.write_policy(more=RECEIVER)
    world.approve("ann@desk")
    header = world.rollback_plan()
    with site_of(world, world.outside) as site:
        assert carry_out_cutover(site, header, CutoverBounds()).exit_code is ExitCode.DONE
    world.tick()
    assert told(world, NoticeEvent.CUTOVER_DONE) == []


def test_a_new_receiver_hears_what_is_done_from_then_on(tmp_path: Path) -> None:
    world = began(tmp_path, more="", claims_per_day=5)
    world.tick()
    world.write_policy(more=RECEIVER, claims_per_day=5)
    world.approve("ann@desk")
    world.wait(DAY_S)
    world.tick()
    assert [one["counts"] for one in told(world, NoticeEvent.WAVE_DONE)] == [{"plans": 1, "ok": 5}]


def test_a_clock_that_was_set_back_loses_nothing(tmp_path: Path) -> None:
    world = began(tmp_path, claims_per_day=3)
    world.tick()
    with site_of(world, world.outside) as site:
        last = site.store.ticks.last_ended()
        assert last is not None
        ahead_s = site.now() + 300 * DAY_S
        far = {event: {**was, "day": "2027-09-30"} for event, was in last.told["done_told"].items()}
        tick_no = site.store.ticks.begin(last.campaign_no, ahead_s)
        site.store.ticks.end(tick_no, exit_code=0, reason="", told={**last.told, "done_told": far}, now=ahead_s)
    world.wait(DAY_S)
    world.tick()
    assert len(told(world, NoticeEvent.WAVE_DONE)) == 2


def test_a_kept_policy_that_cannot_be_read_keeps_no_campaign_from_ending(tmp_path: Path) -> None:
    world = began(tmp_path, cutover="ask")
    with closing(sqlite3.connect(tmp_path / "state.db")) as plain, plain:
        assert plain.execute("UPDATE campaigns SET policy_text = '[claim'").rowcount == 1
    with site_of(world, world.outside) as site:
        end_campaign(site, by="ann")
        assert site.store.campaigns.open() is None


def test_an_old_sim_whose_order_failed_is_no_sim_that_was_switched_off(tmp_path: Path) -> None:
    world = began(tmp_path)
    world.source.behaviour = OnenceBehaviour(bulk_all_or_nothing=True)
    world.tick()
    units = world.on()[:3]
    swapped(world, *units)
    bad = world.source.fleet.find(units[1])
    assert bad is not None

    def expire(method: str, path: str) -> bool:
        if method != "GET" and "/sims" in path:
            bad.status = SimStatus.EXPIRED
        return False

    world.source.faults = FaultPlan(spare=expire)
    world.tick()
    world.source.faults = FaultPlan()
    (done,) = told(world, NoticeEvent.CUTOVER_DONE)
    assert done["counts"] == {"cutovers": 1, "switched_off": 2}
