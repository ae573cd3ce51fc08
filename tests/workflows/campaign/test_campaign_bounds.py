"""A tick within its standing approval, and outside of it: what is held against the carriers' own ledgers."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select

from migrator import apply
from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.carriers.onence.simulator.model import SimStatus
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.campaign.life import LifeCounts
from migrator.core.policy.outside import NoticeEvent
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind
from migrator.errors import Halted, InputError
from migrator.store.campaigns.lives import Lives
from migrator.store.tables.outbox import notices
from migrator.store.tables.plans import events
from migrator.workflows.campaign.make import (
    approve_campaign,
    create_campaign,
    end_campaign,
    pause_campaign,
    resume_campaign,
    retry_refused,
)
from migrator.workflows.campaign.once import run_once
from migrator.workflows.campaign.report import fleet_report
from tests.worlds.campaigned import CampaignWorld
from tests.worlds.outside import site_of
from tests.worlds.world import EPOCH, Crash, crash_at, new_sims

SIMS, DAY_S = 14, 86_400.0
PRICE = Decimal("1.00")
TOLD_WHEN_STOPPED = """
[[notify]]
to = "webhook"
url_from = "NOBODY_IS_THERE"
on = ["stopped"]
"""


def began(folder: Path, *, behaviour: HologramBehaviour | None = None, **values: object) -> CampaignWorld:
    """A campaign with all its pairs in the intake."""
    world = CampaignWorld(folder, sims=SIMS, seed=3, behaviour=behaviour or HologramBehaviour())
    world.began(**values)  # type: ignore[arg-type]
    world.hand_in_pairs("all.csv", zip(world.on(), world.cards, strict=False))
    return world


def price_of(world: CampaignWorld) -> Decimal:
    """What one claim costs, by the carrier's ledger."""
    return (Decimal(1_000_000) - (world.target.balance or Decimal(0))) / world.claims()


# --- numbers and money --------------------------------------------------------------------------------------------


def test_no_more_than_a_days_claims_on_one_day(tmp_path: Path) -> None:
    world = began(tmp_path, claims_per_day=4)
    for _ in range(3):  # however often it is called
        assert world.tick().exit_code is ExitCode.RESUMABLE
        assert world.claims() == 4
        world.wait(3600)
    world.wait(DAY_S)
    world.tick()
    assert world.claims() == 8
    world.check()


def test_before_the_approval_no_bound_is_named(tmp_path: Path) -> None:
    world = began(tmp_path, claims_per_day=4, approve=False)
    ticked = world.tick()
    assert [held.hint for held in ticked.held] == ["`migrator campaign approve` approves it"]
    assert ticked.told["due"] == len(world.on()) > 4
    world.approve("ann@desk")
    assert any("claims_per_day holds back" in held.words for held in world.tick().held)


def test_no_more_than_all_claims_and_a_person_is_asked(tmp_path: Path) -> None:
    world = began(tmp_path, claims_total=5)
    for _ in range(2):
        ticked = world.tick()
        assert ticked.exit_code is ExitCode.HALTED
        assert any("campaign approve" in held.hint for held in ticked.held)
        world.wait(DAY_S)
    assert world.claims() == 5


