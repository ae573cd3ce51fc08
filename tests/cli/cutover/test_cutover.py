"""Cutover and rollback from the command line, over HTTP."""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.carriers.onence.simulator import OnenceBehaviour
from migrator.store import Owner, Store
from migrator.wiring.rehearsal.rehearsal import pool_of
from migrator.wiring.rehearsal.units import LOOK_EVERY_S, UnitsOutside
from tests.cli.conftest import POLICY, Desk

MEGABYTE = 1_048_576
QUICK = OnenceBehaviour(rate_limit=None, put_effect_s=0.0, bulk_effect_s=0.0)


@pytest.fixture
def make_desk(make_desk: Callable[..., Desk]) -> Callable[..., Desk]:
    """Carriers whose clocks agree with ours."""
    return partial(make_desk, epoch=datetime.now(UTC))


def unit_of(desk: Desk, old: str) -> str:
    """The hardware that an old SIM is in; a SIM that 1NCE never saw in any has its own all the same."""
    sim = desk.rehearsal.onence.fleet.find(old)
    assert sim is not None
    return sim.imei or f"35{int(old[-12:]):012d}0"


def pass_data(desk: Desk, new: str, imei: str, *, after_s: float = 0.0) -> None:
    """Let a new SIM connect in this hardware, some time after its claim."""
    link = desk.rehearsal.hologram.sims[new]
    assert link.claimed_at is not None
    desk.rehearsal.hologram.add_session(new, link.claimed_at + timedelta(seconds=after_s), MEGABYTE, imei)


def pairs_of(desk: Desk) -> dict[str, str]:
    """Old ICCID by new one, of the SIMs that are claimed."""
    with Store.open(f"sqlite:///{desk.folder}/migrator.db", now=0.0, create=False) as store:
        pairs = {pair.target.digits: pair.source.digits for pair in store.pairs.all()}
    sims = desk.rehearsal.hologram.sims
    return {new: pairs[new] for new in sorted(pairs) if sims[new].device_id is not None}


def alive(desk: Desk, *, but: int = 0, policy: str = POLICY) -> None:
    """Migrate, and let all new SIMs but some pass data, each in the unit of its old one, an hour ago.

    Their old SIMs are silent since yesterday.
    """
    desk.applied(policy)
    claimed = list(pairs_of(desk).items())
    for new, old in claimed[: len(claimed) - but]:
        link = desk.rehearsal.hologram.sims[new]
        assert link.claimed_at is not None
        link.claimed_at -= timedelta(hours=1)
        pass_data(desk, new, unit_of(desk, old))
        sim = desk.rehearsal.onence.fleet.find(old)
        assert sim is not None
        sim.silent_from = datetime.now(UTC).date() - timedelta(days=2)


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    made = make_desk(onence=QUICK)
    alive(made, but=3)
    return made


def off(desk: Desk) -> set[str]:
    return {sim.iccid for sim in desk.rehearsal.onence.fleet if sim.status == "Disabled"}


def cut_over(desk: Desk) -> dict[str, Any]:
    plan = desk.json("cutover", "plan").data
    assert desk.run("cutover", "apply", "--confirm", str(plan["count"])).code == 0
    return plan


@pytest.mark.loopback
def test_cutover_and_rollback_from_end_to_end(desk: Desk) -> None:
    before = off(desk)
    plan = desk.json("cutover", "plan")
    assert plan.code == 0
    assert plan.data["counts"]["SWITCH_OFF"] == plan.data["count"]
    assert plan.data["reasons"]["no_traffic"] == 3
    done = desk.json("cutover", "apply", "--confirm", str(plan.data["count"]))
    assert done.code == 0, done.err
    assert done.data["proved"] == plan.data["count"] == len(off(desk) - before)
    back = desk.json("rollback", "plan")
    assert back.data["count"] == plan.data["count"]
    undone = desk.json("rollback", "apply", "--confirm", str(back.data["count"]))
    assert undone.code == 0, undone.err
    assert undone.data["paused"] == back.data["count"]
    assert off(desk) == before


