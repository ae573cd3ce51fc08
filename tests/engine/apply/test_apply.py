"""`apply` against the simulated carrier, on a virtual clock."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour, MixedClaims, ReplyEdition
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.plan.plan import Action
from migrator.core.run.results import ExitCode
from migrator.engine.run.context import ApplyOptions
from tests.worlds.world import POLICY, Crash, World, crash_at, new_sims


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def writes(world: World) -> int:
    return sum(entry.method != "GET" for entry in world.target.ledger.entries)


def is_claim(method: str, path: str) -> bool:
    return method == "POST" and path.endswith("bulkclaim")


def claims_faulted(*faults: Fault) -> FaultPlan:
    return FaultPlan(scripted=faults, scripted_for=is_claim)


def test_a_fleet_is_claimed_once_and_ends_as_planned(world: World) -> None:
    header = world.ready()
    result = world.apply()
    assert result.exit_code is ExitCode.DONE
    assert len(world.target.ledger.charges) == header.claims
    world.check_fulfilled()


def test_a_second_apply_sends_no_write(world: World) -> None:
    world.ready()
    world.apply()
    before = writes(world)
    assert world.apply().exit_code is ExitCode.DONE
    assert writes(world) == before


def test_planning_again_after_a_full_apply_changes_nothing(world: World) -> None:
    world.ready()
    world.apply()
    counts = world.plan().counts
    assert set(counts) <= {Action.NO_OP.value, Action.SKIP.value}


@pytest.mark.parametrize("edition", list(ReplyEdition))
def test_every_edition_of_the_replies_leads_to_the_same_end(tmp_path: Path, edition: ReplyEdition) -> None:
    world = World(tmp_path, behaviour=HologramBehaviour(edition=edition))
    world.ready()
    assert world.apply().exit_code is ExitCode.DONE
    world.check_fulfilled()


@pytest.mark.parametrize(
    "fault",
    [
        Fault.LOSE_BEFORE,
        Fault.LOSE_AFTER,
        Fault.HANG_BEFORE,
        Fault.HANG_AFTER,
        Fault.SERVER_ERROR_BEFORE,
        Fault.SERVER_ERROR_AFTER,
        Fault.HTML,
        Fault.HTML_OK,
        Fault.TOO_MANY,
        Fault.TOO_MANY_SILENT,
    ],
)
def test_a_claim_whose_answer_is_lost_is_settled_by_reading(tmp_path: Path, fault: Fault) -> None:
    world = World(tmp_path, faults=claims_faulted(fault))
    world.ready()
    assert world.apply().exit_code is ExitCode.DONE
    world.check_fulfilled()


def test_a_carrier_in_maintenance_ends_the_run_so_that_it_goes_on_later(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.ready()
    world.target.faults = FaultPlan(rates={Fault.HTML_OK: 1.0})
    result = world.apply()
    assert result.exit_code is ExitCode.RESUMABLE
    assert "maintenance" in result.hint
    assert world.claims_sent() == []
    world.target.faults = FaultPlan()
    assert world.apply().exit_code is ExitCode.DONE
    world.check_fulfilled()


def test_a_lost_claim_is_not_sent_again_before_the_lag_has_passed(tmp_path: Path) -> None:
    """The reads lag 40 s behind: absent at first, and yet claimed."""
    world = World(tmp_path, behaviour=HologramBehaviour(read_lag_s=40.0), faults=claims_faulted(Fault.LOSE_AFTER))
    world.ready()
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    assert len(world.claims_sent()) == 1
    world.check_fulfilled()


class _OneBadRead(FaultPlan):
    """Nothing is seen of a claim for some seconds, nor by the first read after these; every later read is right."""

    def __init__(self, world: World, seconds: float) -> None:
        FaultPlan.__init__(self, scripted=[Fault.LOSE_AFTER], scripted_for=lambda _method, path: "bulkclaim" in path)
        self._world, self._seconds, self.bad_at_s = world, seconds, 0.0

    def next(self, method: str, path: str) -> Fault:
        target, claims = self._world.target, self._world.claims_sent()
        is_read = method == "GET" and claims and path.endswith(("/links/cellular", "/devices"))
        if is_read:
            passed_s = target._clock.now_s() - claims[0][0]
            is_bad = passed_s >= self._seconds and self.bad_at_s in {0.0, passed_s}
            self.bad_at_s = passed_s if is_bad else self.bad_at_s
            lag_s = 86_400.0 if is_bad or passed_s < self._seconds else 0.0
            target.behaviour = replace(target.behaviour, read_lag_s=lag_s)
        return FaultPlan.next(self, method, path)


def test_one_read_that_shows_nothing_sends_no_claim_again(tmp_path: Path) -> None:
    """A replica that fell behind at the moment when the lag is over; the next read shows all as claimed."""
    world = World(tmp_path)
    waited_s = world.options.claim_timeout_s + world.options.absent_after_s
    world.ready()
    world.target.faults = faults = _OneBadRead(world, waited_s)
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    assert faults.bad_at_s >= waited_s
    assert len(world.claims_sent()) == 1
    world.check_fulfilled()


def test_a_claim_that_never_arrived_is_sent_again_only_after_a_minute(tmp_path: Path) -> None:
    world = World(tmp_path, faults=claims_faulted(Fault.LOSE_BEFORE))
    world.ready()
    world.apply()
    (first, _), (second, _) = world.claims_sent()
    assert second - first >= 60


@pytest.mark.parametrize("point", ["after_intent", "after_effect", "after_outcome"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_process_that_dies_between_intent_and_outcome_is_resumed(tmp_path: Path, point: str, count: int) -> None:
    world = World(tmp_path)
    world.ready()
    with pytest.raises(Crash):
        world.apply(hooks=crash_at(point, count))
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    world.check_fulfilled()


@pytest.mark.parametrize("policy", list(MixedClaims))
def test_a_claim_that_partly_fails_charges_the_good_once_and_names_the_bad(tmp_path: Path, policy: MixedClaims) -> None:
    world = World(tmp_path, behaviour=HologramBehaviour(claim_policy=policy))
    world.pull()
    targets = new_sims(world.sims)
    world.target.stock(targets[2:])
    world.target.stock_foreign(targets[:2])
    world.pair(targets)
    header = world.plan()
    result = world.apply_until_quiet()
    assert result.exit_code is ExitCode.ATTENTION
    good = header.claims - 2
    assert len(world.target.ledger.charges) == good
    assert result.verdicts.get("ok") == good
    assert sum(result.failed.values()) == 2
    world.check()


@pytest.mark.parametrize("status", [200, 400, 409, 422])
def test_a_poisoned_claim_is_halved_down_to_the_sim_that_is_meant(tmp_path: Path, status: int) -> None:
    bad = "8944500000000000005"
    behaviour = HologramBehaviour(poison=frozenset({bad}), claim_failure_status=status)
    world = World(tmp_path, behaviour=behaviour)
    world.ready()
    result = world.apply_until_quiet()
    assert result.exit_code is ExitCode.ATTENTION
    assert bad not in world.target.ledger.charges
    assert sum(result.failed.values()) == 1
    world.check()


def test_too_little_balance_stops_before_anything_is_sent(world: World) -> None:
    world.ready()
    world.target.balance = Decimal(0)
    result = world.apply()
    assert result.exit_code is ExitCode.HALTED
    assert world.claims_sent() == []
    assert "balance" in result.reason


def test_a_balance_for_the_first_wave_alone_is_too_little_for_the_plan(tmp_path: Path) -> None:
    """Half a fleet claimed and no money for the rest is no place to be; --max-sims is how to do less."""
    world = World(tmp_path, options=ApplyOptions(claim_batch=4))
    world.ready()
    world.target.balance = Decimal(5)
    assert world.apply().exit_code is ExitCode.HALTED
    assert world.claims_sent() == []
    assert world.apply(options=ApplyOptions(claim_batch=4, max_sims=4)).exit_code is ExitCode.HALTED
    assert len(world.target.ledger.charges) == 4


def test_a_balance_that_vanishes_under_a_claim_halts_the_run_with_nothing_marked_failed(world: World) -> None:
    """The carrier's wording says nothing of money here; the balance itself tells."""
    world.behaviour = HologramBehaviour(insufficient_text="The order could not be placed")
    world.target.behaviour = world.behaviour
    world.ready()
    world.target.faults = FaultPlan(scripted=(), spare=lambda _m, _p: True)
    original = world.target.balance

    class Vanishing(FaultPlan):
        def next(self, method: str, path: str) -> Fault:
            if is_claim(method, path):
                world.target.balance = Decimal(0)
            return Fault.NONE

    world.target.faults = Vanishing()
    result = world.apply()
    assert result.exit_code is ExitCode.HALTED
    assert result.failed == {}
    world.target.balance, world.target.faults = original, FaultPlan()
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    world.check_fulfilled()


