"""Lives of SIMs: every stage and every code, by what real runs leave in a store."""

from collections import Counter
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.carriers.onence.simulator.model import SimStatus
from migrator.core.campaign.life import ExceptionCode, LifeStage, SimLife
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import LinkState, Pair, TargetLink
from migrator.core.fleet.unit_facts import UnitFacts
from migrator.core.run.states import StepKind
from migrator.workflows.plans.make import make_plan
from tests.worlds import world as world_of
from tests.worlds.corrected import CorrectedWorld
from tests.worlds.cutover_world import DAY_S, STRANGER
from tests.worlds.world import POLICY, Crash, crash_at, new_sims


def lives(world: CorrectedWorld) -> dict[str, SimLife]:
    """The life of each old SIM, by ICCID; one by one and all at once they are the same, and they sum."""
    now = world.now().timestamp()
    with world.store() as store:
        counts = store.lives.counts(now)
        paged = dict(store.lives.page(now, limit=1000))
        assert counts.total == store.inventory.summary()["count"] == sum(counts.stages.values())
        assert sum(counts.codes.values()) == counts.exceptions
        assert Counter(life.stage for life in paged.values()) == Counter(counts.stages)
        assert Counter(life.code for life in paged.values() if life.code) == Counter(counts.codes)
        for key, life in paged.items():
            assert store.lives.of([key], now) == {key: life}
        return {str(life.source_iccid): life for life in paged.values()}


def stages(world: CorrectedWorld) -> Counter[str]:
    """How many SIMs are where; an exception by its code."""
    return Counter(str(life.code or life.stage) for life in lives(world).values())


def fleet(folder: Path, sims: int = 6, **more: Any) -> CorrectedWorld:
    """Old SIMs that are all on, each in a modem of its own."""
    made = CorrectedWorld(folder, sims=sims, **more)
    for number, sim in enumerate(made.source.fleet):
        sim.status, sim.label, sim.imei = SimStatus.ENABLED, f"pump {number}", f"35300000{number:06d}17"
    return made


@pytest.fixture
def world(tmp_path: Path) -> CorrectedWorld:
    return fleet(tmp_path)


def paired(world: CorrectedWorld) -> str:
    """Pull and pair; the first card is not stocked yet. Returns: that card."""
    first, *others = new_sims(world.sims)
    world.pull()
    world.target.stock(others)
    world.pair([first, *others])
    return first


def test_a_fleet_goes_from_waiting_to_cut_over(world: CorrectedWorld) -> None:
    world.pull()
    assert stages(world) == {"waiting": 6}
    world.pair()
    world.plan()
    assert stages(world) == {"waiting": 6}
    world.apply_until_quiet()
    assert stages(world) == {"claimed_silent": 6}
    olds = world.on()
    for old in olds[:5]:
        world.let_pass_data(world.pairs()[old], imei=STRANGER if old == olds[1] else None)
    world.comes_back(olds[2], *days_from(world, 1, 6))
    world.wait(4 * DAY_S)
    world.proves_life()
    assert stages(world) == {"resting": 3, "other_unit": 1, "old_sim_talking": 1, "claimed_silent": 1}
    rested = lives(world)[olds[0]]
    assert rested.alive_s is not None
    world.cutover_plan()
    world.cut_over()
    assert stages(world) == {"cut_over": 3, "other_unit": 1, "old_sim_talking": 1, "claimed_silent": 1}
    world.wait(12 * DAY_S)
    assert stages(world) == {"cut_over": 3, "other_unit": 1, "old_sim_talking": 1, "silent": 1}
    world.rollback_plan(listed={Iccid.parse(olds[0]).key})
    world.roll_back()
    assert lives(world)[olds[0]].code is ExceptionCode.ROLLED_BACK
    assert lives(world)[olds[0]].alive_s == rested.alive_s
    with world.store() as store:
        assert sum(day.cut_over for day in store.daily()) == 3
        assert sum(day.taken_back for day in store.daily()) == 1
        assert sum(day.alive for day in store.daily()) == 5
        assert sum(day.claimed for day in store.daily()) == 6


def days_from(world: CorrectedWorld, first: int, last: int) -> list[date]:
    today = world.target.now.date()
    return [today + timedelta(days=ahead) for ahead in range(first, last)]


