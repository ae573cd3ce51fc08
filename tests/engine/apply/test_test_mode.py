"""New SIMs in Test Mode on our organization: blocked, waited for, or made live by a claim, as the policy says."""

from dataclasses import replace
from datetime import timedelta
from itertools import chain
from pathlib import Path

import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import LinkState, TargetLink
from migrator.core.plan.plan import Reason
from migrator.core.plan.staged import StagedEnds, staged_ends
from migrator.core.run.results import ExitCode
from migrator.store import Store
from tests.worlds.world import POLICY, Crash, World, crash_at, new_sims

QUICK = HologramBehaviour(claim_pending_s=(0.0, 0.0), state_pending_s=(0.0, 0.0))
SIMS = 6
TESTED = new_sims(SIMS)[1::2]
FREE = new_sims(SIMS)[0::2]


def world_of(tmp_path: Path, mode: str, *, waves: bool = False, **behaviour: object) -> World:
    """Every second new SIM is in Test Mode."""
    policy = POLICY.replace('zone = "global"', f'zone = "global"\ntest_mode = "{mode}"')
    if waves:
        policy = policy.replace(
            '[[waves]]\nname = "all"', '[[waves]]\nname = "canary"\ncount = 2\n[[waves]]\nname = "rest"'
        )
    world = World(tmp_path, sims=SIMS, policy_text=policy, behaviour=replace(QUICK, **behaviour))  # type: ignore[arg-type]
    world.pull()
    world.target.stock(FREE)
    world.target.stock_test_mode(TESTED)
    world.pair(new_sims(SIMS))
    world.plan()
    return world


def claimed(world: World) -> list[str]:
    """The SIMs that claims named, each time that one did."""
    return [iccid for _at, sims in world.claims_sent() for iccid in sims]


def as_planned(world: World) -> None:
    """Every SIM shows its name, limit, tag and state, and was charged once."""
    world.check_fulfilled()
    assert dict(world.target.ledger.charges) == dict.fromkeys(new_sims(SIMS), 1)


def test_a_policy_that_says_nothing_leaves_them_to_a_person(tmp_path: Path) -> None:
    world = world_of(tmp_path, "block")
    assert world.apply().exit_code is ExitCode.ATTENTION
    assert sorted(claimed(world)) == FREE


# --- they are waited for ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_claimable", [True, False])
def test_they_are_set_up_once_they_are_live_and_never_claimed(tmp_path: Path, *, is_claimable: bool) -> None:
    """Whatever a claim would do: none is sent."""
    world = world_of(tmp_path, "adopt_when_live", test_mode_claimable=is_claimable)
    began = world.now()
    first = world.apply()
    assert (first.exit_code, first.verdicts["staged"], first.verdicts["ok"]) == (ExitCode.RESUMABLE, 3, 3)
    assert "3 of its SIMs" in first.reason
    assert (world.now() - began).total_seconds() < 60  # nobody waits for what may take a year
    world.wait(86400.0)
    world.target.end_test_mode(TESTED[:1])
    second = world.apply()
    assert (second.exit_code, second.verdicts["staged"]) == (ExitCode.RESUMABLE, 2)
    assert world.target.sims[TESTED[0]].overage_limit != -1
    assert {world.target.sims[iccid].overage_limit for iccid in TESTED[1:]} == {-1}
    world.target.end_test_mode(TESTED[1:])
    assert world.apply().exit_code is ExitCode.DONE
    assert sorted(claimed(world)) == FREE
    as_planned(world)


def test_what_waits_does_not_hold_the_next_wave(tmp_path: Path) -> None:
    world = world_of(tmp_path, "adopt_when_live", waves=True)
    result = world.apply()
    assert (result.verdicts["ok"], result.verdicts["staged"]) == (3, 3)
    assert sorted(claimed(world)) == FREE


def test_one_that_goes_live_while_the_run_is_dead_is_set_up_by_the_next(tmp_path: Path) -> None:
    world = world_of(tmp_path, "adopt_when_live")
    with pytest.raises(Crash):
        world.apply(hooks=crash_at("after_effect", 1))
    world.target.end_test_mode(TESTED)
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    as_planned(world)


def test_the_end_is_kept_from_the_record_and_warned_of_when_it_is_near(tmp_path: Path) -> None:
    """At planning, while they wait, and until the day itself; then they are live, and set up."""
    world = World(
        tmp_path,
        sims=SIMS,
        policy_text=POLICY.replace('zone = "global"', 'zone = "global"\ntest_mode = "adopt_when_live"'),
        behaviour=QUICK,
    )
    world.pull()
    world.target.stock(FREE)
    world.target.stock_test_mode(TESTED[:1], ends_in=timedelta(days=20))
    world.target.stock_test_mode(TESTED[1:], ends_in=timedelta(days=30))
    world.pair(new_sims(SIMS))
    header = world.plan()
    first = (world.target.now.replace(microsecond=0) + timedelta(days=20)).date().isoformat()
    with world.store() as store:
        details = [change.detail for change in store.plans.changes(header.plan_id) if change.reason is Reason.STAGED]
        assert sum(f"its Test Mode ends at {first}T" in detail for detail in details) == 1
        assert sum("its Test Mode ends at" in detail for detail in details) == len(TESTED)
        assert not [words for words in header.summary["warnings"] if "Test Mode" in words]
    world.apply()
    assert ends_of(world, header.plan_id).soon == 0
    world.wait(7 * 86400.0)
    near = ends_of(world, header.plan_id)
    assert (near.sims, near.soon, near.first[:10]) == (3, 1, first)
    assert "within 14 days: 1, the first at " + first in str(near.warning())
    again = world.plan()
    assert [words for words in again.summary["warnings"] if "within 14 days: 1" in words]
    world.wait(25 * 86400.0)
    assert {world.target.sims[iccid].state for iccid in TESTED} == {"LIVE"}
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    as_planned(world)
    with world.store() as store:
        assert not store.journal.test_ends(again.plan_id)