def test_invoiced_organizations_have_no_balance_and_go_on(world: World) -> None:
    world.ready()
    world.target.balance = None
    assert world.apply().exit_code is ExitCode.DONE


def test_a_cap_on_money_that_cannot_be_checked_is_told(tmp_path: Path) -> None:
    world = World(tmp_path, behaviour=HologramBehaviour(plan_prices_shown=False))
    header = world.ready()
    assert any("cannot be checked without a price" in words for words in header.summary["warnings"])
    told: list[str] = []
    assert world.apply(progress=lambda event, _values: told.append(event)).exit_code is ExitCode.DONE
    assert told.count("no_price") == 1


def test_a_cap_on_money_that_cannot_be_checked_stops_the_run_where_the_policy_says_so(tmp_path: Path) -> None:
    policy = f'{POLICY}[caps]\nwithout_price = "stop"\n'
    world = World(tmp_path, behaviour=HologramBehaviour(plan_prices_shown=False), policy_text=policy)
    world.ready()
    result = world.apply()
    assert result.exit_code is ExitCode.HALTED
    assert "without_price" in result.hint
    assert world.claims_sent() == []
    world.target.behaviour = HologramBehaviour()
    assert world.apply().exit_code is ExitCode.DONE


def test_a_key_that_may_not_claim_ends_with_exit_4_and_nothing_failed(world: World) -> None:
    world.ready()
    world.target.behaviour = HologramBehaviour(permissions=frozenset({"billing_visible"}))
    result = world.apply()
    assert result.exit_code is ExitCode.REFUSED
    assert (result.failed, world.claims_sent()) == ({}, [])