def test_the_first_sign_of_life_stays_when_later_ones_follow(world: CorrectedWorld) -> None:
    """A rest counts from it: with the last sign instead, a unit that talks every day would never have rested."""
    world.migrated()
    world.proves_life()
    old = world.on()[0]
    first_s = lives(world)[old].alive_s
    world.wait(3 * DAY_S)
    world.let_pass_data(world.pairs()[old], after_s=2 * DAY_S)
    world.proves_life()
    assert lives(world)[old].alive_s == first_s is not None


def test_a_refused_claim_is_an_exception_until_another_card_is_there(world: CorrectedWorld) -> None:
    world.target.stock_foreign([paired(world)])
    old = world.on()[0]
    world.plan()
    world.apply_until_quiet()
    assert stages(world) == {"refused": 1, "claimed_silent": 5}
    assert lives(world)[old].advice
    with world.store() as store:
        other = Pair(Iccid.parse(old), Iccid.parse(world.spare()), "more.csv:2")
        store.pairs.add([other], replace=True, now=world.now().timestamp())
    assert stages(world) == {"waiting": 1, "claimed_silent": 5}


def test_a_claim_without_an_answer_is_in_doubt_until_it_is_read(world: CorrectedWorld) -> None:
    world.ready()
    with pytest.raises(Crash):
        world.apply(hooks=crash_at("after_effect", 1, StepKind.CLAIM))
    assert stages(world) == {"in_doubt": 6}
    world.wait(3600)
    world.apply_until_quiet()
    assert stages(world) == {"claimed_silent": 6}


def test_what_the_policy_leaves_and_what_it_blocks(tmp_path: Path) -> None:
    world = fleet(tmp_path, policy_text=POLICY.replace('disabled = "pause"', 'disabled = "skip"'))
    for sim in sorted(world.source.fleet, key=lambda sim: sim.iccid)[3:]:
        sim.status = SimStatus.DISABLED
    world.target.stock_test_mode([paired(world)])
    world.plan()
    world.apply_until_quiet()
    assert stages(world) == {"left_alone": 3, "blocked": 1, "claimed_silent": 2}


def test_a_tested_card_that_is_ours_is_staged(tmp_path: Path) -> None:
    tested = POLICY.replace('zone = "global"', 'zone = "global"\ntest_mode = "adopt_when_live"')
    world = fleet(tmp_path, 3, policy_text=tested)
    world.target.stock_test_mode([paired(world)])
    world.plan()
    world.apply_until_quiet()
    assert stages(world) == {"staged": 1, "claimed_silent": 2}


def test_a_card_that_hologram_paused_is_a_mismatch(tmp_path: Path) -> None:
    world = fleet(tmp_path, 3, behaviour=HologramBehaviour(paused_by_system=frozenset(new_sims(1))))
    world.ready()
    world.apply_until_quiet()
    assert stages(world) == {"mismatch": 1, "claimed_silent": 2}


def test_a_unit_that_was_silent_before_the_swap_is_dead(world: CorrectedWorld) -> None:
    dead = world.on()[0]
    world.goes_silent(dead, days_from(world, -60, -59)[0])
    world.migrated(silent=6)
    world.wait(3 * DAY_S)
    world.proves_life()
    assert lives(world)[dead].code is ExceptionCode.UNIT_DEAD
    assert stages(world) == {"unit_dead": 1, "claimed_silent": 5}


def test_an_old_sim_that_talks_after_its_swap_was_noted_is_an_exception(world: CorrectedWorld) -> None:
    """Before the swap that is as it should be: the card lies in a box."""
    world.migrated(silent=6)
    old = world.on()[0]
    world.comes_back(old, *days_from(world, 1, 4))
    world.wait(3 * DAY_S)
    world.proves_life()
    assert stages(world) == {"claimed_silent": 6}
    swapped_s = world.now().timestamp() - 2 * DAY_S
    with world.store() as store:
        store.unit_facts.put([UnitFacts(Iccid.parse(old).key, unit="pump 7", scanned_at=swapped_s)], swapped_s)
    assert stages(world) == {"old_sim_talking": 1, "claimed_silent": 5}
    assert lives(world)[old].unit == "pump 7"