@pytest.mark.parametrize(("order", "past"), [("pause", "paused"), ("abort", "aborted")])
def test_an_order_by_the_id_of_a_cutover_holds_it_though_its_migration_is_finished(
    desk: Desk, order: str, past: str
) -> None:
    plan = desk.json("cutover", "plan").data
    given = desk.json("run", order, plan["switch_id"])
    assert given.code == 0, given.err
    assert (given.data["switch_id"], given.data["plan_id"]) == (plan["switch_id"], plan["plan_id"])
    held = desk.json("cutover", "apply", "--confirm", str(plan["count"]))
    assert held.code == 6
    (problem,) = held.document["errors"]
    assert problem["code"] == past
    assert f"migrator cutover apply {plan['switch_id']}" in problem["hint"]
    assert desk.rehearsal.onence.writes == []
    resumed = desk.run("run", "resume", plan["switch_id"])
    assert f"migrator cutover apply {plan['switch_id']}" in resumed.out
    assert desk.run("cutover", "apply", "--confirm", str(plan["count"])).code == 0
    assert desk.run("run", order, plan["switch_id"]).code == 2


def test_nothing_is_sent_without_the_number_of_sims(desk: Desk) -> None:
    count = desk.json("cutover", "plan").data["count"]
    unasked, wrong = desk.run("cutover", "apply"), desk.run("cutover", "apply", "--confirm", str(count + 1))
    assert (unasked.code, wrong.code) == (2, 2)
    assert f"--confirm {count}" in unasked.err
    assert desk.rehearsal.onence.writes == []


def test_a_dry_run_prints_the_requests_that_apply_then_sends(desk: Desk) -> None:
    plan = desk.json("cutover", "plan").data
    dry = desk.json("cutover", "apply", "--dry-run")
    assert dry.code == 0
    assert desk.rehearsal.onence.writes == []
    desk.run("cutover", "apply", "--confirm", str(plan["count"]))
    sent = [entry.body for entry in desk.rehearsal.onence.writes]
    assert sorted(map(json.dumps, sent)) == sorted(json.dumps(one["body"]) for one in dry.data["requests"])