def test_no_more_money_than_was_approved(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    free = began(tmp_path / "first")
    free.tick()
    price = price_of(free)
    (tmp_path / "second").mkdir()
    world = began(tmp_path / "second", spend_per_day=f"{price * 3}", spend_total=f"{price * 5}")
    spent = []
    for _ in range(4):
        world.tick()
        spent.append(world.claims())
        world.wait(DAY_S)
    assert spent == [3, 5, 5, 5]


def test_a_claim_in_doubt_counts(tmp_path: Path) -> None:
    """It may have been charged: the rest of the day's claims is smaller by it."""
    world = began(tmp_path, claims_per_day=4)
    world.outside.doomed = crash_at("after_effect", 1, StepKind.CLAIM)
    with pytest.raises(Crash):
        world.tick()
    assert world.claims() == 4
    world.outside.doomed = crash_at("after_effect", 99)
    world.wait(60)
    world.tick()
    assert world.claims() == 4
    world.check()


def test_nothing_is_sent_after_the_last_day(tmp_path: Path) -> None:
    world = began(tmp_path)
    world.wait((datetime(2027, 7, 1, tzinfo=UTC) - EPOCH).total_seconds())
    ticked = world.tick()
    assert ticked.exit_code is ExitCode.HALTED
    assert world.claims() == 0
    assert ticked.told["pairs_added"] > 0, "files are taken all the same"


def test_a_policy_whose_last_day_is_over_is_neither_made_nor_approved(tmp_path: Path) -> None:
    world = began(tmp_path)
    policy = tmp_path / "policy.toml"
    policy.write_text(policy.read_text().replace("until = 2027-06-30", "until = 2026-11-19"))
    with site_of(world, world.outside) as site:
        with pytest.raises(InputError, match="until = 2026-11-19 is over"):
            approve_campaign(site, by="ann@desk")
        end_campaign(site, by="ann@desk")
        with pytest.raises(InputError, match="until = 2026-11-19 is over"):
            create_campaign(site, policy)
        policy.write_text(policy.read_text().replace("2026-11-19", "2026-11-20"))  # today still counts
        create_campaign(site, policy)


def test_no_more_cards_wait_than_the_observed_swaps_need(tmp_path: Path) -> None:
    world = began(tmp_path, claims_per_day=4, ahead="24h")
    world.target.stock_claimed(["8944500777777000001"])
    for _ in range(3):
        world.seen_in("8944500777777000001", world.on()[0])  # another device of the organization is no swap
        world.tick()
        assert world.claims() == 4
        world.wait(DAY_S)
    scanned = world.on()[-1]
    card = world.pairs()[scanned]
    columns = ("source_iccid", "target_iccid", "scanned_at", "scanned_by")
    world.hand_in("van.csv", [columns, (scanned, card, f"{world.now():%Y-%m-%dT%H:%M:%SZ}", "tech 7")])
    world.tick()
    assert world.claims() == 5
    assert card in world.target.ledger.charges, "a card in its unit is not held back"


def test_a_card_that_a_unit_has_no_more_holds_back_none(tmp_path: Path) -> None:
    """A correction gave its unit another card: nobody will swap this one in."""
    world = began(tmp_path, claims_per_day=4, ahead="24h")
    world.tick()
    claimed = [old for old, card in world.pairs().items() if card in world.target.ledger.charges]
    world.corrected({claimed[0]: world.spare()}, reason="lost on the way")
    for _ in range(2):
        world.wait(DAY_S)
        world.tick()
        assert world.claims() == 5, "one more card waits for its swap, as one waits no more"


def test_a_card_whose_old_sim_is_in_the_list_no_more_still_waits_for_its_swap(tmp_path: Path) -> None:
    """It was paid, its unit stands in the field, and a technician has the card."""
    world = began(tmp_path, claims_per_day=4, ahead="24h")
    world.tick()
    claimed = [old for old, card in world.pairs().items() if card in world.target.ledger.charges]
    world.corrected({claimed[0]: world.spare()}, reason="lost on the way")
    for old in claimed[:3]:
        sim = world.source.fleet.find(old)
        assert sim is not None
        world.source.fleet.remove(sim)
    for _ in range(2):
        world.wait(DAY_S)
        assert world.tick().told["held_back_by_ahead"] > 0
        assert world.claims() == 5, "of the four cards only the lost one waits no more"


def test_cards_that_nobody_swaps_are_told_where_they_hold_back_all_others(tmp_path: Path) -> None:
    """Technicians take any card of a box: without a scan or a swap that was seen no other one would ever be claimed."""
    world = CampaignWorld(tmp_path, sims=SIMS, seed=3)
    world.began(claims_per_day=4, ahead="24h")
    world.wait(9 * DAY_S)  # no card could be swapped until then
    units = world.on()
    world.hand_in_pairs("all.csv", zip(units, world.cards, strict=False))
    for day in range(11):
        ticked = world.tick()
        assert world.claims() == 4
        assert ticked.told["held_back_by_ahead"] == len(units) - 4
        assert (ticked.exit_code is ExitCode.ATTENTION) is (day >= 9), f"on day {day}"
        world.wait(DAY_S)
        if day == 1:
            world.swap(world.on()[0])
    (held,) = ticked.held
    assert held.words == "no swap was seen for 7 days: [claim] ahead holds back what is due"
    assert held.hint.startswith("3 claimed cards not yet seen")
    world.swap(world.on()[1])
    assert world.tick().exit_code is ExitCode.DONE


def test_the_last_run_before_quiet_hours_ends_with_them(tmp_path: Path) -> None:
    world = began(tmp_path, more='quiet_hours = "22:00-06:00"\n', claims_per_day=500)
    world.target.behaviour = HologramBehaviour(latency_s=45.0)
    world.wait((EPOCH + timedelta(hours=21, minutes=50) - world.now()).total_seconds())
    world.tick()
    quiet = (EPOCH + timedelta(hours=22)).timestamp() - EPOCH.timestamp()
    writes = [entry for entry in world.target.ledger.entries if entry.method != "GET"]
    assert max((entry.at_s for entry in writes), default=0.0) <= quiet
    assert world.now() > EPOCH + timedelta(hours=21, minutes=58), "too quick to tell"


# --- hours --------------------------------------------------------------------------------------------------------


def test_nothing_is_written_in_quiet_hours_and_reads_go_on(tmp_path: Path) -> None:
    world = began(tmp_path, more='quiet_hours = "22:00-06:00"\ntime_zone = "Europe/Berlin"\n')
    for hour, claims in ((22, False), (3, False), (7, True)):  # in UTC: 23, 4 and 8 in Berlin
        world.wait((EPOCH + timedelta(hours=hour + 24 * (hour < 22)) - world.now()).total_seconds())
        ticked = world.tick()
        assert (world.claims() > 0) is claims, f"at {world.now()}"
        assert ticked.told["old_sims"] == SIMS
        assert claims or ticked.exit_code is ExitCode.RESUMABLE
        assert claims or "plans" not in ticked.told


# --- people -------------------------------------------------------------------------------------------------------


def test_nothing_is_sent_before_enough_people_approved(tmp_path: Path) -> None:
    world = began(tmp_path, more="approvals = 2\n")
    for again in ("ann@desk", "ANN@desk "):
        world.approve(again)
        ticked = world.tick()
        assert ticked.exit_code is ExitCode.HALTED
        assert "plans" not in ticked.told, "nothing is planned that may not be sent"
        assert world.claims() == 0
    world.approve("bob@desk")
    assert world.tick().exit_code is ExitCode.DONE
    assert world.claims() > 0


def test_one_person_is_no_people(tmp_path: Path) -> None:
    assert "approval of 1 person and has 0" in began(tmp_path, approve=False).tick().reason


def test_a_changed_policy_needs_a_new_approval(tmp_path: Path) -> None:
    world = began(tmp_path)
    world.write_policy(claims_per_day=501)
    ticked = world.tick()
    assert ticked.exit_code is ExitCode.HALTED
    assert world.claims() == 0
    assert "campaign approve" in ticked.held[0].hint
    with site_of(world, world.outside) as site:
        approve_campaign(site, by="ann@desk", ref="CHG0042")
    assert world.tick().exit_code is ExitCode.DONE


@pytest.mark.parametrize("broken", [None, "claims_per_day = = 5\n", "claims_per_week = 5\n"])
def test_a_policy_that_cannot_be_read_stops_claims_and_is_told_until_it_is_right_again(
    tmp_path: Path, broken: str | None
) -> None:
    world, file = began(tmp_path, more=TOLD_WHEN_STOPPED), tmp_path / "policy.toml"
    good = file.read_text(encoding="utf-8")
    if broken is None:
        file.unlink()
    else:
        file.write_text(good + broken, encoding="utf-8")
    for _ in range(2):
        ticked = world.tick()
        assert (ticked.exit_code, world.claims()) == (ExitCode.INPUT, 0)
        assert "policy" in ticked.reason
        assert "old_sims" in ticked.told, "reads go on"
        world.wait(900)
    with site_of(world, world.outside) as site:
        assert [one.exit_code for one in site.store.ticks.list()] == [ExitCode.INPUT] * 2
        (stopped,) = site.store.outbox.newest(9)
        assert (stopped.event, stopped.told["exit_code"]) == (NoticeEvent.STOPPED, int(ExitCode.INPUT))
    file.write_text(good, encoding="utf-8")
    assert world.tick().exit_code is ExitCode.DONE
    assert world.claims() == len(world.on())


def test_a_comment_in_the_policy_needs_none(tmp_path: Path) -> None:
    world = began(tmp_path)
    world.write_policy(more="# approved in CHG0042\n")
    assert world.tick().exit_code is ExitCode.DONE


def test_a_paused_campaign_sends_nothing_by_no_way(tmp_path: Path) -> None:
    world = began(tmp_path, claims_per_day=4)
    world.outside.doomed = crash_at("after_intent", 1, StepKind.CLAIM)
    with pytest.raises(Crash):
        world.tick()
    world.outside.doomed = crash_at("after_intent", 99)
    with site_of(world, world.outside) as site:
        pause_campaign(site, by="ann")
        (plan_id,) = site.store.due.open_plans(site.store.campaigns.required())
    writes = len(world.target.ledger.requests("POST", "bulkclaim"))
    ticked = world.tick()
    assert ticked.exit_code is ExitCode.HALTED
    assert "campaign resume" in ticked.held[0].hint
    with site_of(world, world.outside) as site, pytest.raises(Exception, match="paused"):
        apply(site, plan_id)
    assert len(world.target.ledger.requests("POST", "bulkclaim")) == writes
    with site_of(world, world.outside) as site:
        resume_campaign(site, by="ann")
    world.tick()
    world.check()


def test_a_plan_of_the_campaign_is_not_carried_out_by_hand(tmp_path: Path) -> None:
    """A run by hand would know neither the day's money nor quiet hours."""
    world = began(tmp_path, spend_per_day="6.00")
    world.tick()
    claims = world.claims()
    assert 0 < claims < SIMS
    with site_of(world, world.outside) as site:
        (plan_id,) = site.store.due.open_plans(site.store.campaigns.required())
        with pytest.raises(Halted, match="of campaign"):
            apply(site, plan_id)
    assert world.claims() == claims
    world.tick()
    assert world.claims() == claims
    with site_of(world, world.outside) as site:
        end_campaign(site, by="ann")
        assert apply(site, plan_id).exit_code is ExitCode.DONE
    world.check()


def test_a_day_whose_money_is_too_little_for_one_sim_asks_a_person(tmp_path: Path) -> None:
    world = began(tmp_path, spend_per_day="0.50")
    for _ in range(2):
        ticked = world.tick()
        assert ticked.exit_code is ExitCode.HALTED
        assert "spend_per_day" in ticked.reason
        world.wait(DAY_S)
    assert world.claims() == 0


def test_a_pause_while_a_cutover_is_planned_leaves_old_sims_on(tmp_path: Path) -> None:
    world = began(tmp_path, rest="24h")
    world.tick()
    world.swap(world.on()[0])
    was_off = world.off()
    world.wait(DAY_S)
    world.tick()
    world.wait(DAY_S)

    def pause(event: str, _values: object) -> None:
        if event == "judged":
            with site_of(world) as other:
                pause_campaign(other, by="ann")

    ticked = world.tick(pause)
    assert ticked.exit_code is ExitCode.HALTED
    assert world.off() == was_off


def test_files_wait_while_the_inventory_could_not_be_read(tmp_path: Path) -> None:
    world = began(tmp_path)
    world.source.faults = FaultPlan(rates={Fault.HTML: 1.0})
    world.tick()
    assert [file.name for file in (tmp_path / "campaign" / "intake").glob("*.csv")] == ["all.csv"]
    world.source.faults = FaultPlan()
    assert world.tick().exit_code is ExitCode.DONE
    assert world.claims() > 0


# --- bad cards ----------------------------------------------------------------------------------------------------


def test_one_bad_card_stops_nobody_and_is_not_asked_for_again(tmp_path: Path) -> None:
    bad = new_sims(3)[2]
    world = began(tmp_path, behaviour=HologramBehaviour(poison=frozenset({bad})))
    units = len(world.on())
    assert world.tick().exit_code is ExitCode.ATTENTION
    assert world.claims() == units - 1

    def asked() -> int:
        return sum(bad in iccids for _, iccids in world.claims_sent())

    before = asked()
    for _ in range(2):
        world.wait(DAY_S)
        assert world.tick().exit_code is ExitCode.ATTENTION
    assert asked() == before
    world.target.behaviour = HologramBehaviour()
    with site_of(world, world.outside) as site:
        assert retry_refused(site, code="claim_refused", by="ann") == 1
    assert world.tick().exit_code is ExitCode.DONE
    assert world.claims() == units
    with site_of(world, world.outside) as site:
        outcomes = site.store.due.outcomes(site.store.campaigns.required(), 200, site.now())
    assert outcomes == [True] * units, "a retry that went well is no failure"
    world.check()


@pytest.mark.parametrize("code", ["blocked", "status_blocked"])
def test_a_blocked_sim_goes_again_by_its_code_once_its_cause_is_mended(tmp_path: Path, code: str) -> None:
    world = began(tmp_path, disabled="block")
    blocked = world.on()[0]
    sim = world.source.fleet.find(blocked)
    assert sim is not None
    sim.status = SimStatus.DISABLED
    world.tick()
    sim.status = SimStatus.ENABLED
    world.wait(DAY_S)
    world.tick()
    card = world.pairs()[blocked]
    assert card not in world.target.ledger.charges, "nobody asked for it"
    with site_of(world, world.outside) as site:
        assert retry_refused(site, code=code, by="ann") == 1
    world.tick()
    assert card in world.target.ledger.charges
    with site_of(world, world.outside) as site:
        assert retry_refused(site, code=code, by="ann") == 0, "it is blocked no more"


def test_what_one_campaign_was_refused_the_next_one_does_not_ask_for(tmp_path: Path) -> None:
    bad = new_sims(3)[2]
    world = began(tmp_path, behaviour=HologramBehaviour(poison=frozenset({bad})))
    world.tick()
    before = sum(bad in iccids for _, iccids in world.claims_sent())
    with site_of(world, world.outside) as site:
        end_campaign(site, by="ann")
        create_campaign(site, world.folder / "policy.toml", folder=world.folder / "campaign")
    world.approve("ann@desk")
    world.tick()
    assert sum(bad in iccids for _, iccids in world.claims_sent()) == before
    with site_of(world, world.outside) as site:
        assert retry_refused(site, code="refused", by="ann") == 1, "a person may ask for it"


def test_a_plan_with_too_many_failures_is_given_up_and_a_retry_asks_again(tmp_path: Path) -> None:
    bad = frozenset(new_sims(3))
    world = began(tmp_path, more="last_units = 20\nerror_budget = 0.1\n", behaviour=HologramBehaviour(poison=bad))
    world.tick()
    claims = world.claims()
    world.target.behaviour = HologramBehaviour()
    with site_of(world, world.outside) as site:
        resume_campaign(site, by="ann")
        assert retry_refused(site, code="claim_refused", by="ann") == len(bad)
    world.wait(DAY_S)
    world.tick()
    assert world.claims() > claims
    world.check()


def test_too_many_bad_cards_stop_claims_until_a_person_says_so(tmp_path: Path) -> None:
    bad = frozenset(new_sims(3))
    world = began(
        tmp_path,
        claims_per_day=4,
        more="last_units = 20\nerror_budget = 0.1\n",
        behaviour=HologramBehaviour(poison=bad),
    )
    world.tick()
    world.wait(DAY_S)
    claims = world.claims()
    ticked = world.tick()
    assert ticked.exit_code is ExitCode.HALTED
    assert any("campaign resume" in held.hint for held in ticked.held)
    assert world.claims() == claims
    with site_of(world, world.outside) as site:
        resume_campaign(site, by="ann")
    world.tick()
    assert world.claims() > claims


# --- old SIMs -----------------------------------------------------------------------------------------------------


def test_an_old_sim_stays_on_until_its_new_one_has_rested(tmp_path: Path) -> None:
    world = began(tmp_path, rest="48h")
    world.tick()
    swapped = world.on()[0]
    world.swap(swapped)
    was_off = world.off()
    for day, off in ((1, set()), (2, set()), (3, {swapped})):
        world.wait(DAY_S)
        world.tick()
        assert world.off() - was_off == off, f"on day {day}"


def test_a_cutover_that_asks_switches_nothing_off_and_says_the_command(tmp_path: Path) -> None:
    world = began(tmp_path, rest="24h", cutover="ask")
    world.tick()
    world.swap(world.on()[0])
    was_off = world.off()
    world.wait(DAY_S)
    world.tick()
    world.wait(DAY_S)
    ticked = world.tick()
    assert ticked.exit_code is ExitCode.ATTENTION
    assert any("migrator cutover apply c" in held.hint for held in ticked.held)
    assert world.off() == was_off


# --- prices -------------------------------------------------------------------------------------------------------


def test_what_a_person_did_since_is_in_the_report_and_the_handover_of_the_next_tick(tmp_path: Path) -> None:
    world = began(tmp_path, cutover="ask", rest="1h")
    world.tick()
    world.swap(world.on()[0])
    world.tick()
    world.wait(DAY_S)
    assert world.tick().told["can_go_off"] == 1
    written = sorted((tmp_path / "campaign" / "handover").glob("*.csv"))
    world.cut_over()
    ticked = world.tick()
    assert {"report", "handover"} <= ticked.told.keys()
    assert sorted((tmp_path / "campaign" / "handover").glob("*.csv")) > written
    assert not {"report", "handover"} & world.tick().told.keys()


def test_a_price_that_rose_within_a_plan_makes_a_new_plan(tmp_path: Path) -> None:
    world = began(tmp_path)
    world.outside.doomed = crash_at("after_intent", 1, StepKind.CLAIM)
    with pytest.raises(Crash):
        world.tick()
    world.outside.doomed = crash_at("after_intent", 99)
    world.target.behaviour = HologramBehaviour(price_times=Decimal("1.5"))
    world.wait(3600)
    ticked = world.tick()
    assert ticked.exit_code is ExitCode.DONE
    assert ticked.told["plans_given_up"] == 1
    assert world.claims() == len(world.on())
    world.check()


# --- a day without changes ----------------------------------------------------------------------------------------


def test_a_tick_with_a_report_counts_the_lives_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each count goes through the whole fleet."""
    world, counted, count = began(tmp_path), list[float](), Lives.counts

    def counting(lives: Lives, now: float) -> LifeCounts:
        counted.append(now)
        return count(lives, now)

    monkeypatch.setattr(Lives, "counts", counting)
    assert "report" in world.tick().told
    assert len(counted) == 1


def test_a_day_without_changes_reads_the_lists_alone(tmp_path: Path) -> None:
    world = began(tmp_path)
    world.tick()
    world.wait(DAY_S)
    world.tick()
    world.wait(DAY_S)
    sent = len(world.target.ledger.entries), len(world.source.ledger.entries)
    with site_of(world, world.outside) as site:
        assert run_once(site).exit_code is ExitCode.DONE
    target = [entry.path for entry in world.target.ledger.entries[sent[0] :]]
    source = [entry.path for entry in world.source.ledger.entries[sent[1] :]]
    assert {path.rstrip("/").rpartition("/")[2] for path in target} == {"devices"}
    assert len(target) == 1
    assert {path.rstrip("/").rpartition("/")[2] for path in source} <= {"token", "sims"}


# --- the reference ------------------------------------------------------------------------------------------------


def test_the_reference_of_a_call_is_with_all_that_it_does(tmp_path: Path) -> None:
    """In the tick's row, the log, the runs and their report, and the notices; that of the approval stands in else."""
    world = began(tmp_path, approve=False)
    receiver = '[[notify]]\nto = "command"\ncommand = ["true"]\non = ["daily"]\n'
    world.write_policy(more=receiver)
    with site_of(world, world.outside) as site:
        approve_campaign(site, by="ann@desk", ref="CHG0001")
        run_once(site, ref="CHG0042")
    world.wait(DAY_S)
    world.tick()
    with site_of(world, world.outside) as site:
        runs = fleet_report(site.store, now=site.now()).runs
        assert {run["ref"] for run in runs if run["kind"] == "migrate"} == {"CHG0042"}
        assert [tick.told["ref"] for tick in site.store.ticks.list()] == ["CHG0001", "CHG0042"]
        with site.store._db.read() as connection:
            logged = [row.detail for row in connection.execute(select(events)) if "CHG0042" in row.detail]
            told = [row.told for row in connection.execute(select(notices).order_by(notices.c.notice_no))]
    assert len(logged) == 2  # the tick and its run
    assert [ref in words for ref, words in zip(("CHG0042", "CHG0001"), told, strict=True)] == [True, True]


def test_a_reference_that_nobody_can_read_sends_nothing(tmp_path: Path) -> None:
    world = began(tmp_path)
    with site_of(world, world.outside) as site, pytest.raises(InputError, match="--ref takes 1 to 60"):
        run_once(site, ref="CHG\x07")
    assert world.claims() == 0
