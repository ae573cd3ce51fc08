"""What comes after a cutover: later plans, rules and `--where`, and the way back, whichever plan it belonged to."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.onence.simulator import SimStatus
from tests.cli.conftest import POLICY, Desk
from tests.cli.cutover.test_cutover import QUICK, alive, cut_over, off

LIMITED = f'{POLICY}[data_limit]\nbasis = "fixed"\nfixed_mb = 7\n'
"""The policy of the next day: another limit, so that there is something to do for every SIM."""


def rule(when: str, gives: str = "fixed_mb = 3") -> str:
    """The policy with a rule for some SIMs, who get a limit of their own."""
    return f'{POLICY}[[rule]]\nname = "some"\nwhen = {{ {when} }}\n[rule.data_limit]\nbasis = "fixed"\n{gives}\n'


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A migrated fleet whose old SIMs were switched off, as the inventory tells by now; the others still are on."""
    made = make_desk(sims=12, onence=QUICK, epoch=datetime.now(UTC))
    alive(made, but=2)
    return made


def planned(desk: Desk, policy: str = POLICY, *more: str) -> dict[str, Any]:
    made = desk.json("plan", "create", "--policy", desk.write("later.toml", policy), *more)
    assert made.code == 0, made.err
    return made.data


def switched(desk: Desk) -> set[str]:
    """The old SIMs that our cutover switches off."""
    before = off(desk)
    cut_over(desk)
    assert desk.run("inventory", "pull").code == 0
    return off(desk) - before


