"""Trouble with one card or one plan: it is told, and the others go on."""

from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.carriers.onence.simulator.model import SimStatus
from migrator.core.campaign.life import ExceptionCode
from migrator.core.run.control import Order, OrderKind
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind
from migrator.engine.run.context import Hooks
from migrator.store.control.lease import EXPIRY_S
from migrator.workflows.campaign.make import resume_campaign
from tests.worlds.campaigned import STAGES, CampaignWorld
from tests.worlds.outside import site_of
from tests.worlds.world import Crash, crash_at, new_sims

DAY_S = 86_400.0


def exceptions(world: CampaignWorld) -> dict[str, str]:
    """Old SIMs that a person must look after, each with its code."""
    with site_of(world, world.outside) as site:
        lives = site.store.lives.walk(site.now())
        return {str(life.source_iccid): life.code.value for life in lives if life.code is not None}


# --- a card that lives already ------------------------------------------------------------------------------------


def test_a_live_card_that_a_plan_would_pause_is_left_to_a_person_and_stops_nobody(tmp_path: Path) -> None:
    world = CampaignWorld(tmp_path, sims=14, seed=3)
    world.began(disabled="pause")
    (off, *_) = world.on()
    disabled = world.source.fleet.find(off)
    assert disabled is not None
    disabled.status = SimStatus.DISABLED
    live = "8944500777777000001"
    world.target.stock_claimed([live])
    world.hand_in_pairs("all.csv", [(off, live), *zip(world.on(), world.cards, strict=False)])
    units, codes = len(world.on()), list[ExitCode]()
    for _ in range(2):
        codes.append(world.tick().exit_code)
        assert world.claims() == units
        assert world.target.sims[live].state == "LIVE", "its unit would have fallen silent"
        world.wait(DAY_S)
    assert codes == [ExitCode.ATTENTION] * 2
    assert exceptions(world) == {off: ExceptionCode.BLOCKED.value}


# --- a plan that halts --------------------------------------------------------------------------------------------


def test_a_plan_that_an_order_holds_keeps_no_other_plan_from_going_on(tmp_path: Path) -> None:
    world = CampaignWorld(tmp_path, sims=14, seed=3)
    world.began()
    olds = world.on()
    for at, name in enumerate(("first.csv", "second.csv")):
        world.hand_in_pairs(name, [(olds[at], world.cards[at])])
        world.outside.doomed = crash_at("after_intent", 1, StepKind.CLAIM)
        with pytest.raises(Crash):
            world.tick()
        world.outside.doomed = Hooks()
        with site_of(world, world.outside) as site:
            *_, plan_id = site.store.due.open_plans(site.store.campaigns.required())
            if at == 0:
                held = plan_id
            now = site.now()
            site.store.steering.give(plan_id, Order(OrderKind.PAUSE, "ann", now))
    with site_of(world, world.outside) as site:
        site.store.steering.withdraw(plan_id, by="ann", now=site.now())
    world.wait(DAY_S)
    ticked = world.tick()
    assert world.cards[1] in world.target.ledger.charges, "the second plan is held by nobody"
    assert world.cards[0] not in world.target.ledger.charges
    assert ticked.exit_code is ExitCode.HALTED
    assert any(held in one.words for one in ticked.held)


def test_a_begun_plan_claims_nothing_more_either_once_too_many_failed(tmp_path: Path) -> None:
    """An order held it meanwhile. What others failed at counts for it, too, until a person says so."""
    world = CampaignWorld(tmp_path, sims=14, seed=3)
    world.began(more="last_units = 20\nerror_budget = 0.1\n")
    olds, cards = world.on(), world.cards
    world.hand_in_pairs("first.csv", zip(olds[:2], cards[:2], strict=True))
    world.outside.doomed = crash_at("after_intent", 1, StepKind.CLAIM)
    with pytest.raises(Crash):
        world.tick()
    world.outside.doomed = Hooks()
    with site_of(world, world.outside) as site:
        (held,) = site.store.due.open_plans(site.store.campaigns.required())
        site.store.steering.give(held, Order(OrderKind.PAUSE, "ann", site.now()))
    world.target.behaviour = HologramBehaviour(poison=frozenset(cards[2:5]))
    world.hand_in_pairs("second.csv", zip(olds[2:5], cards[2:5], strict=True))
    world.wait(DAY_S)
    world.tick()
    with site_of(world, world.outside) as site:
        site.store.steering.withdraw(held, by="ann", now=site.now())
    world.wait(DAY_S)
    ticked = world.tick()
    assert (ticked.exit_code, world.claims()) == (ExitCode.HALTED, 0)
    assert [one.words for one in ticked.held if one.exit_code is ExitCode.HALTED] == [
        "of the newest 20 units more than 2 failed: nothing more is claimed"
    ]
    with site_of(world, world.outside) as site:
        resume_campaign(site, by="ann")
    world.tick()
    assert world.claims() == 2


# --- cards that stay pending --------------------------------------------------------------------------------------


def test_cards_that_stay_pending_are_waited_for_once_a_tick_however_many_plans_they_are_of(tmp_path: Path) -> None:
    cards = new_sims(3)
    world = CampaignWorld(tmp_path, sims=14, seed=3, behaviour=HologramBehaviour(stuck=frozenset(cards)))
    world.began()
    for old, card in zip(world.on(), cards, strict=False):
        world.hand_in_pairs(f"{card}.csv", [(old, card)])
        world.tick()
        world.wait(3600)
    began_s = world.elapsed_s
    assert world.tick().exit_code is ExitCode.RESUMABLE
    assert world.claims() == len(cards)
    assert 100 < world.elapsed_s - began_s < 200, "two minutes for all three"


# --- a fleet whose stages take long -------------------------------------------------------------------------------


def test_a_call_of_long_stages_is_taken_for_dead_by_no_other_machine(tmp_path: Path) -> None:
    """Exceptions, report and handover send nothing, and so nothing renewed the lease meanwhile."""
    world = CampaignWorld(tmp_path, sims=14, seed=3)
    world.began()
    silent_s = list[float]()

    def stage_takes_long(event: str, _values: Any) -> None:
        if event != "campaign_stage":
            return
        with world.store() as store:
            held = store.lease.holder()
        assert held is not None
        silent_s.append(world.now().timestamp() - held[1])
        world.wait(EXPIRY_S - 10)

    world.tick(stage_takes_long)
    assert len(silent_s) == len(STAGES)
    assert max(silent_s) < EXPIRY_S - 10
