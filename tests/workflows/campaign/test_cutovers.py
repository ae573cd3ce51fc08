"""Cutovers of a campaign over many days: small plans, commands that stand while a person is waited for, and the end."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.onence.simulator import OnenceBehaviour
from migrator.carriers.onence.simulator.model import SimStatus
from migrator.core.cutover.plan import Aside, Direction
from migrator.core.fleet.identifiers import Iccid
from migrator.core.run.control import Selection
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind, StepState
from migrator.workflows.campaign.make import retry_refused
from migrator.workflows.campaign.once import Ticked
from migrator.workflows.cutover.apply import CutoverBounds, carry_out_cutover
from migrator.workflows.cutover.back import plan_way_back
from migrator.workflows.verify.verify import verify
from tests.worlds.campaigned import CampaignWorld
from tests.worlds.outside import site_of
from tests.worlds.world import Crash

DAY_S = 86_400.0


def began(folder: Path, **values: Any) -> CampaignWorld:
    """A campaign with all its pairs, claimed."""
    world = CampaignWorld(folder, sims=14, seed=3)
    world.began(rest="24h", **values)
    world.hand_in_pairs("all.csv", zip(world.on(), world.cards, strict=False))
    world.tick()
    return world


def next_day(world: CampaignWorld) -> Ticked:
    """The first tick of the next day."""
    world.wait(DAY_S)
    return world.tick()


def kept(world: CampaignWorld) -> dict[str, int]:
    """How many rows the store has of plans, and of SIMs in cutovers."""
    counted = {
        "plans": "SELECT count(*) FROM plans",
        "rows of cutovers": "SELECT count(*) FROM changes JOIN plans USING (plan_no) WHERE kind = 'cutover'",
    }
    with site_of(world, world.outside) as site, site.store._db.read() as connection:
        return {name: connection.exec_driver_sql(text).scalar_one() for name, text in counted.items()}


def asked(world: CampaignWorld, before: tuple[int, int]) -> list[str]:
    """What was asked of both carriers since, beyond their lists."""
    sent = world.target.ledger.entries[before[0] :] + world.source.ledger.entries[before[1] :]
    ends = [entry.path.rstrip("/").rpartition("/")[2] for entry in sent]
    return [end for end in ends if end not in {"devices", "token", "sims"}]


def requests(world: CampaignWorld) -> tuple[int, int]:
    """How many requests either carrier got."""
    return len(world.target.ledger.entries), len(world.source.ledger.entries)


def offers(ticked: Ticked) -> list[str]:
    """Commands that wait for a person, by what the tick says."""
    return [held.hint for held in ticked.held if "migrator cutover apply" in held.hint]


# --- days without work --------------------------------------------------------------------------------------------


def test_days_without_work_add_no_plan_no_row_and_no_read(tmp_path: Path) -> None:
    """One old SIM goes off; another one is in use for ever: it is asked about once a day, and nothing is kept of it."""
    world = began(tmp_path)
    gone, stuck = world.on()[:2]
    for old in (gone, stuck):
        world.swap(old)
    world.comes_back(stuck, *(world.now().date() + timedelta(days=day) for day in range(1, 12)))
    for _ in range(3):
        next_day(world)
    assert gone not in world.on()
    rows = kept(world)
    assert rows["rows of cutovers"] == 2, "a cutover has the SIMs that it is about, and not the fleet"
    for _ in range(3):
        before = requests(world)
        next_day(world)
        assert len(asked(world, before)) <= 4, "login and account, one new SIM, and the use of one old SIM"
        assert kept(world) == rows
        before = requests(world)
        world.wait(900)
        world.tick()
        assert asked(world, before) == [], "once a day is enough"
    assert stuck in world.on()


def test_a_call_under_a_clock_that_was_far_ahead_hides_no_cutover_and_no_report(tmp_path: Path) -> None:
    world = began(tmp_path)
    gone = world.on()[0]
    world.swap(gone)
    next_day(world)
    with site_of(world, world.outside) as site:
        ahead_s = site.now() + 300 * DAY_S
        tick_no = site.store.ticks.begin(site.store.campaigns.required().campaign_no, ahead_s)
        told = {"cutovers_asked_s": ahead_s, "report": "somewhere"}
        site.store.ticks.end(tick_no, exit_code=0, reason="", told=told, now=ahead_s)
    assert "report" in next_day(world).told
    assert gone not in world.on()


# --- a person is waited for ---------------------------------------------------------------------------------------


def test_a_command_stands_in_every_tick_until_somebody_ran_it(tmp_path: Path) -> None:
    world = began(tmp_path, cutover="ask")
    first, second = world.on()[:2]
    world.swap(first)
    next_day(world)
    (command,) = offers(next_day(world))
    rows = kept(world)
    for wait_s in (900, DAY_S, DAY_S):
        world.wait(wait_s)
        ticked = world.tick()
        assert (offers(ticked), ticked.exit_code) == ([command], ExitCode.ATTENTION)
        assert kept(world) == rows, "the command is that of the plan that is there"
    world.swap(second)
    next_day(world)
    both = offers(next_day(world))
    assert len(both) == 2
    assert command in both
    with site_of(world, world.outside) as site:
        for cutover_id in site.store.cutovers.known(Direction.CUTOVER):
            carry_out_cutover(site, site.store.cutovers.header(cutover_id), CutoverBounds())
    assert {first, second}.isdisjoint(world.on())
    assert next_day(world).exit_code is ExitCode.DONE


def test_a_command_is_not_offered_any_more_for_what_rests_anew(tmp_path: Path) -> None:
    world = began(tmp_path, cutover="ask")
    mine, other = world.on()[:2]
    card = world.pairs()[mine]
    world.swap(mine)
    next_day(world)
    assert offers(next_day(world))
    for unit in (other, mine):
        world.seen_in(card, unit)
        assert offers(next_day(world)) == []
    assert len(offers(next_day(world))) == 1


def test_pairs_that_were_found_are_told_in_every_tick_until_somebody_takes_them(tmp_path: Path) -> None:
    world = CampaignWorld(tmp_path, sims=6, seed=3)
    world.began(rest="24h")
    (old, *others), card = world.on(), "8944500777777000001"
    sim = world.source.fleet.find(old)
    assert sim is not None
    sim.imei = "353000000000017"
    world.target.stock_claimed([card])
    world.hand_in_pairs("all.csv", zip(others, world.cards, strict=False))
    world.tick()
    world.seen_in(card, old)
    world.wait(DAY_S)
    for _ in range(3):
        ticked = world.tick()
        assert ticked.exit_code is ExitCode.ATTENTION
        assert [held.hint for held in ticked.held] == ["`migrator pair discover --accept exact` accepts them"]
        world.wait(900)
    world.discovered(live=False, accept=True)
    assert world.pairs()[old] == card
    assert world.tick().exit_code is ExitCode.DONE


# --- a policy that nobody approved --------------------------------------------------------------------------------


def test_what_a_changed_policy_allows_is_not_done_before_it_is_approved(tmp_path: Path) -> None:
    """Neither pairs are accepted by it, nor is a cutover made for a person to carry out."""
    world = CampaignWorld(tmp_path, sims=6, seed=3)
    world.began(rest="240h", cutover="ask")
    (old, other, *others), card = world.on(), "8944500777777000001"
    sim = world.source.fleet.find(old)
    assert sim is not None
    sim.imei = "353000000000017"
    world.target.stock_claimed([card])
    world.hand_in_pairs("all.csv", zip([other, *others], world.cards, strict=False))
    world.tick()
    world.write_policy(rest="24h", cutover="ask", more='discover = "exact"\n')
    world.swap(other)
    world.seen_in(card, old)
    for _ in range(3):
        ticked = next_day(world)
        assert "settles" in " ".join(held.words for held in ticked.held), "it is told, and not taken"
        assert (offers(ticked), old in world.pairs()) == ([], False)
    assert kept(world)["rows of cutovers"] == 0
    world.approve("ann@desk")
    (command,) = offers(next_day(world))
    assert "--confirm 1" in command
    assert world.pairs()[old] == card


# --- begun cutovers -----------------------------------------------------------------------------------------------


def killed_before_an_order(world: CampaignWorld) -> None:
    """A tick dies once its cutover was begun, and before anything was sent."""

    def dies(event: str, _values: Mapping[str, Any]) -> None:
        if event == "wave":
            with site_of(world) as site:
                if "started" in site.store.cutovers.known(Direction.CUTOVER).values():
                    raise Crash("before an order")

    world.wait(DAY_S)
    with pytest.raises(Crash):
        world.tick(dies)


def test_a_begun_cutover_leaves_a_sim_on_that_was_scanned_again_since(tmp_path: Path) -> None:
    world = began(tmp_path)
    again, gone = world.on()[:2]
    for old in (again, gone):
        world.swap(old)
    next_day(world)
    killed_before_an_order(world)
    world.wait(3600)
    columns = ("source_iccid", "target_iccid", "scanned_at", "scanned_by")
    scan = (again, world.pairs()[again], f"{world.now():%Y-%m-%dT%H:%M:%SZ}", "tech 7")
    world.hand_in("van.csv", [columns, scan])
    world.wait(60)
    world.swap(again)
    world.tick()
    assert again in world.on(), "it rests anew from the scan on"
    assert gone not in world.on(), "the others of the cutover go on"
    next_day(world)
    assert again not in world.on()


def test_an_old_sim_that_an_operator_skipped_is_in_no_other_cutover_before_a_retry(tmp_path: Path) -> None:
    world = began(tmp_path)
    left, gone = world.on()[:2]
    for old in (left, gone):
        world.swap(old)
    next_day(world)
    killed_before_an_order(world)
    keys = frozenset({Iccid.parse(left).key})
    with site_of(world, world.outside) as site:
        (cutover_id,) = site.store.cutovers.known(Direction.CUTOVER)
        assert site.store.cutovers.skip(cutover_id, Selection(keys=keys), now=site.now()).sims == 1
    for _ in range(2):
        next_day(world)
        assert (left in world.on(), gone in world.on()) == (True, False)
    with site_of(world, world.outside) as site:
        assert retry_refused(site, keys=keys, by="ann") == 1
    next_day(world)
    assert left not in world.on()


def test_a_begun_cutover_with_a_corrected_pair_leaves_that_sim_on_and_ends(tmp_path: Path) -> None:
    world = began(tmp_path)
    moved, gone = world.on()[:2]
    for old in (moved, gone):
        world.swap(old)
    next_day(world)
    world.source.behaviour = OnenceBehaviour(writes_applied=False)
    next_day(world)
    sim = world.source.fleet.find(moved)
    assert sim is not None
    sim.status = SimStatus.EXPIRED
    world.wait(3600)
    world.tick()
    world.corrected({moved: world.spare()}, reason="its card broke")
    sim.status = SimStatus.ENABLED
    world.source.behaviour = OnenceBehaviour()
    with site_of(world, world.outside) as site:
        (cutover_id,) = site.store.cutovers.known(Direction.CUTOVER)
        assert site.store.interventions.retry(cutover_id, Selection(), now=site.now()).sims == 1
    for _ in range(3):
        next_day(world)
    assert moved in world.on()
    assert gone not in world.on()
    with site_of(world, world.outside) as site:
        assert site.store.cutovers.state(cutover_id) == "finished"
        (item,) = site.store.cutovers.items_by_key(cutover_id, [Iccid.parse(moved).key])
    step = item.steps[StepKind.SOURCE]
    assert (step.state, step.code) == (StepState.SKIPPED, Aside.PAIR_CORRECTED)


# --- taken back by a person ---------------------------------------------------------------------------------------


def test_a_unit_that_a_person_took_back_to_its_old_sim_is_not_switched_off_again(tmp_path: Path) -> None:
    """Neither as the rollback left it, nor once somebody resumed the new SIM at Hologram and it has rested again."""
    world = began(tmp_path)
    old, other = world.on()[:2]
    for one in (old, other):
        world.swap(one)
    for _ in range(2):
        next_day(world)
    assert {old, other} <= set(world.off())
    with site_of(world, world.outside) as site:
        (header,) = plan_way_back(site.store, {Iccid.parse(old).key}, now=site.now()).headers
        carry_out_cutover(site, header, CutoverBounds())
    for _ in range(2):
        next_day(world)
    card = world.target.sims[world.pairs()[old]]
    assert (card.state, old in world.on()) == ("PAUSED-USER", True)
    card.state = "LIVE"
    world.swap(old)
    with site_of(world, world.outside) as site:
        for plan_id in site.store.due.all_plans(site.store.campaigns.required()):
            verify(site, plan_id)
    for _ in range(3):
        assert next_day(world).told["exceptions"] == {"rolled_back": 1}
    assert old in world.on()
    assert other in world.off()