def ends_of(world: World, plan_id: str) -> StagedEnds:
    with world.store() as store:
        ends = staged_ends(store.journal.test_ends(plan_id), world.now().timestamp())
    assert ends is not None
    return ends


def test_a_look_that_does_not_tell_the_end_leaves_it_as_it_was(tmp_path: Path) -> None:
    """A look-up by ICCID names no end; one that tells another end counts."""
    link = TargetLink(Iccid.parse(TESTED[0]), 1, 7, 8, LinkState.TEST, "TEST-ACTIVATE")
    with Store.open(f"sqlite:///{tmp_path}/s.db", now=0.0) as store:
        told = []
        for now, end in enumerate(("2026-12-01", None, "2026-12-02")):
            store.journal.observed([replace(link, test_ends_at=end)], (), now=now)
            told.append(kept_end(store, link))
        store.journal.observed([replace(link, state=LinkState.LIVE)], (), now=4.0)
        assert (told, kept_end(store, link)) == (["2026-12-01", "2026-12-01", "2026-12-02"], None)


def kept_end(store: Store, link: TargetLink) -> str | None:
    found = store.story.link(link.iccid.key)
    assert found is not None
    assert found[0] is not None
    return found[0].test_ends_at


# --- a claim makes them live ------------------------------------------------------------------------------------------


def test_one_goes_first_and_the_others_once_it_is_live(tmp_path: Path) -> None:
    world = world_of(tmp_path, "activate", test_mode_claimable=True)
    assert world.apply().exit_code is ExitCode.DONE
    of_tested = [list(sims) for _at, sims in world.claims_sent() if not set(sims).isdisjoint(TESTED)]
    assert [len(sims) for sims in of_tested] == [1, 2]
    assert sorted(chain(*of_tested)) == TESTED
    assert sorted(claimed(world)) == new_sims(SIMS)
    as_planned(world)
    assert world.target.ledger.forbidden == []


def test_where_a_claim_is_refused_no_other_is_sent_for_them(tmp_path: Path) -> None:
    """The other edition of the vendor's page. SIMs that are in no Test Mode are claimed all the same."""
    world = world_of(tmp_path, "activate", test_mode_claimable=False)
    for _ in range(3):
        result = world.apply()
        assert result.exit_code is ExitCode.HALTED
        assert "Preflight SIM" in result.reason
    assert set(FREE) < set(claimed(world))
    assert len(claimed(world)) == len(FREE) + 1
    assert set(world.target.ledger.charges) == set(FREE)


def test_where_the_first_one_goes_live_on_another_plan_no_other_is_claimed(tmp_path: Path) -> None:
    world = world_of(tmp_path, "activate", test_mode_claimable=True, test_mode_keeps_plan=1850)
    for _ in range(2):
        result = world.apply()
        assert result.exit_code is ExitCode.HALTED
        assert "1850" in result.reason
    assert len(set(claimed(world)) & set(TESTED)) == 1


def test_the_first_one_is_waited_for_while_hologram_moves_it(tmp_path: Path) -> None:
    world = world_of(tmp_path, "activate", test_mode_claimable=True, claim_pending_s=(200.0, 200.0))
    world.apply_until_quiet()
    first, second = [at_s for at_s, sims in world.claims_sent() if sims[0] in TESTED]
    assert second - first >= 200.0
    as_planned(world)


@pytest.mark.share(2)
@pytest.mark.parametrize("fault", [Fault.LOSE_BEFORE, Fault.LOSE_AFTER, Fault.LATE])
@pytest.mark.parametrize("point", [None, "after_intent", "after_effect", "after_outcome"])
def test_a_lost_claim_of_the_first_one_is_settled_before_any_other(
    tmp_path: Path, fault: Fault, point: str | None
) -> None:
    world = world_of(tmp_path, "activate", test_mode_claimable=True)

    def is_of_tested(method: str, path: str) -> bool:
        return method == "POST" and path.endswith("bulkclaim") and len(world.claims_sent()) >= 1

    world.target.faults = FaultPlan(scripted=[fault], scripted_for=is_of_tested)
    if point is not None:
        with pytest.raises(Crash):
            world.apply(hooks=crash_at(point, 2))
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    as_planned(world)