def test_a_correction_takes_the_evidence_along_with_the_card(world: CorrectedWorld) -> None:
    """What was seen of the other card says nothing of the card that a unit has now."""
    world.migrated(silent=6)
    one, other, *_ = world.on()
    first, second = world.pairs()[one], world.pairs()[other]
    world.wait(DAY_S)
    world.seen_in(first, other)
    world.wait(3 * DAY_S)
    world.proves_life()
    assert lives(world)[one].code is ExceptionCode.OTHER_UNIT
    world.corrected({one: second, other: first})
    assert lives(world)[one].stage is LifeStage.CLAIMED_SILENT
    world.plan()
    world.apply_until_quiet()
    world.proves_life()
    assert lives(world)[other].stage is LifeStage.RESTING
    assert lives(world)[one].stage is LifeStage.CLAIMED_SILENT


def test_a_rollback_that_a_plan_undid_is_none_any_more(world: CorrectedWorld) -> None:
    world.migrated()
    world.wait(3 * DAY_S)
    world.proves_life()
    world.cutover_plan()
    world.cut_over()
    assert stages(world) == {"cut_over": 6}
    world.rollback_plan()
    world.roll_back()
    assert stages(world) == {"rolled_back": 6}
    world.wait(DAY_S)
    with mock.patch.object(world_of, "make_plan", partial(make_plan, takes_rolled_back=True)):
        world.plan()
    world.apply_until_quiet()
    world.wait(3600)
    assert "rolled_back" not in stages(world)
    assert lives(world)[world.on()[0]].stage in {LifeStage.ALIVE, LifeStage.RESTING}


def test_cards_of_the_stock_are_counted_apart(world: CorrectedWorld) -> None:
    card = world.spare()
    with world.store() as store:
        store.stock.add([(Iccid.parse(card), "cards.csv:1")], world.now().timestamp())
    world.migrated(silent=6)
    with world.store() as store:
        counts = store.lives.counts(world.now().timestamp())
        assert counts.stock == {LifeStage.WAITING: 1}
        assert counts.of(LifeStage.IN_STOCK) == 0
        assert counts.total == 6
        link = TargetLink(Iccid.parse(card), world.target.org_id, 77, 78, LinkState.LIVE, "LIVE")
        store.journal.observed([link], [], now=world.now().timestamp())
        assert store.lives.counts(world.now().timestamp()).stock == {LifeStage.IN_STOCK: 1}
        ((_, life),) = store.lives.page(world.now().timestamp(), stage=LifeStage.IN_STOCK)
        assert (life.target_iccid, life.source_iccid) == (card, None)
        assert store.idle(world.now().timestamp()).all.unpriced == 1  # nobody here knows what it costs


def test_pages_go_on_where_the_last_one_ended(world: CorrectedWorld) -> None:
    world.migrated(silent=2)
    now = world.now().timestamp()
    with world.store() as store:
        whole = store.lives.page(now, limit=6)
        for stage in (None, LifeStage.CLAIMED_SILENT, LifeStage.ALIVE):
            seen, after = list[tuple[str, SimLife]](), None
            while page := store.lives.page(now, stage=stage, after=after, limit=1, max_age_s=60.0):
                seen += page
                after = page[-1][0]
            assert seen == [one for one in whole if stage in {None, one[1].stage}]


def test_the_first_look_is_frozen(world: CorrectedWorld) -> None:
    world.pull()
    first = lives(world)
    old = world.on()[0]
    sim = world.source.fleet.find(old)
    assert sim is not None
    sim.label, sim.status, sim.imei = "another label", SimStatus.DISABLED, STRANGER
    world.wait(DAY_S)
    world.pull()
    now = lives(world)[old]
    assert (now.label, now.status, now.imei) == ("another label", "disabled", STRANGER)
    was = first[old]
    assert (now.baseline_label, now.baseline_status, now.baseline_imei) == (was.label, was.status, was.imei)
    with world.store() as store:
        baseline = store.baselines.of([Iccid.parse(old).key])[Iccid.parse(old).key]
    assert baseline.is_first
    assert baseline.differences(status=now.status, label=now.label, imei=now.imei) == ("status", "label", "imei")