def test_a_dry_run_writes_every_request_into_a_file(desk: Desk) -> None:
    desk.json("cutover", "plan")
    dry = desk.json("cutover", "apply", "--dry-run", "--requests", "sent.jsonl")
    lines = [json.loads(line) for line in Path("sent.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines == dry.data["requests"]
    assert len(lines) == dry.data["writes"] > 0
    refused = desk.run("cutover", "apply", "--requests", "sent.jsonl")
    assert (refused.code, "--requests goes with --dry-run" in refused.err) == (2, True)


def test_apply_works_on_one_wave_and_the_plan_stays_open(desk: Desk) -> None:
    plan = desk.json("cutover", "plan", "--waves", "1").data
    count = str(plan["count"])
    wrong = desk.run("cutover", "apply", "--confirm", count, "--wave", "second")
    assert (wrong.code, "its waves are: first-1, rest" in wrong.err) == (2, True)
    assert desk.run("cutover", "apply").code == 2, "a wave that is none begins nothing: the number is still asked for"
    one = desk.json("cutover", "apply", "--confirm", count, "--wave", "first-1", "--max-duration", "1h")
    assert (one.code, one.data["proved"], one.data["unproved"]) == (0, 1, plan["count"] - 1)
    assert desk.json("cutover", "apply").data["proved"] == plan["count"]
    assert "carried out before" in desk.run("cutover", "apply").out


def test_verified_alone_has_to_be_accepted_by_itself(desk: Desk) -> None:
    refused = desk.run("cutover", "plan", "--require", "verified")
    assert refused.code == 2
    assert "fall silent" in refused.err
    strict = desk.json("cutover", "plan").data["count"]
    weak = ("--require", "verified", "--accept-silent-units")
    accepted = desk.json("cutover", "plan", *weak, "--old-sim", "not_asked")
    assert accepted.data["count"] == strict + 3
    asked = desk.json("cutover", "plan", *weak)
    assert (asked.data["count"], asked.data["reasons"]["old_sim_unknown"]) == (strict, 3)  # claimed today


def test_a_resume_asks_nothing_and_a_finished_plan_sends_nothing(desk: Desk) -> None:
    cut_over(desk)
    before = len(desk.rehearsal.onence.writes)
    again = desk.run("cutover", "apply")
    assert again.code == 0
    assert "carried out before" in again.out
    assert len(desk.rehearsal.onence.writes) == before


def test_a_plan_whose_sims_verify_no_longer_is_stale(desk: Desk) -> None:
    count = desk.json("cutover", "plan").data["count"]
    link = next(iter(desk.rehearsal.hologram.sims.values()))
    link.overage_limit = 7
    assert desk.run("verify").code == 3
    stale = desk.run("cutover", "apply", "--confirm", str(count))
    assert stale.code == 5
    assert "was verified, and is mismatch now" in stale.err
    assert desk.rehearsal.onence.writes == []


def test_a_plan_file_is_taken_and_one_of_another_store_is_refused(desk: Desk) -> None:
    count = desk.json("cutover", "plan", "--out", "cutover.jsonl").data["count"]
    lines = [json.loads(line) for line in Path("cutover.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(lines) == desk.sims + 1
    foreign = json.dumps({**lines[0], "lineage": "another"}) + "\n"
    assert desk.run("cutover", "apply", desk.write("foreign.jsonl", foreign), "--confirm", str(count)).code == 5
    assert desk.rehearsal.onence.writes == []
    assert desk.run("cutover", "apply", "cutover.jsonl", "--confirm", str(count)).code == 0


def test_a_migrations_plan_file_stands_for_its_plan_and_one_of_another_store_is_refused(desk: Desk) -> None:
    assert desk.run("plan", "export", "plan.jsonl").code == 0
    plan_id = desk.json("plan", "show").data["plan_id"]
    for words in (("verify",), ("cutover", "plan")):
        assert desk.json(*words, "plan.jsonl").data["plan_id"] == plan_id, words
    assert desk.run("verify", "plan.jsonl", "--watch", "--every", "1s", "--for", "1s").code == 0
    header, _, rest = Path("plan.jsonl").read_text(encoding="utf-8").partition("\n")
    foreign = desk.write("foreign.jsonl", json.dumps({**json.loads(header), "lineage": "another"}) + f"\n{rest}")
    assert [desk.run(*words, foreign).code for words in (("verify",), ("cutover", "plan"))] == [5, 5]


def test_what_is_left_behind_names_the_command_that_reads_it(desk: Desk) -> None:
    billing = desk.run("cutover", "plan").out
    assert "unknown: `migrator inventory pull --quotas` reads it" in billing


def test_a_sim_that_was_rolled_back_qualifies_no_more(desk: Desk) -> None:
    cut_over(desk)
    back = desk.json("rollback", "plan").data
    desk.run("rollback", "apply", "--confirm", str(back["count"]))
    desk.run("inventory", "pull")
    assert desk.json("cutover", "plan").data["count"] == 0  # their new SIMs are paused


def test_rollback_takes_only_the_sims_of_the_file_that_a_cutover_switched_off(desk: Desk) -> None:
    untouched = sorted(sim.iccid for sim in desk.rehearsal.onence.fleet if sim.status == "Enabled")
    cut_over(desk)
    mine = sorted(off(desk))
    named = [mine[-1], next(iccid for iccid in untouched if iccid not in mine)]
    assert desk.json("rollback", "plan", "--unit", mine[0]).data["count"] == 1
    assert desk.json("rollback", "plan", "--since", "2020-01-01").data["count"] == len(mine)
    assert desk.json("rollback", "plan", "--since", "2099-01-01").data == {"count": 0, "rollbacks": []}
    assert desk.run("rollback", "plan", "--since", "soon").code == 2
    assert desk.run("rollback", "plan", "--since", "2020-01-01", "--unit", mine[0]).code == 2
    plan = desk.json("rollback", "plan", "--iccids", desk.write("back.txt", "\n".join(named)))
    assert plan.data["count"] == 1
    desk.run("rollback", "apply", "--confirm", "1")
    assert set(mine) - off(desk) == {mine[-1]}


def test_a_file_that_is_no_list_of_iccids_is_refused_with_its_line(desk: Desk) -> None:
    outcome = desk.run("rollback", "plan", "--iccids", desk.write("bad.txt", "8988280666000000001\nhello\n"))
    assert outcome.code == 2
    assert "bad.txt:2:" in outcome.err


def test_show_tells_how_far_it_is_and_what_the_overlap_costs_now(desk: Desk) -> None:
    before = desk.json("cutover", "plan").data["double_billing"]["on_both_sides"]
    count = desk.json("cutover", "show").data["count"]
    desk.run("cutover", "apply", "--confirm", str(count))
    shown = desk.json("cutover", "show").data
    assert shown["state"] == "finished"
    assert shown["steps"] == [{"step": "source", "state": "done", "code": "", "sims": count}]
    assert shown["double_billing_now"]["on_both_sides"] == before - count


def test_the_reminders_name_auto_top_up_and_what_cannot_be_undone(desk: Desk) -> None:
    told = desk.run("cutover", "plan").out
    assert "At 1NCE that is" in told
    assert "auto-top-up" in told
    assert "your contract says" in told
    assert "refund" not in told  # nobody has published whether 1NCE does
    cut_over(desk)
    assert "cannot be undone" in desk.run("rollback", "plan").out


def test_without_a_cutover_there_is_nothing_to_roll_back(desk: Desk) -> None:
    assert desk.run("rollback", "apply").code == 2
    plan = desk.json("rollback", "plan")
    assert (plan.code, plan.data["count"]) == (0, 0)
    assert desk.run("rollback", "apply").code == 0


def test_another_run_that_holds_the_store_keeps_the_cutover_out(desk: Desk) -> None:
    count = desk.json("cutover", "plan").data["count"]
    now = datetime.now(UTC).timestamp()
    with Store.open("sqlite:///migrator.db", now=now) as store:
        store.lease.acquire(Owner("elsewhere", 1, now), now, is_gone=lambda _owner: False)
        assert desk.run("cutover", "apply", "--confirm", str(count)).code == 9
    assert desk.rehearsal.onence.writes == []


@pytest.mark.loopback
@pytest.mark.slow
def test_a_killed_cutover_goes_on_with_the_same_command(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = desk.json("cutover", "plan").data
    monkeypatch.setenv("MIGRATOR_CRASH_AT", "after_effect:source:2")
    words = [sys.executable, "-m", "migrator", "cutover", "apply", "--confirm", str(plan["count"])]
    killed = subprocess.run(words, capture_output=True, timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL
    monkeypatch.delenv("MIGRATOR_CRASH_AT")
    done = desk.json("cutover", "apply")
    assert done.code == 0, done.err
    assert done.data["proved"] == plan["count"]


def test_report_status_jobs_and_state_tell_of_a_cutover_and_its_rollback(desk: Desk) -> None:
    both = desk.json("report", "--format", "json", "--out", "before")
    plan = cut_over(desk)
    assert desk.json("rollback", "plan").data["count"] == plan["count"]
    assert desk.run("report", "--out", "after").code == both.code == 0
    told = [json.loads(Path(folder, "reconciliation.json").read_text()) for folder in ("before", "after")]
    assert told[0]["switches"] == []
    assert told[0]["double_billing"]["on_both_sides"] - told[1]["double_billing"]["on_both_sides"] == plan["count"]
    cutover, rollback = told[1]["switches"]
    assert (cutover["state"], cutover["switched"], cutover["failed"]) == ("finished", plan["count"], 0)
    assert (rollback["state"], rollback["switched"]) == ("created", 0)
    jsonschema.validate(told[1], json.loads(desk.run("report", "--schema").out), jsonschema.Draft202012Validator)
    line = f"Cutover {plan['switch_id']}: finished, {plan['count']} of {plan['count']} SIMs switched off."
    for command in (("status",), ("jobs", "list"), ("state", "info")):
        assert line in " ".join(desk.run(*command).out.split()), command
    assert desk.json("status").data["switches"] == told[1]["switches"]


def test_a_request_of_a_cutover_is_shown_by_its_number(desk: Desk) -> None:
    """Numbers of requests are those of one journal: a migration's and a cutover's are never the same."""
    last = max(job["request_id"] for job in desk.json("jobs", "list", "--all").data["requests"])
    plan = cut_over(desk)
    (shown,) = desk.json("jobs", "show", str(last + 1)).data["requests"]
    assert (shown["plan_id"], shown["kind"], shown["outcome"]) == (plan["switch_id"], "source", "accepted")
    assert {sim["state"] for sim in shown["sims_of_it"]} == {"done"}
    assert {sim["source_iccid"] for sim in shown["sims_of_it"]} <= off(desk)
    assert len(shown["sims_of_it"]) == shown["sims"]


def test_retry_and_skip_take_the_id_of_a_cutover(desk: Desk) -> None:
    plan = desk.json("cutover", "plan").data
    named, count = plan["switch_id"], plan["count"]
    shown = desk.json("cutover", "show", named, "--action", "SWITCH_OFF").data["sims"]
    left = shown[0]["source_iccid"]
    skipped = desk.run("skip", named, "--iccids", desk.write("left.txt", f"{left}\n"))
    assert (skipped.code, f"`migrator cutover apply {named}` goes on without them" in skipped.out) == (0, True)
    done = desk.json("cutover", "apply", named, "--confirm", str(count))
    assert (done.code, done.data["proved"], done.data["aside"]) == (0, count - 1, {"left_by_operator": 1})
    assert left not in off(desk)
    nothing = desk.run("retry", named, "--wave", plan["waves"][0])
    assert (nothing.code, "`migrator cutover show`" in nothing.out) == (0, True)
    claims = desk.run("retry", named, "--wave", plan["waves"][0], "--never-claimed")
    assert (claims.code, "claims nothing" in claims.err) == (2, True)
    strange = desk.run("skip", named, "--wave", "nowhere")
    assert (strange.code, "has no wave 'nowhere'" in strange.err) == (2, True)


# --- what was rolled back -----------------------------------------------------------------------------------------


def taken_back(desk: Desk) -> dict[str, Any]:
    """Cut over, and back again. Returns: the rollback's plan."""
    cut_over(desk)
    plan = desk.json("rollback", "plan").data
    assert desk.run("rollback", "apply", "--confirm", str(plan["count"])).code == 0
    assert desk.run("inventory", "pull").code == 0
    return plan


def reported(desk: Desk) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The rows of a fresh report, by bucket and code."""
    assert desk.run("report", "--format", "json", "--out", "report").code == 0
    told = json.loads(Path("report", "reconciliation.json").read_text(encoding="utf-8"))
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in told["sims"]:
        found.setdefault((row["bucket"], row["code"]), []).append(row)
    return found


def paused(desk: Desk) -> int:
    return sum(link.state.startswith("PAUSED") for link in desk.rehearsal.hologram.sims.values())


def test_what_a_rollback_took_back_is_told_so_and_not_as_somebodys_change(desk: Desk) -> None:
    plan = taken_back(desk)
    before = reported(desk)["skipped", "rolled_back"]  # also before anybody has verified
    verified = desk.json("verify")
    assert (verified.code, verified.data["verdicts"]["rolled_back"]) == (0, plan["count"])
    assert (verified.data["findings"], verified.document["errors"]) == ({"rolled_back": plan["count"]}, [])
    assert "the old SIM is on, the new one paused" in desk.run("verify").out
    assert desk.json("status").data["findings"] == {"rolled_back": plan["count"]}
    assert desk.run("verify", "--watch", "--every", "1s", "--for", "1s").code == 0
    told = reported(desk)
    assert len(told["skipped", "rolled_back"]) == len(before) == plan["count"]
    assert all(plan["switch_id"] in row["detail"] for row in before)
    assert not any(bucket == "mismatch" for bucket, _ in told)
    assert "migrator plan create --include-rolled-back" in Path("report", "reconciliation.json").read_text("utf-8")


def test_what_differs_beside_a_rollbacks_pause_is_a_mismatch_as_ever(desk: Desk) -> None:
    plan = taken_back(desk)
    link = next(link for link in desk.rehearsal.hologram.sims.values() if link.state == "PAUSED-USER")
    link.overage_limit = 7
    verified = desk.json("verify")
    assert verified.code == 3
    assert verified.data["verdicts"]["mismatch"] == 1
    assert verified.data["verdicts"]["rolled_back"] == plan["count"] - 1
    assert verified.data["findings"] == {"rolled_back": plan["count"], "wrong_overage_limit": 1}
    assert len(reported(desk)["mismatch", "wrong_overage_limit"]) == 1
    assert desk.run("verify", "--watch").code == 3


def test_a_later_plan_leaves_what_was_rolled_back_where_it_is(desk: Desk) -> None:
    back, resting = taken_back(desk), paused(desk)
    made = desk.json("plan", "create", "--policy", "policy.toml")
    assert made.data["reasons"]["rolled_back"] == back["count"]
    assert any("--include-rolled-back" in problem["message"] for problem in made.document["errors"])
    assert desk.run("apply", "--confirm", "0").code in {0, 3}
    assert paused(desk) == resting
    assert len(reported(desk)["skipped", "rolled_back"]) == back["count"]


def test_what_was_rolled_back_is_moved_again_when_it_is_asked_for_and_is_then_as_any_other(desk: Desk) -> None:
    back, resting = taken_back(desk), paused(desk)
    made = desk.json("plan", "create", "--policy", "policy.toml", "--include-rolled-back").data
    assert made["counts"]["UPDATE"] == back["count"]
    assert desk.run("apply", "--confirm", "0").code == 0
    assert paused(desk) == resting - back["count"]
    again = desk.json("plan", "create", "--policy", "policy.toml").data
    assert "rolled_back" not in again["reasons"]
    assert not any(code == "rolled_back" for _, code in reported(desk))


def test_a_plan_from_before_a_rollback_does_not_undo_it(desk: Desk) -> None:
    cut_over(desk)
    for link in desk.rehearsal.hologram.sims.values():
        link.overage_limit = 7  # so that the plan has something to set
    made = desk.json("plan", "create", "--policy", "policy.toml").data
    assert made["counts"]["UPDATE"]
    back = desk.json("rollback", "plan").data
    assert desk.run("rollback", "apply", "--confirm", str(back["count"])).code == 0
    resting = paused(desk)
    stale = desk.run("apply", made["plan_id"], "--confirm", "0")
    assert stale.code == 5
    assert f"rollback {back['switch_id']} took it back to its old SIM" in stale.err
    assert paused(desk) == resting


# --- what the policy says of cutover ------------------------------------------------------------------------------


@pytest.fixture
def by_policy(make_desk: Callable[..., Desk]) -> Desk:
    made = make_desk(onence=QUICK)
    alive(
        made,
        but=3,
        policy=f'{POLICY}[cutover]\nrequire = "verified"\nrest = "1h"\nverified_share = 1\nold_sim = "not_asked"\n',
    )
    return made


def test_the_policy_says_what_a_new_sim_must_have_shown_and_an_option_wins(by_policy: Desk) -> None:
    refused = by_policy.run("cutover", "plan", "--rest", "0s")
    assert refused.code == 2
    assert "fall silent" in refused.err
    strict = by_policy.json("cutover", "plan", "--rest", "0s", "--require", "traffic")
    accepted = by_policy.json("cutover", "plan", "--rest", "0s", "--accept-silent-units")
    assert (strict.data["require"], accepted.data["require"]) == ("traffic", "verified")
    assert accepted.data["count"] == strict.data["count"] + 3
    rested = by_policy.json("cutover", "plan", "--accept-silent-units")
    assert rested.data["count"] == 0
    assert "not_rested" in rested.data["reasons"]


def test_nothing_is_switched_off_before_enough_of_the_fleet_is_verified(by_policy: Desk) -> None:
    options = ("--require", "traffic", "--rest", "0s")
    count = by_policy.json("cutover", "plan", *options).data["count"]
    claimed = sorted(iccid for iccid, link in by_policy.rehearsal.hologram.sims.items() if link.device_id is not None)
    by_policy.rehearsal.hologram.sims[claimed[-1]].overage_limit = 7  # one of the silent ones: it is in no cutover
    assert by_policy.run("verify").code == 3
    stale = by_policy.run("cutover", "apply", "--confirm", str(count))
    assert stale.code == 5
    assert "verified_share asks for 1" in stale.err
    few = by_policy.run("cutover", "plan", *options)
    assert few.code == 6
    assert "verified_share asks for 1" in few.err
    assert by_policy.json("cutover", "plan", *options, "--verified-share", "0.5").data["count"] == count
    assert by_policy.run("cutover", "plan", *options, "--verified-share", "2").code == 2
    assert by_policy.rehearsal.onence.writes == []


# --- in which unit the new SIM is ---------------------------------------------------------------------------------

STRANGER = "352099001761481"


def seen_pairs(desk: Desk) -> list[tuple[str, str]]:
    """New and old ICCID of the SIMs that a cutover would switch off and whose old hardware is known."""
    plan = desk.json("cutover", "show", "--action", "SWITCH_OFF", "--sims", "1000").data
    sims = {sim.iccid: sim for sim in desk.rehearsal.onence.fleet}
    rows = [(row["target_iccid"], row["source_iccid"]) for row in plan["sims"]]
    return [(new, old) for new, old in rows if sims[old].imei is not None]


def test_an_old_sim_stays_on_whose_new_sim_was_seen_in_another_unit(desk: Desk) -> None:
    before, plan = off(desk), desk.json("cutover", "plan").data
    assert plan["units"]["moved"] == 0
    (new, old), *_ = seen_pairs(desk)
    pass_data(desk, new, STRANGER, after_s=30)
    moved = desk.json("cutover", "plan").data
    assert (moved["count"], moved["reasons"]["other_unit"], moved["units"]["moved"]) == (plan["count"] - 1, 1, 1)
    (row,) = [row for row in desk.json("cutover", "show", "--sims", "1000").data["sims"] if row["source_iccid"] == old]
    assert (row["action"], row["reason"], row["unit"]) == ("LEAVE_ON", "other_unit", "moved")
    assert desk.run("cutover", "apply", "--confirm", str(moved["count"])).code == 0
    assert old not in off(desk) - before


def test_another_unit_is_accepted_by_an_option_of_its_own_and_told(desk: Desk) -> None:
    count = desk.json("cutover", "plan").data["count"]
    (new, old), *_ = seen_pairs(desk)
    pass_data(desk, new, STRANGER, after_s=30)
    weak = desk.json("cutover", "plan", "--require", "verified", "--accept-silent-units").data
    assert weak["reasons"]["other_unit"] == 1
    accepted = desk.json("cutover", "plan", "--accept-other-units").data
    assert (accepted["count"], accepted["units"]["moved"], accepted["other_units"]) == (count, 1, "accept")
    assert any("was seen in another unit" in words for words in accepted["reminders"])
    assert desk.run("cutover", "apply", "--confirm", str(count)).code == 0
    assert old in off(desk)


def test_another_unit_is_accepted_by_the_policy(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(onence=QUICK)
    alive(desk, policy=f'{POLICY}[cutover]\nother_units = "accept"\n')
    count = desk.json("cutover", "plan").data["count"]
    (new, _), *_ = seen_pairs(desk)
    pass_data(desk, new, STRANGER, after_s=30)
    assert desk.json("cutover", "plan").data["count"] == count


def test_sims_whose_hardware_one_carrier_never_saw_are_counted_and_warned_of(desk: Desk) -> None:
    plan = desk.json("cutover", "plan").data
    unknown = plan["count"] - len(seen_pairs(desk))
    assert unknown > 0
    assert plan["units"] == {"matched": plan["count"] - unknown, "moved": 0, "never_seen": unknown}
    assert f"saw no IMEI (never_seen): {unknown}" in " ".join(desk.run("cutover", "plan").out.split())


def test_a_new_sim_that_moved_after_the_plan_was_made_keeps_its_old_one_on(desk: Desk) -> None:
    before, count = off(desk), desk.json("cutover", "plan").data["count"]
    *_, (new, old) = seen_pairs(desk)
    pass_data(desk, new, STRANGER, after_s=30)
    done = desk.json("cutover", "apply", "--confirm", str(count))
    assert done.code == 3
    assert (done.data["proved"], done.data["aside"]) == (count - 1, {"other_unit": 1})
    assert old not in off(desk) - before
    shown = desk.json("cutover", "show").data["attention"]
    assert [(one["source_iccid"], one["code"]) for one in shown] == [(old, "other_unit")]


def test_hardware_that_the_record_does_not_tell_is_asked_of_usage(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(
        onence=QUICK, behaviour=HologramBehaviour(claim_pending_s=(0, 0), state_pending_s=(0, 0), imei_shown=False)
    )
    alive(desk)
    count = desk.json("cutover", "plan").data["count"]
    *_, (new, old), (another, old_of_another) = seen_pairs(desk)
    pass_data(desk, new, STRANGER, after_s=30)
    plan = desk.json("cutover", "plan").data
    assert (plan["count"], plan["reasons"]["other_unit"]) == (count - 1, 1)
    pass_data(desk, another, STRANGER, after_s=30)
    assert desk.json("cutover", "apply", "--confirm", str(count - 1)).data["aside"] == {"other_unit": 1}
    assert not {old, old_of_another} & off(desk)


# --- a rehearsal --------------------------------------------------------------------------------------------------


def test_a_cutover_can_be_rehearsed_with_units_that_go_online(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(onence=QUICK)
    carriers = desk.rehearsal
    carriers.units = UnitsOutside(carriers.onence, carriers.hologram, pool_of(desk.sims), share=0.7, seed=3, after_s=0)
    desk.applied()
    time.sleep(LOOK_EVERY_S)
    desk.run("doctor")  # any request lets them go online, and the next one sees it
    plan = desk.json("cutover", "plan").data
    assert plan["units"]["moved"] == 0
    assert plan["units"]["matched"] > 5
    assert plan["reasons"]["no_traffic"] > 0
    assert desk.run("cutover", "apply", "--confirm", str(plan["count"])).code == 0


def test_a_unit_is_found_by_its_name_where_new_sims_are_not_dealt_in_order(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(onence=QUICK)
    carriers = desk.rehearsal
    carriers.units = UnitsOutside(carriers.onence, carriers.hologram, pool_of(desk.sims), share=1.0, after_s=0)
    assert desk.run("inventory", "pull").code == 0
    olds = sorted(sim.iccid for sim in carriers.onence.fleet if sim.label != "Pump station")
    desk.pool()
    rows = "".join(f"{old},{new}\n" for old, new in zip(olds, reversed(pool_of(desk.sims)), strict=False))
    assert desk.run("pair", "import", desk.write("pairs.csv", f"source_iccid,target_iccid\n{rows}")).code == 0
    claims = desk.json("plan", "create", "--policy", desk.write("policy.toml", POLICY)).data["claims"]
    assert desk.run("apply", "--confirm", str(claims)).code == 0
    time.sleep(LOOK_EVERY_S)
    desk.run("doctor")
    units = desk.json("cutover", "plan").data["units"]
    assert units["matched"] > 5
    assert units["moved"] == 0


def test_a_full_disk_for_temporary_files_is_told_and_no_plan_is_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda *_args, **_values: Path("/dev/full").open("r+"))  # noqa: SIM115
    ended = desk.run("cutover", "plan", "--require", "verified", "--accept-silent-units")
    assert ended.code == 1
    assert "a temporary file in" in ended.err
    assert "No space left on device" in ended.err
    assert "no cutover" in desk.run("cutover", "show").err


def test_half_an_emoji_in_a_label_breaks_no_output(make_desk: Callable[..., Desk]) -> None:
    """UTF-8 cannot hold it; JSON can, as an escape that reads as the very same text."""
    desk = make_desk(onence=QUICK)
    alive(desk)
    plan = desk.json("cutover", "plan").data
    for sim in desk.rehearsal.onence.fleet:
        sim.label = "cut \ud83d"
    dry = desk.json("cutover", "apply", "--confirm", str(plan["count"]), "--dry-run")
    assert dry.code == 0, dry.err
    bodies = [request["body"] for request in dry.data["requests"]]
    updates = [update for body in bodies for update in (body if isinstance(body, list) else [body])]
    assert {update["label"] for update in updates} == {"cut \ud83d"}
    assert desk.run("cutover", "apply", "--confirm", str(plan["count"]), "--dry-run").code == 0
    done = desk.run("cutover", "apply", "--confirm", str(plan["count"]))
    assert done.code == 0, done.err
    assert {sim.label for sim in desk.rehearsal.onence.fleet} == {"cut \ud83d"}
    assert desk.run("report", "--evidence", "evidence.zip").code == 0
    checked = desk.run("audit", "verify", "evidence.zip")
    assert checked.code == 0, checked.err
    assert desk.run("inventory", "pull").code == 0
    for command in (("report",), ("inventory", "export", "all.jsonl"), ("cutover", "show"), ("audit", "verify")):
        ended = desk.run(*command)
        assert ended.code in {0, 3}, ended.err
