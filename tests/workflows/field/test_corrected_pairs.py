"""Corrections after the claim: the claim stays with its card, and nothing is charged twice or put on a wrong card."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import Pair
from migrator.core.plan.plan import Action
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind
from migrator.engine.cutover.context import CutoverOptions
from migrator.engine.run.context import ApplyOptions
from migrator.errors import InputError, StalePlan
from migrator.workflows.cutover.make import stale_reasons
from migrator.workflows.report import reconciliation
from tests.store.store_kit import SENT, header_for
from tests.worlds.corrected import CorrectedWorld
from tests.worlds.world import Crash, crash_at


@pytest.fixture
def fleet(tmp_path: Path) -> CorrectedWorld:
    """A migrated fleet; nothing passes data yet."""
    world = CorrectedWorld(tmp_path, sims=12)
    world.migrated(silent=12)
    return world


def ring(world: CorrectedWorld, count: int) -> dict[str, str]:
    """The cards of the first old SIMs, each in the unit of the next."""
    olds, news = world.on()[:count], world.pairs()
    return {old: news[olds[at - 1]] for at, old in enumerate(olds)}


def charges(world: CorrectedWorld) -> dict[str, int]:
    return dict(world.target.ledger.charges)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_cards_that_were_put_in_crosswise_are_renamed_cut_over_and_never_claimed_again(
    fleet: CorrectedWorld, count: int
) -> None:
    """Two that were swapped, and rings."""
    before, crossed = charges(fleet), ring(fleet, count)
    kept = fleet.corrected(crossed)
    assert (len(kept.versions), kept.left_without, kept.without_unit) == (count, (), ())
    assert {old: fleet.pairs()[old] for old in crossed} == crossed
    header = fleet.plan()
    assert header.claims == 0
    assert {fleet.actions(header)[old] for old in crossed} == {"UPDATE"}
    assert fleet.apply_until_quiet().exit_code is ExitCode.DONE
    fleet.check_fulfilled()
    assert charges(fleet) == before
    for old, new in crossed.items():
        assert fleet.name_of(new) == fleet.planned_name(header, old)
        fleet.seen_in(new, old)
    cutover = fleet.cutover_plan()
    assert set(crossed) <= fleet.meant(cutover)
    fleet.may_go_off = fleet.off() | set(crossed)
    assert fleet.cut_over().exit_code is ExitCode.DONE
    assert set(crossed) <= fleet.off()


def test_the_cards_of_a_correction_do_not_qualify_in_the_units_that_they_are_not_in(fleet: CorrectedWorld) -> None:
    one, other = fleet.on()[:2]
    news = fleet.pairs()
    fleet.seen_in(news[one], other)
    fleet.seen_in(news[other], one)
    fleet.corrected({one: news[other], other: news[one]})
    fleet.plan()
    fleet.apply_until_quiet()
    assert {one, other} <= fleet.meant(fleet.cutover_plan())


def test_an_old_sim_that_is_left_without_may_get_a_card_of_its_own_and_only_one(fleet: CorrectedWorld) -> None:
    taker, giver = fleet.on()[:2]
    news, before = fleet.pairs(), charges(fleet)
    kept = fleet.corrected({taker: news[giver]}, reason="its first card is lost")
    assert [str(one) for one in kept.left_without] == [giver]
    assert [str(one) for one in kept.without_unit] == [news[taker]]
    header = fleet.plan()
    assert (header.claims, fleet.actions(header)[giver], fleet.actions(header)[taker]) == (0, "BLOCK", "UPDATE")
    fleet.apply_until_quiet()
    assert charges(fleet) == before
    spare = fleet.spare()
    fleet.paired_with(giver, spare)
    header = fleet.plan()
    assert (header.claims, fleet.actions(header)[giver]) == (1, "CLAIM")
    fleet.apply_until_quiet()
    fleet.check_fulfilled()
    assert charges(fleet) == {**before, spare: 1}
    assert fleet.plan().claims == 0
    another = Pair(Iccid.parse(giver), Iccid.parse(fleet.spare(2)), "again.csv:2")
    with fleet.store() as store, pytest.raises(InputError, match="pairs of migrated SIMs cannot be replaced"):
        store.pairs.add([another], replace=True, now=fleet.now().timestamp())


def test_a_card_that_was_claimed_is_not_claimed_for_another_even_where_the_carrier_hides_it(
    fleet: CorrectedWorld,
) -> None:
    """Nobody sees it as ours for a while: then the plan waits, and a claim of it would not leave."""
    taker, giver = fleet.on()[:2]
    card, before = fleet.pairs()[giver], charges(fleet)
    fleet.corrected({taker: card}, reason="its first card is lost")
    link = fleet.target.sims[card]
    hidden: Any = (link.device_id, link.org_id)
    nothing: Any = None
    link.device_id, link.org_id = nothing, nothing
    header = fleet.plan()
    assert (header.claims, fleet.actions(header)[taker]) == (0, "BLOCK")
    link.device_id, link.org_id = hidden
    assert fleet.plan().claims == 0
    fleet.apply_until_quiet()
    assert charges(fleet) == before


def test_a_card_that_left_its_unit_is_adopted_by_whoever_gets_it_later(fleet: CorrectedWorld) -> None:
    one, other = fleet.on()[:2]
    news, before = fleet.pairs(), charges(fleet)
    spare = fleet.spare()
    fleet.corrected({one: spare}, reason="the first card is broken")
    header = fleet.plan()
    assert header.claims == 1
    fleet.apply_until_quiet()
    fleet.corrected({other: news[one]}, reason="and was put in here")
    assert fleet.plan().claims == 0
    fleet.apply_until_quiet()
    fleet.check_fulfilled()
    assert charges(fleet) == {**before, spare: 1}


def test_a_correction_that_is_taken_back_claims_nothing_either(fleet: CorrectedWorld) -> None:
    one, other = fleet.on()[:2]
    news, before = fleet.pairs(), charges(fleet)
    fleet.corrected({one: news[other], other: news[one]})
    fleet.plan()
    fleet.apply_until_quiet()
    fleet.corrected({one: news[one], other: news[other]})
    header = fleet.plan()
    assert (header.claims, fleet.actions(header)[one]) == (0, "UPDATE")
    fleet.apply_until_quiet()
    fleet.check_fulfilled()
    assert charges(fleet) == before
    with fleet.store() as store:
        versions = store.story.versions(Iccid.parse(one).key, None)
        assert [(v.version, v.was_target_iccid, v.target_iccid, v.corrected_by) for v in versions] == [
            (2, news[one], news[other], "ann@desk"),
            (3, news[other], news[one], "ann@desk"),
        ]
        assert store.corrections.taken_away([Iccid.parse(one).key]) == {
            Iccid.parse(one).key: frozenset({Iccid.parse(news[other]).key})
        }


# --- plans that were begun with the old pairs ----------------------------------------------------------------------


def test_a_begun_plan_leaves_corrected_sims_alone_and_says_so(tmp_path: Path) -> None:
    """It must not write a unit's old name and limits to a card that is another unit's now."""
    world = CorrectedWorld(tmp_path, sims=12)
    world.ready()
    world.apply(options=ApplyOptions(max_sims=8))
    with world.store() as store:
        old_plan = store.plans.newest() or ""
        claimed = [item.change for item in store.journal.items(old_plan) if item.target is not None]
    one, other = [str(change.source_iccid) for change in claimed if change.state == "live"][:2]
    news, before = world.pairs(), charges(world)
    kept = world.corrected({one: news[other], other: news[one]})
    assert (kept.set_aside, kept.plans) == (2, (old_plan,))
    header = world.plan()
    world.apply_until_quiet()
    names = {new: world.name_of(new) for new in news.values()}
    with world.store() as store:
        assert store.plans.differences(old_plan) == []  # it may go on with the others
        assert store.journal.verdicts(old_plan)["ok"] <= len(claimed) - 2
    world.apply(plan_id=old_plan)
    assert {new: world.name_of(new) for new in news.values()} == names
    assert world.name_of(news[one]) == world.planned_name(header, other)
    assert {new: times for new, times in charges(world).items() if new in before} == before
    world.check()
    with world.store() as store:
        rows = {row.source_iccid: row for row in reconciliation(store, old_plan, now=world.now().timestamp()).rows()}
    assert (rows[one].bucket, rows[one].code) == ("skipped", "pair_corrected")
    assert news[other] in rows[one].detail


def test_a_plan_that_was_not_begun_is_stale_after_a_correction(fleet: CorrectedWorld) -> None:
    header = fleet.plan()
    fleet.corrected(ring(fleet, 2))
    with fleet.store() as store:
        if store.plans.state(header.plan_id) == "created":
            assert any("its pair was changed" in line for line in store.plans.differences(header.plan_id))
        else:
            pytest.fail("the plan was begun")


# --- cutovers and rollbacks ---------------------------------------------------------------------------------------


def test_a_cutover_plan_of_before_a_correction_is_stale(fleet: CorrectedWorld) -> None:
    crossed = ring(fleet, 2)
    for old, new in fleet.pairs().items():
        if old in crossed:
            fleet.seen_in(new, old)
    cutover = fleet.cutover_plan()
    assert set(crossed) <= fleet.meant(cutover)
    fleet.corrected(crossed)
    with fleet.store() as store:
        reasons = stale_reasons(store, cutover)
    assert all(any(old in line and "corrected" in line for line in reasons) for old in crossed)
    fleet.may_go_off = fleet.off()
    result = fleet.cut_over()  # past the refusal, the run itself looks again
    assert result.exit_code is ExitCode.ATTENTION
    assert dict(result.aside) == {"pair_corrected": 2}


def test_the_way_back_of_a_corrected_unit_pauses_the_card_that_is_in_it(fleet: CorrectedWorld) -> None:
    """The plan of then would pause the card of another unit."""
    one, other = fleet.on()[:2]
    news = fleet.pairs()
    for old in (one, other):
        fleet.seen_in(news[old], old)
    fleet.cutover_plan()
    assert fleet.cut_over().exit_code is ExitCode.DONE
    assert {one, other} <= fleet.off()
    fleet.corrected({one: news[other], other: news[one]})
    back = fleet.rollback_plan(listed={Iccid.parse(one).key})
    assert fleet.meant(back) == set()
    fleet.plan()
    fleet.apply_until_quiet()
    back = fleet.rollback_plan(listed={Iccid.parse(one).key})
    assert fleet.meant(back) == {one}
    fleet.roll_back(options=CutoverOptions(wait_s=86_400))
    assert fleet.old_state(one) == "Enabled"
    assert (fleet.target.sims[news[other]].state, fleet.target.sims[news[one]].state) == ("PAUSED-USER", "LIVE")


def test_a_rollback_of_before_a_correction_pauses_no_card_of_another_unit(fleet: CorrectedWorld) -> None:
    crossed, news = ring(fleet, 2), fleet.pairs()
    for old in crossed:
        fleet.seen_in(news[old], old)
    fleet.cutover_plan()
    fleet.cut_over()
    back = fleet.rollback_plan()
    fleet.corrected(crossed)
    with fleet.store() as store:
        assert sum("corrected" in line for line in stale_reasons(store, back)) == 2
    fleet.roll_back(options=CutoverOptions(wait_s=86_400))  # past the refusal, the run itself looks again
    assert {fleet.target.sims[new].state for new in crossed.values()} == {"LIVE"}


def test_no_proof_of_life_holds_a_card_against_the_unit_that_it_is_not_in(fleet: CorrectedWorld) -> None:
    crossed = ring(fleet, 2)
    for old, new in crossed.items():
        fleet.seen_in(new, old)
    assert set(crossed) <= set(fleet.proves_life())
    fleet.corrected(crossed)
    assert not set(crossed) & set(fleet.proves_life())
    fleet.plan()
    fleet.apply_until_quiet()
    assert set(crossed) <= set(fleet.proves_life())


def test_nothing_is_corrected_while_a_cutover_of_either_sim_is_open(fleet: CorrectedWorld) -> None:
    crossed, news = ring(fleet, 2), fleet.pairs()
    for old in crossed:
        fleet.seen_in(news[old], old)
    fleet.cutover_plan()
    with pytest.raises(Crash):
        fleet.cut_over(hooks=crash_at("after_intent", 1))
    with pytest.raises(InputError) as caught:
        fleet.corrected(crossed)
    assert caught.value.code == "switch_open"
    assert "cutover apply" in caught.value.hint
    assert fleet.pairs() == news
    fleet.cut_over()
    fleet.corrected(crossed)
    assert {old: fleet.pairs()[old] for old in crossed} == crossed


def test_nothing_is_corrected_while_a_rollback_of_either_sim_is_open(fleet: CorrectedWorld) -> None:
    crossed, news = ring(fleet, 2), fleet.pairs()
    for old in crossed:
        fleet.seen_in(news[old], old)
    fleet.cutover_plan()
    fleet.cut_over()
    fleet.rollback_plan()
    with pytest.raises(Crash):
        fleet.roll_back(hooks=crash_at("after_effect", 1))
    with pytest.raises(InputError) as caught:
        fleet.corrected(crossed)
    assert caught.value.code == "switch_open"
    assert fleet.pairs() == news


def test_a_cutover_of_other_sims_is_in_nobodys_way(fleet: CorrectedWorld) -> None:
    olds, news = fleet.on(), fleet.pairs()
    fleet.seen_in(news[olds[-1]], olds[-1])
    fleet.cutover_plan()
    with pytest.raises(Crash):
        fleet.cut_over(hooks=crash_at("after_intent", 1))
    assert len(fleet.corrected(ring(fleet, 2)).versions) == 2


# --- refusals -----------------------------------------------------------------------------------------------------


def test_a_card_that_a_begun_plan_still_has_to_claim_is_not_moved(tmp_path: Path) -> None:
    world = CorrectedWorld(tmp_path, sims=12)
    world.ready()
    world.apply(options=ApplyOptions(max_sims=6))
    with world.store() as store:
        waiting = next(
            str(one.change.source_iccid) for one in store.journal.items(store.plans.newest() or "") if one.awaits_claim
        )
        done = next(
            str(one.change.source_iccid) for one in store.journal.items(store.plans.newest() or "") if one.target
        )
    news = world.pairs()
    with pytest.raises(InputError) as caught:
        world.corrected({waiting: news[done], done: news[waiting]})
    assert caught.value.code == "pair_in_use"
    assert world.pairs() == news


def test_a_claim_without_an_answer_is_settled_before_its_pair_is_corrected(tmp_path: Path) -> None:
    world = CorrectedWorld(tmp_path, sims=12)
    world.ready()
    with pytest.raises(Crash):
        world.apply(hooks=crash_at("after_effect", 1, StepKind.CLAIM))
    with world.store() as store:
        items = store.journal.items(store.plans.newest() or "")
        flying = next(str(one.change.source_iccid) for one in items if one.state_of(StepKind.CLAIM).is_in_doubt)
    news = world.pairs()
    other = next(old for old in world.on() if old != flying)
    crossed = {flying: news[other], other: news[flying]}
    with pytest.raises(InputError) as caught:
        world.corrected(crossed)
    assert caught.value.code == "in_doubt"
    assert world.pairs() == news
    world.apply_until_quiet()
    assert len(world.corrected(crossed).versions) == 2


def test_a_paid_card_is_not_left_without_a_unit_for_no_reason(fleet: CorrectedWorld) -> None:
    one, other = fleet.on()[:2]
    news = fleet.pairs()
    with pytest.raises(InputError) as caught:
        fleet.corrected({one: news[other]})
    assert caught.value.code == "two_cards"
    assert "found.csv:2" in caught.value.message
    assert fleet.pairs() == news
    fleet.corrected({one: news[other]}, reason="its first card is lost")
    assert fleet.pairs()[one] == news[other]


def test_a_sim_that_is_named_twice_is_refused(fleet: CorrectedWorld) -> None:
    one, other = fleet.on()[:2]
    card = fleet.pairs()[one]
    with pytest.raises(InputError, match="named in two"):
        fleet.corrected({one: card, other: card})


def test_a_claim_of_a_card_that_is_booked_to_another_does_not_leave(fleet: CorrectedWorld) -> None:
    """The last guard: in the transaction of the intent, whatever a plan says."""
    taker, giver = fleet.on()[:2]
    card = fleet.pairs()[giver]
    fleet.corrected({taker: card}, reason="lost")
    key = Iccid.parse(taker).key
    with fleet.store() as store:
        change = store.plans.change(store.plans.newest() or "", Iccid.parse(taker))
        assert change is not None
        wrong = replace(change, action=Action.CLAIM, target_iccid=Iccid.parse(card))
        now = fleet.now().timestamp()
        with store.plans.draft(now) as draft:
            draft.add([wrong])
            draft.finish(lambda sha256: header_for(store, [wrong], sha256, plan_id="wrong"))
        run_id = store.journal.start_run("wrong", "test", now)
        with pytest.raises(StalePlan) as caught:
            store.journal.begin(run_id, StepKind.CLAIM, [key], SENT, wave=wrong.wave, now=now)
    assert caught.value.code == "claimed_by_another_plan"