def changes(desk: Desk, plan_id: str) -> dict[str, dict[str, Any]]:
    """The lines of a plan, by source ICCID as 1NCE has it."""
    assert desk.run("plan", "export", "plan.jsonl", "--plan", plan_id).code == 0
    lines = Path("plan.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    return {line["source_iccid"]: line for line in map(json.loads, lines)}


def live(desk: Desk) -> int:
    return sum(link.state == "LIVE" for link in desk.rehearsal.hologram.sims.values())


# --- plans --------------------------------------------------------------------------------------------------------


def test_the_plan_after_a_cutover_pauses_nobody(desk: Desk) -> None:
    ours, awake = switched(desk), live(desk)
    made = planned(desk, LIMITED)
    assert made["live_pauses"] == 0
    assert not any("PAUSED" in words for words in made["warnings"])
    of_ours = [change for iccid, change in changes(desk, made["plan_id"]).items() if iccid in ours]
    assert [(one["state"], one["source"]["status_before"]) for one in of_ours] == [("live", "enabled")] * len(ours)
    assert desk.run("apply", "--confirm", "0").code in {0, 3}
    assert live(desk) == awake


def test_who_switched_a_sim_off_otherwise_is_planned_by_what_1nce_says(desk: Desk) -> None:
    ours = switched(desk)
    by_hand = next(sim for sim in desk.rehearsal.onence.fleet if sim.status == "Enabled")
    by_hand.status = SimStatus.DISABLED
    assert desk.run("inventory", "pull").code == 0
    told = changes(desk, planned(desk)["plan_id"])
    assert told[by_hand.iccid]["state"] == "pause"
    assert "status_before" not in told[by_hand.iccid]["source"]
    assert {told[iccid]["state"] for iccid in ours} == {"live"}


def test_a_sim_whose_lifetime_ends_after_our_cutover_stays_on_its_new_one(desk: Desk) -> None:
    ours = switched(desk)
    for sim in desk.rehearsal.onence.fleet:
        if sim.iccid in ours:
            sim.status = SimStatus.EXPIRED
    assert desk.run("inventory", "pull").code == 0
    told = changes(desk, planned(desk, POLICY.replace("[status]\n", '[status]\nexpired = "pause"\n'))["plan_id"])
    assert {told[iccid]["state"] for iccid in ours} == {"live"}


def test_one_that_a_rollback_switched_on_again_is_planned_by_what_1nce_says_now(desk: Desk) -> None:
    ours = switched(desk)
    back = desk.json("rollback", "plan").data
    assert desk.run("rollback", "apply", "--confirm", str(back["count"])).code == 0
    by_hand = next(sim for sim in desk.rehearsal.onence.fleet if sim.iccid in ours)
    by_hand.status = SimStatus.DISABLED
    assert desk.run("inventory", "pull").code == 0
    told = changes(desk, planned(desk, POLICY, "--include-rolled-back")["plan_id"])
    assert told[by_hand.iccid]["state"] == "pause"
    assert {told[iccid]["state"] for iccid in ours - {by_hand.iccid}} == {"live"}


def test_a_rule_for_disabled_sims_does_not_take_in_what_we_switched_off(desk: Desk) -> None:
    ours = switched(desk)
    told = changes(desk, planned(desk, rule('status = "disabled"'))["plan_id"])
    assert {told[iccid]["rule"] for iccid in ours} == {""}


@pytest.mark.parametrize("when", ["switched_off_by_us = true", 'status_before = "enabled"'])
def test_a_rule_may_ask_for_what_we_switched_off(desk: Desk, when: str) -> None:
    ours = switched(desk)
    made = planned(desk, rule(when))
    assert {iccid for iccid, change in changes(desk, made["plan_id"]).items() if change["rule"]} == ours
    explained = desk.run("plan", "explain", min(ours))
    assert "enabled before our cutover" in " ".join(explained.out.split())


def test_a_rule_may_ask_for_what_we_did_not_switch_off(desk: Desk) -> None:
    ours = switched(desk)
    made = planned(desk, rule("switched_off_by_us = false"))
    assert {iccid for iccid, change in changes(desk, made["plan_id"]).items() if not change["rule"]} == ours


@pytest.mark.parametrize("where", ["switched_off_by_us", 'status_before == "enabled"', "status_before is not none"])
def test_where_may_ask_for_what_we_switched_off(desk: Desk, where: str) -> None:
    ours = switched(desk)
    made = planned(desk, LIMITED, "--where", where)
    picked = {i for i, change in changes(desk, made["plan_id"]).items() if change["reason"] != "not_selected"}
    assert picked == ours


# --- stale plans --------------------------------------------------------------------------------------------------


def test_our_own_cutover_makes_no_plan_stale(desk: Desk) -> None:
    made = planned(desk, LIMITED)
    count = desk.json("cutover", "plan", desk.json("plan", "list").data["plans"][-1]["plan_id"]).data["count"]
    assert desk.run("cutover", "apply", "--confirm", str(count)).code == 0
    assert desk.run("inventory", "pull").code == 0
    done = desk.run("apply", made["plan_id"], "--confirm", "0")
    assert done.code in {0, 3}, done.err


@pytest.mark.parametrize("policy", [rule("switched_off_by_us = true"), rule('status_before = "enabled"')])
def test_a_plan_whose_rule_asks_for_it_is_stale_after_a_cutover_also_without_a_pull(desk: Desk, policy: str) -> None:
    made = planned(desk, policy)
    cut_over_first(desk)
    stale = desk.run("apply", made["plan_id"], "--confirm", "0")
    assert stale.code == 5
    assert "switched off by cutover" in stale.err


def test_a_plan_for_what_we_did_not_switch_off_picks_it_no_more_after_a_cutover(desk: Desk) -> None:
    made = planned(desk, LIMITED, "--where", "not switched_off_by_us")
    cut_over_first(desk)
    stale = desk.run("apply", made["plan_id"], "--confirm", "0")
    assert stale.code == 5
    assert "--where picks it no more" in stale.err


def cut_over_first(desk: Desk) -> dict[str, Any]:
    """Cut the first plan over, though there is a newer one. Returns: the cutover's plan."""
    first = desk.json("plan", "list").data["plans"][-1]["plan_id"]
    plan = desk.json("cutover", "plan", first).data
    assert desk.run("cutover", "apply", "--confirm", str(plan["count"])).code == 0
    return plan


# --- the way back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [(), ("--where", 'label == "nobody"')])
def test_the_newest_plan_takes_back_what_an_older_plans_cutover_switched_off(desk: Desk, more: tuple[str, ...]) -> None:
    before = off(desk)
    first = cut_over(desk)
    newest = planned(desk, LIMITED, *more)["plan_id"]
    assert newest != first["plan_id"]
    back = desk.json("rollback", "plan", newest)
    assert back.data["counts"]["SWITCH_BACK"] == first["count"]
    assert back.data["plan_id"] == newest
    done = desk.json("rollback", "apply", "--confirm", str(first["count"]))
    assert (done.code, done.data["paused"]) == (0, first["count"]), done.err
    assert off(desk) == before


def test_a_cutover_plan_says_which_cutover_switched_a_sim_off(desk: Desk) -> None:
    first = cut_over(desk)
    newest = planned(desk, LIMITED, "--where", 'label == "nobody"')["plan_id"]
    assert desk.run("inventory", "pull").code == 0
    plan = desk.json("cutover", "plan", newest, "--verified-share", "0").data
    assert plan["reasons"]["switched_by_us"] == first["count"]
    shown = desk.json("cutover", "show", "--action", "ALREADY_OFF", "--sims", "100").data["sims"]
    told = [row["detail"] for row in shown if row["reason"] == "switched_by_us"]
    assert told == [f"switched off by cutover {first['switch_id']} of plan {first['plan_id']}"] * first["count"]


def test_a_rollback_tells_of_what_its_plan_does_not_hold(desk: Desk) -> None:
    ours, first = switched(desk), desk.json("cutover", "show").data
    for at, sim in enumerate(list(desk.rehearsal.onence.fleet)):
        if sim.iccid in ours:
            del desk.rehearsal.onence.fleet[at]
            break
    assert desk.run("inventory", "pull").code == 0
    newest = planned(desk, LIMITED)["plan_id"]
    back = desk.json("rollback", "plan", newest).data
    assert back["counts"]["SWITCH_BACK"] == first["count"] - 1
    assert any(f"`migrator rollback plan {first['plan_id']}`" in words for words in back["reminders"])
