"""Policies with rules, waves that select, and `plan explain`, from the command line."""

import json
import shutil
from pathlib import Path

import pytest

from migrator.core.fleet.identifiers import luhn_digit
from tests.cli.conftest import POLICY, Desk

PLANS = Path(__file__).parents[3] / "plans"
RULED = (
    POLICY.replace("[[waves]]", '[[waves]]\nname = "bench"\niccids = "bench.txt"\n[[waves]]', 1)
    + """
[[rule]]
name = "tight"
when = { iccids = "bench.txt" }
[rule.data_limit]
maximum_mb = 2
"""
)


def sources(desk: Desk) -> list[str]:
    assert desk.run("inventory", "export", "sims.jsonl").code == 0
    lines = (desk.folder / "sims.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["iccid"] for line in lines]


def ruled(desk: Desk) -> list[str]:
    """A plan with a wave and a rule for two listed SIMs. Returns: their ICCIDs."""
    desk.paired()
    listed = sources(desk)[-2:]
    desk.write("bench.txt", "".join(f"{iccid}\n" for iccid in listed))
    assert desk.run("plan", "create", "--policy", desk.write("policy.toml", RULED)).code == 0
    return listed


def test_a_listed_sim_goes_with_its_wave_and_has_what_its_rule_gives(desk: Desk) -> None:
    listed = ruled(desk)
    sims = {sim["source_iccid"]: sim for sim in desk.json("plan", "show", "--sims", "100").data["sims"]}
    for iccid in listed:
        assert sims[iccid]["rule"] == "tight"
        if sims[iccid]["action"] == "CLAIM":
            assert (sims[iccid]["wave"], sims[iccid]["overage_limit_bytes"] <= 2 * 1_048_576) == ("bench", True)
    assert {sim["rule"] for iccid, sim in sims.items() if iccid not in listed} == {""}


def test_the_plan_is_carried_out_without_the_list_that_made_it(desk: Desk) -> None:
    """Between plan and apply somebody moved the policy and its list: the plan itself holds all that matters."""
    ruled(desk)
    claims = desk.json("plan", "list").data["plans"][0]["claims"]
    (desk.folder / "bench.txt").unlink()
    (desk.folder / "policy.toml").unlink()
    assert desk.run("apply", "--confirm", str(claims)).code == 0


def test_a_changed_list_makes_the_plan_stale(desk: Desk) -> None:
    listed = ruled(desk)
    claims = desk.json("plan", "list").data["plans"][0]["claims"]
    desk.write("bench.txt", listed[0])
    ended = desk.run("apply", "--confirm", str(claims))
    assert ended.code == 5
    assert "policy.toml was changed since" in ended.err


STAYS = """
[[rule]]
name = "stays"
when = { iccids = "stays.txt" }
[rule.status]
enabled = "skip"
"""


def test_lines_of_a_list_that_fit_no_sim_are_told_with_the_plan(desk: Desk) -> None:
    """A mistyped ICCID in the list of those that stay is a SIM that moves."""
    desk.paired()
    known = sources(desk)
    mistyped = known[0][:19] + str((int(luhn_digit(known[0][:19])) + 1) % 10)
    desk.write("stays.txt", f"{known[1]}\n# these three are wrong\n{mistyped}\n{known[2]}12\n8988228999999999991\n")
    desk.write("policy.toml", POLICY + STAYS)
    planned = desk.json("plan", "create", "--policy", "policy.toml")
    words = next(words for words in planned.data["warnings"] if "stays.txt" in words)
    assert words.startswith("stays.txt: 3 of 4 ICCIDs are of no SIM of the inventory: ")
    assert f"stays.txt:3 {mistyped} (its check digit would be {luhn_digit(known[0][:19])}), stays.txt:4 " in words
    assert "stays.txt:5 8988228999999999991" in words
    assert "stays.txt:1" not in words
    assert "3 of 4 ICCIDs are of no SIM" in desk.run("plan", "show").err


def test_lines_past_the_first_twenty_are_counted(desk: Desk) -> None:
    desk.paired()
    known = sources(desk)[0]
    desk.write("stays.txt", known + "".join(f"\n8988228999999999{n:03}" for n in range(1, 26)))
    desk.write("policy.toml", POLICY + STAYS)
    warnings = desk.json("plan", "create", "--policy", "policy.toml").data["warnings"]
    words = next(words for words in warnings if "stays.txt" in words)
    assert words.count("stays.txt:") == 21
    assert words.endswith(" and 5 more")


def test_requests_are_counted_as_apply_is_set_to_send_them(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.paired()
    policy = desk.write("policy.toml", POLICY.replace("[status]\n", '[status]\nenabled = "pause"\n'))
    monkeypatch.setenv("MIGRATOR_CLAIM_BATCH", "2")
    monkeypatch.setenv("MIGRATOR_BATCH", "1")
    counted = desk.json("plan", "create", "--policy", policy).data
    rest = counted["claims"] - 3
    assert counted["calls"]["claims"] == 2 + (rest + 1) // 2
    assert counted["calls"]["states"] == counted["claims"]


def test_a_bound_that_stops_nothing_is_told_with_the_plan(desk: Desk) -> None:
    planned = desk.planned(POLICY + "[gates.max_failures_by_code]\nclaimed_elsewere = 0\n")
    assert any(words.startswith("policy.toml:13: gates.max_failures_by_code.") for words in planned["warnings"])
    assert desk.run("apply", "--confirm", str(planned["claims"])).code == 0


def test_a_pool_dealt_by_a_policy_tells_such_lines_too(desk: Desk) -> None:
    assert desk.run("inventory", "pull").code == 0
    desk.write("stays.txt", f"{sources(desk)[0]}\n8988228999999999991\n")
    ended = desk.run("pair", "pool", desk.pool(), "--policy", desk.write("policy.toml", POLICY + STAYS))
    assert ended.code == 0
    assert "stays.txt:2 8988228999999999991" in ended.err


def test_explain_tells_each_value_and_who_gave_it(desk: Desk) -> None:
    iccid = ruled(desk)[0]
    told = desk.json("plan", "explain", iccid).data
    assert (told["source_iccid"], told["rule"]) == (iccid, "tight")
    limit = next(value for value in told["values"] if value["what"] == "data limit")
    assert {"section": "data_limit", "key": "maximum_mb", "value": "2", "rule": "tight"} in limit["given_by"]
    words = desk.run("plan", "explain", iccid, told["plan_id"])
    assert words.code == 0
    assert 'Rule "tight" fits it: listed in its file of ICCIDs.' in words.out
    assert 'rule "tight" [rule.data_limit] maximum_mb = 2' in words.out


@pytest.mark.parametrize("words", [("8988228999999999999",), ("12",), ("8988228999999999999", "p0")])
def test_explain_of_what_is_not_there_is_refused(desk: Desk, words: tuple[str, ...]) -> None:
    desk.planned()
    ended = desk.json("plan", "explain", *words)
    assert ended.code == 2
    assert ended.document["errors"][0]["hint"]


def test_the_plan_shows_what_each_wave_takes_and_each_rule_allows(desk: Desk) -> None:
    ruled(desk)
    shown = desk.run("plan", "show")
    assert "for a lifetime" in shown.out
    assert "largest bill per period" in shown.out
    assert "start anew every billing period" in shown.err
    told = desk.json("plan", "show").data
    assert [wave["wave"] for wave in told["by_wave"]] == ["bench", "canary", "rest"]
    assert {group["rule"] for group in told["groups"]} <= {"tight", "default"}
    assert sum(wave["claims"] for wave in told["by_wave"]) == told["claims"]


@pytest.mark.parametrize("name", ["default", "cautious", "fixed-cap", "remaining-quota"])
def test_every_policy_that_ships_makes_a_plan(desk: Desk, name: str) -> None:
    assert desk.run("inventory", "pull", "--quotas").code == 0
    assert desk.run("pair", "pool", desk.pool()).code == 0
    shutil.copy(PLANS / f"{name}.toml", desk.folder / "policy.toml")
    plan = desk.json("plan", "create", "--policy", "policy.toml")
    assert plan.code == 0, plan.err
    assert plan.data["claims"] > 0
    assert sum(plan.data["counts"].values()) == desk.sims