def test_max_sims_claims_that_many_and_the_next_run_goes_on(world: World) -> None:
    header = world.ready()
    first = world.apply(options=ApplyOptions(max_sims=5))
    assert first.exit_code is ExitCode.HALTED
    assert len(world.target.ledger.charges) == 5
    assert world.apply().exit_code is ExitCode.DONE
    assert len(world.target.ledger.charges) == header.claims


def test_claims_hold_at_most_the_batch_and_go_out_one_at_a_time(tmp_path: Path) -> None:
    world = World(tmp_path, sims=30, options=ApplyOptions(claim_batch=7))
    world.ready()
    assert world.apply().exit_code is ExitCode.DONE
    assert all(len(iccids) <= 7 for _, iccids in world.claims_sent())
    world.check_fulfilled()


def test_sims_that_stay_pending_end_the_run_resumable(tmp_path: Path) -> None:
    world = World(tmp_path, behaviour=HologramBehaviour(stuck_share=1.0))
    world.ready()
    result = world.apply(options=ApplyOptions(wait_s=600))
    assert result.exit_code is ExitCode.RESUMABLE
    assert result.verdicts.get("pending")
    world.check()


def test_names_that_the_carrier_cuts_show_up_as_mismatches(tmp_path: Path) -> None:
    world = World(tmp_path, behaviour=HologramBehaviour(max_name=4))
    world.ready()
    result = world.apply()
    assert result.exit_code is ExitCode.ATTENTION
    assert result.verdicts.get("mismatch")
    world.check()


def test_a_job_list_that_is_forbidden_is_no_trouble(tmp_path: Path) -> None:
    world = World(tmp_path, behaviour=HologramBehaviour(jobs_forbidden=True))
    world.ready()
    assert world.apply().exit_code is ExitCode.DONE


def test_a_network_with_one_request_in_ten_going_wrong_is_survived(tmp_path: Path) -> None:
    kinds = [fault for fault in Fault if fault is not Fault.NONE]
    world = World(tmp_path, faults=FaultPlan(dict.fromkeys(kinds, 0.1 / len(kinds)), seed=3))
    world.ready()
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    world.check_fulfilled()


def test_absence_is_believed_only_after_two_reads_however_long_ago_the_claim_was_lost(tmp_path: Path) -> None:
    """The run stopped with the outcome open, an hour ago: the lag has passed, but one read might still be a bad one."""
    world = World(tmp_path, faults=claims_faulted(Fault.LOSE_BEFORE))
    world.ready()
    world.target.faults.rates = {Fault.SERVER_ERROR_BEFORE: 1.0}
    world.target.faults.spare = lambda _method, path: not path.endswith("/links/cellular")
    assert world.apply().exit_code is ExitCode.RESUMABLE
    world.target.faults = FaultPlan()
    world.elapsed_s += 3600
    world.target.ledger.entries.clear()
    world.apply()
    entries = world.target.ledger.entries
    claim = next(number for number, entry in enumerate(entries) if is_claim(entry.method, entry.path))
    lookups = [entry for entry in entries[:claim] if entry.path.endswith("/links/cellular")]
    first, *_, second = [entry.at_s for entry in lookups]
    assert second - first >= 60  # and never by the word of a clock that may have been set meanwhile


def test_a_run_whose_process_died_is_told_apart_from_one_that_is_at_work(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.ready()
    with pytest.raises(Crash):
        world.apply(hooks=crash_at("after_effect", 1))
    world.apply_until_quiet()
    with world.store() as store:
        runs = store.journal.runs(store.plans.newest() or "")
    assert [run.state for run in runs] == ["stopped", "completed"]
    assert runs[0].reason == "its process died"
